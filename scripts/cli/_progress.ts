/**
 * Progress on stderr for work that takes long, not before a second has gone by: one line that
 * changes, only on a terminal; or where it is asked for, lines.
 *
 * @module
 */

import { formatBytes, formatShare } from "../_table.ts";

/** Work that is over before this needs no progress. */
const SHOWN_AFTER_MS = 1_000;

/** Between two lines, where it is lines. */
const LINE_MS = 1_000;

const encoder = new TextEncoder();

let isLines = false;

/** Makes all progress lines, also where there is no terminal. */
export function showProgressAsLines(): void {
  isLines = true;
}

/** Shows how many bytes of how many are done. Ends with its scope. */
export class ByteProgress implements Disposable {
  readonly #begin = performance.now();
  readonly #isTerminal = Deno.stderr.isTerminal();
  readonly #what: string;
  #isShown = false;
  #lineMs = 0;

  /** `what` is named in the line. */
  constructor(what: string) {
    this.#what = what;
  }

  /** Tells how far the work is. */
  show(done: number, total: number): void {
    const elapsedMs = performance.now() - this.#begin;
    if (!isLines && (!this.#isTerminal || elapsedMs < SHOWN_AFTER_MS)) return;
    const rate = `${formatBytes(Math.round(done / (elapsedMs / 1000)))}/s`;
    const line = `${this.#what}: ${formatShare(done / total)} of ${formatBytes(total)}, ${rate}`;
    if (!isLines) {
      this.#isShown = true;
      this.#write(`\r\x1b[K${line}`);
    } else if (done >= total || elapsedMs - this.#lineMs >= LINE_MS) {
      this.#lineMs = elapsedMs;
      this.#write(`${line}\n`);
    }
  }

  #write(text: string): void {
    Deno.stderr.writeSync(encoder.encode(text));
  }

  [Symbol.dispose](): void {
    if (this.#isShown) this.#write("\r\x1b[K");
  }
}

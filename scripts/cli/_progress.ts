/**
 * Progress on stderr for work that takes long: one line that changes, only on a terminal, and not
 * before a second has gone by.
 *
 * @module
 */

import { formatBytes, formatShare } from "../_table.ts";

/** Work that is over before this needs no progress. */
const SHOWN_AFTER_MS = 1_000;

const encoder = new TextEncoder();

/** Shows how many bytes of how many are done. Ends with its scope. */
export class ByteProgress implements Disposable {
  readonly #begin = performance.now();
  readonly #isTerminal = Deno.stderr.isTerminal();
  readonly #what: string;
  #isShown = false;

  /** `what` is named in the line. */
  constructor(what: string) {
    this.#what = what;
  }

  /** Tells how far the work is. */
  show(done: number, total: number): void {
    const elapsedMs = performance.now() - this.#begin;
    if (!this.#isTerminal || elapsedMs < SHOWN_AFTER_MS) return;
    this.#isShown = true;
    const rate = `${formatBytes(Math.round(done / (elapsedMs / 1000)))}/s`;
    this.#write(`${this.#what}: ${formatShare(done / total)} of ${formatBytes(total)}, ${rate}`);
  }

  #write(line: string): void {
    Deno.stderr.writeSync(encoder.encode(`\r\x1b[K${line}`));
  }

  [Symbol.dispose](): void {
    if (this.#isShown) this.#write("");
  }
}

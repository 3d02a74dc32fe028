/**
 * Live progress on stderr: one line that changes on a terminal, a line now and then elsewhere.
 *
 * @module
 */

import type { Channel } from "../../mod.ts";
import { formatCount, formatShare } from "../_table.ts";
import type { EventOf, LevelText } from "./_protocol.ts";

/** Milliseconds between two looks: a person reads no faster, and a log stays short. */
const TERMINAL_MS = 100;
const LOG_MS = 2_000;

const encoder = new TextEncoder();

/** A price without the zeros at its end, which the exchange writes. */
function priceOf(level: LevelText | null): string {
  return level === null ? "none" : level[0].replace(/\.0+$|(\.\d*[1-9])0+$/, "$1");
}

/** Looks at a channel from outside, as any observer could, and writes down what it sees. */
export class Progress implements Disposable {
  readonly #channel: Channel;
  readonly #isTerminal = Deno.stderr.isTerminal();
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #phase = "starting";
  #isFlowing = false;
  #top = "";
  #lastCount = 0;
  #lastMs = performance.now();

  /** Begins; silent if `isQuiet`. */
  constructor(channel: Channel, { isQuiet }: { isQuiet: boolean }) {
    this.#channel = channel;
    if (isQuiet) return;
    this.#timer = setInterval(() => this.#show(), this.#isTerminal ? TERMINAL_MS : LOG_MS);
  }

  /** Says what is going on now, and whether messages flow meanwhile. */
  begin(phase: string, { isFlowing }: { isFlowing: boolean }): void {
    this.#phase = phase;
    this.#isFlowing = isFlowing;
  }

  /** Takes the best bid and ask of the book. */
  takeTop({ bid, ask }: EventOf<"top">): void {
    this.#top = `, bid ${priceOf(bid)}, ask ${priceOf(ask)}`;
  }

  #show(): void {
    const text = this.#isFlowing ? `${this.#phase}: ${this.#describe()}` : this.#phase;
    // A longer line would wrap, and not be cleared as a whole.
    const shown = () => text.slice(0, Deno.consoleSize().columns - 1);
    this.#write(this.#isTerminal ? `\r\x1b[2K${shown()}` : `${text}\n`);
  }

  #describe(): string {
    const { nextSequence, occupancy, consumers } = this.#channel.stats();
    const count = nextSequence - 1;
    const nowMs = performance.now();
    const rate = (count - this.#lastCount) / (nowMs - this.#lastMs) * 1000;
    this.#lastCount = count;
    this.#lastMs = nowMs;
    const lags = consumers.map(({ name, lagMessages, lost }) =>
      `, ${name} ${formatCount(lagMessages)} behind` +
      (lost > 0 ? ` and ${formatCount(lost)} lost` : "")
    );
    const share = formatShare(occupancy / this.#channel.sizeBytes);
    const speed = `${formatCount(count)} records, ${formatCount(rate)}/s`;
    return `${speed}${this.#top}, ring ${share}${lags.join("")}`;
  }

  #write(text: string): void {
    Deno.stderr.writeSync(encoder.encode(text));
  }

  /** Ends, and leaves no half line. */
  [Symbol.dispose](): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    if (this.#isTerminal) this.#write("\r\x1b[2K");
  }
}

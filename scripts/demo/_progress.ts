/**
 * Live progress on stderr: one line that changes on a terminal, a line now and then elsewhere.
 *
 * @module
 */

/** Milliseconds between two looks: a person reads no faster, and a log stays short. */
const TERMINAL_MS = 100;
const LOG_MS = 2_000;

const encoder = new TextEncoder();

/** Shows what is going on. */
export class Progress implements Disposable {
  readonly #describe: () => string;
  readonly #isQuiet: boolean;
  readonly #isTerminal = Deno.stderr.isTerminal();
  readonly #timer: ReturnType<typeof setInterval> | undefined;

  /** Begins to show what `describe` returns; shows nothing if `isQuiet`. */
  constructor(describe: () => string, { isQuiet }: { isQuiet: boolean }) {
    this.#describe = describe;
    this.#isQuiet = isQuiet;
    if (isQuiet) return;
    this.#timer = setInterval(() => this.#show(), this.#isTerminal ? TERMINAL_MS : LOG_MS);
  }

  /** Says something that stays. */
  note(line: string): void {
    if (!this.#isQuiet) this.#write(`${this.#isTerminal ? "\r\x1b[2K" : ""}${line}\n`);
  }

  #show(): void {
    const text = this.#describe();
    // A longer line would wrap, and not be cleared as a whole.
    const shown = () => text.slice(0, Deno.consoleSize().columns - 1);
    this.#write(this.#isTerminal ? `\r\x1b[2K${shown()}` : `${text}\n`);
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

/** Tells how fast a number grows, between two calls. */
export class Rate {
  #last = 0;
  #lastMs = performance.now();

  /** Takes the number now; returns its growth a second. */
  next(value: number): number {
    const nowMs = performance.now();
    const rate = (value - this.#last) / Math.max(0.001, (nowMs - this.#lastMs) / 1000);
    this.#last = value;
    this.#lastMs = nowMs;
    return rate;
  }
}

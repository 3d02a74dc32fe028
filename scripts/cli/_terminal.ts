/**
 * The terminal as a screen: drawn again and again without flicker, keys one by one, and given back
 * as it was, whatever happens.
 *
 * @module
 */

import { ScriptError } from "../_command.ts";
import { write } from "../_output.ts";

/** What a view can be told. */
export type TerminalEvent =
  | { kind: "key"; key: string }
  | { kind: "resize" }
  | { kind: "tick" }
  | { kind: "end" };

/** Columns and rows. */
export interface ScreenSize {
  columns: number;
  rows: number;
}

/** The other screen, without a cursor, and without breaking long lines. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/** A terminal that knows these shows what is between them at once; others pass them over. */
const BEGIN_FRAME = "\x1b[?2026h";
const END_FRAME = "\x1b[?2026l";

/** Keys that are more than one byte, or none that can be seen. */
const KEYS: Record<string, string> = {
  "\x1b[A": "up",
  "\x1bOA": "up",
  "\x1b[B": "down",
  "\x1bOB": "down",
  "\x1b[5~": "page-up",
  "\x1b[6~": "page-down",
  "\x1b[H": "home",
  "\x1b[F": "end",
  "\x1b": "escape",
  "\x7f": "escape",
  "\b": "escape",
  "\r": "enter",
  "\n": "enter",
  "\x03": "interrupt",
};

/** One key each: a sequence of the terminal's, or a character. */
// deno-lint-ignore no-control-regex -- That is how a terminal says which key it was.
const KEY = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O[A-Z])|[^]/gu;

/** Names the keys in what a terminal has sent at once. */
export function keysIn(text: string): string[] {
  return Array.from(text.matchAll(KEY), ([key]) => KEYS[key] ?? key);
}

/** The size of the terminal; of the usual one where it does not say. */
export function screenSize(): ScreenSize {
  try {
    const { columns, rows } = Deno.consoleSize();
    return columns > 0 && rows > 0 ? { columns, rows } : { columns: 80, rows: 24 };
  } catch {
    return { columns: 80, rows: 24 };
  }
}

/**
 * This process's terminal, as a screen. Disposing of it gives it back; so do signals, an error, and
 * the end of the process by `Deno.exit`. Only SIGKILL leaves it as it is (`reset` mends that).
 */
export class Terminal implements Disposable {
  readonly #events: TerminalEvent[] = [];
  readonly #listeners: [Deno.Signal, () => void][];
  readonly #giveBack = () => this[Symbol.dispose]();
  #wake: (() => void) | undefined;
  #shown: string[] = [];
  #isOpen = true;

  /** @throws {ScriptError} If there is no terminal. */
  constructor() {
    if (!Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) {
      throw new ScriptError(
        "Cannot show a live view: expected a terminal, found none; use --once, --json or mt status",
      );
    }
    const end = () => this.#push({ kind: "end" });
    const again = () => {
      this.#enter();
      this.#push({ kind: "resize" });
    };
    this.#listeners = [
      ["SIGINT", end],
      ["SIGTERM", end],
      ["SIGHUP", end],
      ["SIGWINCH", () => this.#push({ kind: "resize" })],
      ["SIGCONT", again], // Whoever stopped us has had the terminal meanwhile.
    ];
    for (const [signal, listener] of this.#listeners) Deno.addSignalListener(signal, listener);
    addEventListener("unload", this.#giveBack);
    this.#enter();
    this.#readKeys();
  }

  /** Waits for what happens next, but no longer than `timeoutMs`. */
  async next(timeoutMs: number): Promise<TerminalEvent> {
    const event = this.#events.shift();
    if (event !== undefined) return event;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, timeoutMs);
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
    return this.#events.shift() ?? { kind: "tick" };
  }

  /** Shows these lines, and writes only those that have changed. */
  draw(lines: readonly string[]): void {
    let text = "";
    for (let row = 0; row < Math.max(lines.length, this.#shown.length); row++) {
      const line = lines[row] ?? "";
      // Erased first: behind a full line that would take its last column.
      if (line !== this.#shown[row]) text += `\x1b[${row + 1};1H\x1b[K${line}`;
    }
    this.#shown = [...lines];
    if (text !== "") write(`${BEGIN_FRAME}${text}${END_FRAME}`);
  }

  /** Draws everything anew the next time: the size has changed. */
  clear(): void {
    this.#shown = [];
    write("\x1b[2J");
  }

  /** Gives the terminal back. May be repeated. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    removeEventListener("unload", this.#giveBack);
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
    try {
      Deno.stdin.setRaw(false);
      write(LEAVE);
    } catch {
      // It is gone: there is nobody to give it back to.
    }
  }

  #enter(): void {
    Deno.stdin.setRaw(true);
    write(ENTER);
  }

  #push(event: TerminalEvent): void {
    this.#events.push(event);
    this.#wake?.();
  }

  async #readKeys(): Promise<void> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(256);
    try {
      for (let count = await Deno.stdin.read(buffer); count !== null;) {
        for (const key of keysIn(decoder.decode(buffer.subarray(0, count), { stream: true }))) {
          this.#push(key === "interrupt" ? { kind: "end" } : { kind: "key", key });
        }
        count = await Deno.stdin.read(buffer);
      }
    } catch {
      // The terminal is gone, which is an end like any other.
    }
    this.#push({ kind: "end" });
  }
}

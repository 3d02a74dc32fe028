/**
 * One connection of a feed: reads it, and watches that it lives.
 *
 * @module
 */

import { WallClock } from "../collector/wall_clock.ts";
import type { WebSocketClient } from "../../web_socket/client.ts";

/** Takes a feed's messages. What it throws ends the feed. */
export interface FeedHandler {
  /**
   * Takes a message.
   *
   * @param text As it came: nothing has parsed it.
   * @param receiveUs When it came, in whole microseconds since 1970.
   * @returns How many records it became; 0 for one of which nothing is to be made.
   */
  take(text: string, receiveUs: number): number;
  /** Returns what to wait for before more is read; undefined to go on at once. */
  room(): Promise<void> | undefined;
}

/** Why a line needs a successor. */
export type LineEnd =
  /** It broke or was closed by the exchange. */
  | "lost"
  /** Nothing has come for too long. */
  | "silent"
  /** The exchange has announced that it will close it. */
  | "shutdown"
  /** It is nearly as old as the exchange allows. */
  | "aged";

/** What a line counts for its feed. */
export interface LineCounts {
  /** Texts that came. */
  messages: number;
  /** Messages that were bytes, and dropped. */
  binary: number;
}

/** How a line is watched. */
export interface LineOptions {
  /** Takes the messages. */
  readonly handler: FeedHandler;
  /** Shared by the lines of a feed. */
  readonly counts: LineCounts;
  /** Milliseconds without a message after which it is given up. */
  readonly silenceMs: number;
  /** Milliseconds after which it wants a successor. */
  readonly lifetimeMs: number;
  /** Told of the first message. */
  readonly onFirst: () => void;
  /** Told what the handler has thrown. */
  readonly onFailure: (error: unknown) => void;
  /** Told why it broke. */
  readonly onBreak: (error: unknown) => void;
}

/**
 * Looks without a message after which there is silence. Counted, not timed: whoever was suspended
 * must first read what has come meanwhile.
 */
const QUIET_LOOKS_MAX = 4;

const SHUTDOWN = '"serverShutdown"';

/** A connection that delivers until it is closed. */
export class FeedLine {
  /** Resolves when it needs a successor; it may go on to deliver until it is closed. */
  readonly ending: Promise<LineEnd>;
  /** Resolves when nothing is delivered any more. */
  readonly done: Promise<void>;
  readonly #client: WebSocketClient;
  readonly #options: LineOptions;
  readonly #end: (end: LineEnd) => void;
  readonly #clock = new WallClock();
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  readonly #startMs = performance.now();
  readonly #closed = Promise.withResolvers<void>();
  #closing: ReturnType<typeof setTimeout> | undefined;
  #receiveUs = 0;
  #quietLooks = 0;
  #isFirst = true;
  #isWaiting = false;
  #hasFailed = false;

  /** Begins to deliver. */
  constructor(client: WebSocketClient, options: LineOptions) {
    this.#client = client;
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<LineEnd>();
    this.ending = promise;
    this.#end = resolve;
    const { silenceMs, lifetimeMs } = options;
    this.#timers.push(setInterval(() => this.#watch(), silenceMs / QUIET_LOOKS_MAX));
    this.#timers.push(setTimeout(() => resolve("aged"), lifetimeMs));
    this.done = this.#deliver();
  }

  /** Milliseconds since it was opened. */
  get ageMs(): number {
    return performance.now() - this.#startMs;
  }

  /** Closes it in some milliseconds, in which a successor delivers as well. */
  closeIn(ms: number): void {
    if (this.#client.isOpen) this.#closing ??= setTimeout(() => this.close(), ms);
  }

  /** Closes it at once. */
  close(): void {
    clearTimeout(this.#closing);
    for (const timer of this.#timers) clearInterval(timer);
    this.#client.close();
    this.#closed.resolve();
  }

  async #deliver(): Promise<void> {
    const handler = {
      onText: (text: string) => this.#take(text),
      onBinary: () => void this.#options.counts.binary++,
    };
    try {
      do {
        this.#receiveUs = 0;
        await this.#makeRoom();
      } while (await this.#client.receive(handler));
    } catch (error) {
      if (!this.#hasFailed) this.#options.onBreak(error);
    }
    this.close();
    this.#end("lost");
  }

  #take(text: string): void {
    const { handler, counts, onFirst } = this.#options;
    if (this.#receiveUs === 0) {
      this.#receiveUs = this.#clock.nowUs(); // The same for all that one read has brought.
      this.#quietLooks = 0;
    }
    counts.messages++;
    if (this.#isFirst) {
      this.#isFirst = false;
      onFirst();
    }
    let records: number;
    try {
      records = handler.take(text, this.#receiveUs);
    } catch (error) {
      this.#fail(error);
      throw error;
    }
    if (records === 0 && text.includes(SHUTDOWN)) this.#end("shutdown");
  }

  async #makeRoom(): Promise<void> {
    try {
      const room = this.#options.handler.room();
      if (room === undefined) return;
      this.#isWaiting = true;
      await Promise.race([room, this.#closed.promise]);
      this.#isWaiting = false;
      this.#quietLooks = 0;
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #fail(error: unknown): void {
    this.#hasFailed = true;
    this.#options.onFailure(error);
  }

  #watch(): void {
    if (this.#isWaiting || ++this.#quietLooks <= QUIET_LOOKS_MAX) return;
    this.#end("silent");
    this.close();
  }
}

/**
 * Binance's live streams, over as many connections as it takes.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import { backOffMs, type BackOffOptions, Budget } from "../collector/back_off.ts";
import { type FeedHandler, FeedLine, type LineCounts } from "./feed_line.ts";
import { WebSocketClient } from "../../web_socket/client.ts";

export type { FeedHandler, LineEnd } from "./feed_line.ts";

/** When a feed does something about its connections. */
export interface FeedTimes {
  /** Until a connection must be made. Default: 10,000 ms. */
  readonly connectMs?: number;
  /** Without a message, until a connection is given up. Default: 60,000 ms. */
  readonly silenceMs?: number;
  /** Until a connection is replaced: Binance closes it after 24 hours. Default: 23 hours. */
  readonly lifetimeMs?: number;
  /** For which two connections deliver when one replaces the other. Default: 2,000 ms. */
  readonly overlapMs?: number;
  /** Between attempts. Default: 250 ms to 30,000 ms. */
  readonly backOff?: BackOffOptions;
  /** Age from which on a connection's loss counts as the first. Default: 10,000 ms. */
  readonly stableMs?: number;
}

/** What a {@linkcode BinanceFeed} needs. */
export interface BinanceFeedOptions {
  /** Such as `"wss://stream.binance.com:9443"`. */
  readonly url: string;
  /** Such as `["btcusdt@trade", "btcusdt@depth@100ms"]`; Binance allows 1,024. */
  readonly streams: readonly string[];
  /** Takes the messages. */
  readonly handler: FeedHandler;
  /** Told why there is no connection, each time. */
  readonly onTrouble?: (cause: string, detail: string) => void;
  /** See {@linkcode FeedTimes}. */
  readonly times?: FeedTimes;
  /** Longest message in bytes. Default: 4 MiB, ten times a snapshot of 5,000 levels. */
  readonly messageBytesMax?: number;
}

/** What a feed has been through. */
export interface FeedCounts extends LineCounts {
  /** Connections made. */
  connections: number;
  /** Attempts that made none. */
  refused: number;
  /** Connections that needed a successor, by the reason. */
  lost: number;
  /** See {@linkcode FeedCounts.lost}. */
  silent: number;
  /** See {@linkcode FeedCounts.lost}. */
  shutdown: number;
  /** See {@linkcode FeedCounts.lost}. */
  aged: number;
}

/** Binance allows 300 attempts in 5 minutes from an address; somebody else may be behind it. */
const CONNECTIONS = 200;
const CONNECTIONS_SPAN_MS = 300_000;

const HOUR_MS = 3_600_000;

const TIMES = {
  connectMs: 10_000,
  silenceMs: 60_000,
  lifetimeMs: 23 * HOUR_MS,
  overlapMs: 2_000,
  backOff: { minMs: 250, maxMs: 30_000 },
  stableMs: 10_000,
};

const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Keeps a connection to the combined stream, and hands its messages out in the order in which they
 * come.
 *
 * A connection that is lost or silent is replaced after a back-off; one that is about to be closed
 * by the exchange, as it announces or by its age, is replaced before, and for a moment both
 * deliver: messages come twice then, and none is missing. Messages that the exchange sent while
 * there was no connection are missing; who needs them must see that by their ids. While the handler
 * has no room, nothing is read, so that memory is bounded and the exchange has to wait.
 *
 * Thread: one. Cost: some microseconds a message, most of it reading and decoding text.
 */
export class BinanceFeed {
  /** What it has been through so far. */
  readonly counts: FeedCounts = {
    messages: 0,
    binary: 0,
    connections: 0,
    refused: 0,
    lost: 0,
    silent: 0,
    shutdown: 0,
    aged: 0,
  };
  readonly #url: URL;
  readonly #handler: FeedHandler;
  readonly #onTrouble: (cause: string, detail: string) => void;
  readonly #times: Required<FeedTimes>;
  readonly #messageBytesMax: number;
  readonly #budget = new Budget(CONNECTIONS, CONNECTIONS_SPAN_MS);
  readonly #lines = new Set<FeedLine>();
  readonly #life = new AbortController();
  #failure: { error: unknown } | undefined;

  /**
   * Connects to nothing yet.
   *
   * @throws {TypeError} If the address is none.
   */
  constructor(options: BinanceFeedOptions) {
    this.#url = new URL(`/stream?streams=${options.streams.join("/")}`, options.url);
    this.#handler = options.handler;
    this.#onTrouble = options.onTrouble ?? (() => {});
    this.#times = { ...TIMES, ...options.times };
    this.#messageBytesMax = options.messageBytesMax ?? MESSAGE_BYTES_MAX;
  }

  /** Whether a connection delivers. */
  get isConnected(): boolean {
    return this.#lines.size > 0;
  }

  /**
   * Delivers until {@linkcode BinanceFeed.stop}, or until the handler throws. Call it once.
   *
   * @throws {Error} What the handler has thrown; `NotCapable` without permission.
   */
  async run(): Promise<void> {
    const { signal } = this.#life;
    let failures = 0;
    try {
      while (!signal.aborted) {
        if (failures > 0) {
          await setTimeout(backOffMs(failures, this.#times.backOff), undefined, { signal });
        }
        failures = await this.#follow(signal) ? 0 : failures + 1;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.stop();
      await Promise.all([...this.#lines].map((line) => line.done));
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Ends it: `run` resolves. May be repeated. */
  stop(): void {
    this.#life.abort();
    for (const line of this.#lines) line.close();
  }

  /** Has one connection until it needs a successor. Returns whether that may come at once. */
  async #follow(signal: AbortSignal): Promise<boolean> {
    const line = await this.#open(signal);
    if (line === undefined) return false;
    const end = await line.ending;
    signal.throwIfAborted();
    this.counts[end]++;
    this.#onTrouble(end, `after ${Math.round(line.ageMs)} ms`);
    return end === "shutdown" || end === "aged" || line.ageMs >= this.#times.stableMs;
  }

  async #open(signal: AbortSignal): Promise<FeedLine | undefined> {
    await this.#budget.spend(1, signal);
    try {
      const { connectMs: timeoutMs } = this.#times;
      const messageBytesMax = this.#messageBytesMax;
      const client = await WebSocketClient.connect(this.#url, {
        messageBytesMax,
        timeoutMs,
        signal,
      });
      return this.#deliver(client);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Deno.errors.NotCapable) throw error; // It names the missing flag.
      this.counts.refused++;
      this.#onTrouble("refused", messageOf(error));
      return undefined;
    }
  }

  #deliver(client: WebSocketClient): FeedLine {
    this.counts.connections++;
    const line = new FeedLine(client, {
      handler: this.#handler,
      counts: this.counts,
      silenceMs: this.#times.silenceMs,
      lifetimeMs: this.#times.lifetimeMs,
      onFirst: () => {
        for (const other of this.#lines) if (other !== line) other.closeIn(this.#times.overlapMs);
      },
      onBreak: (error) => this.#onTrouble("broken", messageOf(error)),
      onFailure: (error) => {
        this.#failure ??= { error };
        this.stop();
      },
    });
    this.#lines.add(line);
    line.done.finally(() => this.#lines.delete(line));
    return line;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

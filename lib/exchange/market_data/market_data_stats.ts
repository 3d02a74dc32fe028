/**
 * What market data tells of itself: rates, latencies, counts.
 *
 * @module
 */

import type { FanOut } from "./fan_out.ts";
import type { LatencySummary } from "./hop_latencies.ts";
import type { Hop } from "./hop_latencies.ts";
import type { MarketFeed } from "./market_feed.ts";

/** Seconds that rates are an average of. */
const RATE_SECONDS = 2;

/** Counters that rates are made of. */
interface Counters {
  timeMs: number;
  events: number;
  trades: number;
  frames: number;
  bytes: number;
}

/** What `/api/stats` shows. */
export interface MarketDataReport {
  /** Names the run of the feed. */
  epoch: string;
  /** Whether no engine event is missing. */
  isComplete: boolean;
  /** Sequence of the last engine event. */
  sequence: number;
  /** Milliseconds since it began to serve. */
  uptimeMs: number;
  /** Of the last seconds. */
  rates: {
    eventsPerSecond: number;
    tradesPerSecond: number;
    framesPerSecond: number;
    bytesPerSecond: number;
  };
  /** From hop to hop: of the last ten seconds, and in total. */
  hops: Record<Hop, { recent: LatencySummary; total: LatencySummary }>;
  /** Since the feed was made. */
  counts: Record<string, number>;
  /** Now. */
  clients: { connected: number; behind: number; bufferedBytes: number };
}

/** Makes the report. */
export class MarketDataStats {
  readonly #feed: MarketFeed;
  readonly #fanOut: FanOut;
  readonly #startMs = performance.now();
  readonly #samples: Counters[];

  /** Begins to measure. */
  constructor(feed: MarketFeed, fanOut: FanOut) {
    this.#feed = feed;
    this.#fanOut = fanOut;
    this.#samples = [this.#sample()];
  }

  /** Begins another second: to be called once in each. */
  turn(): void {
    this.#feed.latencies.turn();
    this.#samples.push(this.#sample());
    if (this.#samples.length > RATE_SECONDS + 1) this.#samples.shift();
  }

  /** Returns how it stands. */
  read(): MarketDataReport {
    const { epoch, isComplete, sequence, counts, latencies } = this.#feed;
    const first = this.#samples[0]!;
    const now = this.#sample();
    const seconds = Math.max(0.001, (now.timeMs - first.timeMs) / 1000);
    const rate = (of: keyof Counters) => Math.round((now[of] - first[of]) / seconds);
    return {
      epoch,
      isComplete,
      sequence,
      uptimeMs: Math.round(now.timeMs - this.#startMs),
      rates: {
        eventsPerSecond: rate("events"),
        tradesPerSecond: rate("trades"),
        framesPerSecond: rate("frames"),
        bytesPerSecond: rate("bytes"),
      },
      hops: latencies.summary(),
      counts: { ...counts, ...this.#fanOut.counts },
      clients: {
        connected: this.#fanOut.clientCount,
        behind: this.#fanOut.behindCount,
        bufferedBytes: this.#fanOut.bufferedBytes,
      },
    };
  }

  #sample(): Counters {
    const { events, trades } = this.#feed.counts;
    const { frames, bytes } = this.#fanOut.counts;
    return { timeMs: performance.now(), events, trades, frames, bytes };
  }
}

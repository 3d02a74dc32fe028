/**
 * How long requests take, of the first part of a run and of the rest.
 *
 * @module
 */

import { type LatencySummary, summaryOf } from "../../lib/exchange/market_data/hop_latencies.ts";
import type { LatencyHistogram, Timer } from "../../lib/observability/mod.ts";

/** Latencies of the part that was counted apart, of the rest, and of both. */
export interface PartedLatency {
  apart: LatencySummary;
  rest: LatencySummary;
  whole: LatencySummary;
}

/** What counts the latencies of a run, which may have counted those of others before. */
export class Latency {
  readonly #timer: Timer;
  readonly #apartUntilNs: number;
  readonly #first: LatencyHistogram;
  #apart: LatencyHistogram | undefined;

  /** Begins a run. Latencies that end before a time, by `monotonicNs()`, are counted apart. */
  constructor(timer: Timer, apartUntilNs: number) {
    this.#timer = timer;
    this.#apartUntilNs = apartUntilNs;
    this.#first = timer.read();
  }

  /** Counts from a time until now. */
  record(fromNs: number, nowNs: number): void {
    if (nowNs >= this.#apartUntilNs) this.#apart ??= this.#timer.read();
    this.#timer.record(nowNs - fromNs);
  }

  /** Returns what was measured. */
  summary(): PartedLatency {
    const now = this.#timer.read();
    const apart = this.#apart ?? now;
    return {
      apart: summaryOf(apart.since(this.#first)),
      rest: summaryOf(now.since(apart)),
      whole: summaryOf(now.since(this.#first)),
    };
  }
}

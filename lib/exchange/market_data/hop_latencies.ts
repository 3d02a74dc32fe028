/**
 * How long requests take from hop to hop, as the events that they cause tell.
 *
 * @module
 */

import type { Timer } from "../../observability/counters.ts";
import { LatencyHistogram } from "../../observability/latency_histogram.ts";

/** The hops of a request. */
export const HOPS = ["gatewayToEngine", "engineToMarketData", "endToEnd"] as const;

/** One of {@linkcode HOPS}. `endToEnd` is from when the request should have been sent. */
export type Hop = (typeof HOPS)[number];

/** Times that an event carries, by `monotonicNs()`; 0 = not told. */
export interface HopTimes {
  intendedTimeNs: number;
  gatewayTimeNs: number;
  engineTimeNs: number;
}

/** Latencies in nanoseconds; all 0 where none was measured. */
export interface LatencySummary {
  count: number;
  p50Ns: number;
  p90Ns: number;
  p99Ns: number;
  p999Ns: number;
  maxNs: number;
}

/** Seconds that `recent` looks back. */
const WINDOW_SECONDS = 10;

/** Longest time that is taken for a latency: above it, a clock of another boot was read. */
const LATENCY_MAX_NS = 3600e9;

/** What counts a hop, which may have counted for others before, and how it stood at each second. */
class HopLatency {
  readonly #timer: Timer;
  readonly #first: LatencyHistogram;
  readonly #seconds: LatencyHistogram[];

  constructor(timer: Timer) {
    this.#timer = timer;
    this.#first = timer.read();
    this.#seconds = [this.#first];
  }

  record(ns: number): void {
    if (ns <= LATENCY_MAX_NS) this.#timer.record(ns);
  }

  turn(): void {
    this.#seconds.push(this.#timer.read());
    if (this.#seconds.length > WINDOW_SECONDS) this.#seconds.shift();
  }

  summary(): { recent: LatencySummary; total: LatencySummary } {
    const now = this.#timer.read();
    const recent = now.since(this.#seconds[0]!);
    return { recent: summaryOf(recent), total: summaryOf(now.since(this.#first)) };
  }
}

/**
 * Latencies of each hop, in total and of the last ten seconds, out of histograms that others see as
 * well.
 *
 * Thread: its isolate's only. Cost of recording: 0.1 µs.
 */
export class HopLatencies {
  readonly #hops: Partial<Record<Hop, HopLatency>>;
  #sinceNs = 1;

  /** @param timers What counts them: those of open counters. Without, nothing is measured. */
  constructor(timers?: Record<Hop, Timer>) {
    this.#hops = timers === undefined
      ? {}
      : Object.fromEntries(HOPS.map((hop) => [hop, new HopLatency(timers[hop])]));
  }

  /** Leaves out what the engine has done before: nobody was there to take it. */
  begin(nowNs: number): void {
    this.#sinceNs = nowNs;
  }

  /** Records an event that was received at `nowNs`. A time that is not told is left out. */
  record({ intendedTimeNs, gatewayTimeNs, engineTimeNs }: HopTimes, nowNs: number): void {
    if (engineTimeNs < this.#sinceNs) return;
    const hops = this.#hops;
    hops.engineToMarketData?.record(nowNs - engineTimeNs);
    if (gatewayTimeNs > 0) hops.gatewayToEngine?.record(engineTimeNs - gatewayTimeNs);
    if (intendedTimeNs > 0) hops.endToEnd?.record(nowNs - intendedTimeNs);
  }

  /** Begins another second: to be called once in each. */
  turn(): void {
    for (const hop of HOPS) this.#hops[hop]?.turn();
  }

  /** Returns what was measured. */
  summary(): Record<Hop, { recent: LatencySummary; total: LatencySummary }> {
    const nothing = summaryOf(new LatencyHistogram());
    const summaries = HOPS.map((hop) => [
      hop,
      this.#hops[hop]?.summary() ?? { recent: nothing, total: nothing },
    ]);
    return Object.fromEntries(summaries);
  }
}

/** Sums a histogram up. */
export function summaryOf(histogram: LatencyHistogram): LatencySummary {
  const { count, maxNs } = histogram;
  const [p50Ns, p90Ns, p99Ns, p999Ns] = [50, 90, 99, 99.9].map((p) => histogram.percentile(p));
  return { count, p50Ns: p50Ns!, p90Ns: p90Ns!, p99Ns: p99Ns!, p999Ns: p999Ns!, maxNs };
}

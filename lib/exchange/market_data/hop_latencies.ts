/**
 * How long requests take from hop to hop, as the events that they cause tell.
 *
 * @module
 */

import type { Timer } from "../../observability/counters.ts";
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";

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

/** A histogram of 1 % precision: finer ones take four times the memory each. */
function makeHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: LATENCY_MAX_NS, figures: 2 });
}

/** A histogram of all times, and one for each of the last seconds. */
class HopLatency {
  readonly total = makeHistogram();
  readonly seconds: RecordableHistogram[] = Array.from(
    { length: WINDOW_SECONDS },
    makeHistogram,
  );
  readonly #timer: Timer | undefined;
  #second = 0;

  constructor(timer: Timer | undefined) {
    this.#timer = timer;
  }

  record(ns: number): void {
    // Event times are apart by the resolution of two clock readings: 0 happens.
    const value = Math.max(1, Math.round(ns));
    if (!(value <= LATENCY_MAX_NS)) return;
    this.total.record(value);
    this.seconds[this.#second]!.record(value);
    this.#timer?.record(value);
  }

  turn(): void {
    this.#second = (this.#second + 1) % WINDOW_SECONDS;
    this.seconds[this.#second]!.reset();
  }
}

/**
 * Latencies of each hop, in total and of the last ten seconds.
 *
 * Thread: its isolate's only. Cost of recording: half a microsecond, and 0.3 more with timers.
 */
export class HopLatencies {
  readonly #hops: Record<Hop, HopLatency>;
  #sinceNs = 1;

  /** @param timers Where others see them, too. */
  constructor(timers: Partial<Record<Hop, Timer>> = {}) {
    this.#hops = {
      gatewayToEngine: new HopLatency(timers.gatewayToEngine),
      engineToMarketData: new HopLatency(timers.engineToMarketData),
      endToEnd: new HopLatency(timers.endToEnd),
    };
  }

  /** Leaves out what the engine has done before: nobody was there to take it. */
  begin(nowNs: number): void {
    this.#sinceNs = nowNs;
  }

  /** Records an event that was received at `nowNs`. A time that is not told is left out. */
  record({ intendedTimeNs, gatewayTimeNs, engineTimeNs }: HopTimes, nowNs: number): void {
    if (engineTimeNs < this.#sinceNs) return;
    const hops = this.#hops;
    hops.engineToMarketData.record(nowNs - engineTimeNs);
    if (gatewayTimeNs > 0) hops.gatewayToEngine.record(engineTimeNs - gatewayTimeNs);
    if (intendedTimeNs > 0) hops.endToEnd.record(nowNs - intendedTimeNs);
  }

  /** Begins another second: to be called once in each. */
  turn(): void {
    for (const hop of HOPS) this.#hops[hop].turn();
  }

  /** Returns what was measured. */
  summary(): Record<Hop, { recent: LatencySummary; total: LatencySummary }> {
    const summaries = HOPS.map((hop) => {
      const { total, seconds } = this.#hops[hop];
      const recent = makeHistogram();
      for (const second of seconds) recent.add(second);
      return [hop, { recent: summaryOf(recent), total: summaryOf(total) }];
    });
    return Object.fromEntries(summaries);
  }
}

function summaryOf(histogram: RecordableHistogram): LatencySummary {
  const { count } = histogram;
  const at = (percent: number) => count === 0 ? 0 : histogram.percentile(percent);
  return {
    count,
    p50Ns: at(50),
    p90Ns: at(90),
    p99Ns: at(99),
    p999Ns: at(99.9),
    maxNs: count === 0 ? 0 : histogram.max,
  };
}

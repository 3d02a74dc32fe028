/**
 * Histograms that were counted natively, read: how many values, how large, how they spread.
 *
 * @module
 */

import * as layout from "../native/_layout.ts";
import type { HistogramCounts } from "../native/histogram.ts";

const OCTAVE_BITS = layout.HISTOGRAM_OCTAVE_BITS;
const OCTAVE_BUCKETS = 2 ** OCTAVE_BITS;
/** Largest value that is told apart from larger ones, in ns. */
const VALUE_MAX_NS = 2 ** layout.HISTOGRAM_VALUE_BITS - 1;
const BUCKETS = OCTAVE_BUCKETS * (layout.HISTOGRAM_VALUE_BITS - OCTAVE_BITS + 1);

/** Returns the smallest value of a bucket. */
function lowestOf(bucket: number): number {
  const shift = Math.max(0, Math.floor(bucket / OCTAVE_BUCKETS) - 1);
  return (bucket - shift * OCTAVE_BUCKETS) * 2 ** shift;
}

/** Returns the largest value of a bucket. */
function highestOf(bucket: number): number {
  return bucket + 1 === BUCKETS ? VALUE_MAX_NS : lowestOf(bucket + 1) - 1;
}

/**
 * Values of one writer, mostly nanoseconds, spread over buckets that are at most 1/32 (3.2 %) of
 * their lowest value wide.
 *
 * An image of one moment: it does not change when its writer goes on. While that runs, the sum may
 * be ahead of the counts by the value in flight. Where the values are no times, as the bytes of a
 * log's groups, the `Ns` in the names stands for their unit.
 *
 * @example How long messages were on their way
 * ```ts
 * import { createChannel, openConsumer, openProducer, removeChannel } from "message_transport";
 * import { LatencyHistogram } from "message_transport/observability";
 * import { assertEquals } from "@std/assert";
 *
 * {
 *   using channel = createChannel("doc.latency", { sizeBytes: "64KB", timestamps: true });
 *   const consumer = openConsumer(channel);
 *   openProducer(channel).write(new Uint8Array(10));
 *   consumer.poll(() => {});
 *   const latency = new LatencyHistogram(channel.histogram("latency", 0));
 *   assertEquals(latency.count, 1);
 *   assertEquals(latency.percentile(99), latency.maxNs);
 * }
 * removeChannel("doc.latency");
 * ```
 */
export class LatencyHistogram {
  /** Values. */
  readonly count: number;
  /** Their sum. Values above 2^36 - 1 ns (68.7 s) count as that. */
  readonly sumNs: number;
  /** The least; 0 without any. Of a difference: the least that its bucket can have. */
  readonly minNs: number;
  /** The largest; 0 without any. Of a difference: the largest that its bucket can have. */
  readonly maxNs: number;
  readonly #counts: Float64Array;

  /** @param read What {@linkcode Channel.histogram} has returned, or nothing for an empty one. */
  constructor(read?: HistogramCounts) {
    const { sum = 0, min = 0, max = 0, counts = new Float64Array(BUCKETS) } = read ?? {};
    if (counts.length !== BUCKETS) {
      throw new RangeError(`Cannot read a histogram: expected ${BUCKETS}, found ${counts.length}`);
    }
    this.#counts = counts;
    this.count = counts.reduce((total, count) => total + count, 0);
    this.sumNs = this.count === 0 ? 0 : sum;
    this.minNs = this.count === 0 ? 0 : min;
    this.maxNs = this.count === 0 ? 0 : Math.min(max, VALUE_MAX_NS);
  }

  /** The mean; 0 without any value. */
  get meanNs(): number {
    return this.count === 0 ? 0 : this.sumNs / this.count;
  }

  /**
   * Returns the value at or below which `p` percent of the values lie: never below the true one,
   * and at most 1/32 above; 0 without any.
   *
   * @param p 0 to 100.
   * @throws {RangeError} If it is none of these.
   */
  percentile(p: number): number {
    if (!(p >= 0 && p <= 100)) {
      throw new RangeError(`Cannot take percentile ${p}: expected 0 to 100`);
    }
    if (this.count === 0) return 0;
    const rank = Math.max(1, Math.ceil(p * this.count / 100));
    let below = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      below += this.#counts[bucket]!;
      if (below < rank) continue;
      // The bucket may be newer than the largest value, which must not push below it.
      return Math.max(lowestOf(bucket), Math.min(this.maxNs, highestOf(bucket)));
    }
    return this.maxNs; // Where rounding has made the rank larger than all of them.
  }

  /**
   * Returns how many values are at or below each bound, as Prometheus has its buckets. A bound
   * within a bucket counts as the value before that bucket, which is at most 1/32 less.
   *
   * @param boundsNs In rising order.
   */
  cumulative(boundsNs: readonly number[]): number[] {
    const found: number[] = [];
    let bucket = 0;
    let below = 0;
    for (const bound of boundsNs) {
      while (bucket < BUCKETS && highestOf(bucket) <= bound) below += this.#counts[bucket++]!;
      found.push(bound >= VALUE_MAX_NS ? this.count : below);
    }
    return found;
  }

  /**
   * Returns the values since an earlier image of the same histogram. Where it was begun anew
   * meanwhile, that is all of them.
   */
  since(earlier: LatencyHistogram): LatencyHistogram {
    if (earlier.count > this.count) return this;
    const counts = this.#counts.map((count, i) => Math.max(0, count - earlier.#counts[i]!));
    const first = counts.findIndex((count) => count > 0);
    const last = counts.findLastIndex((count) => count > 0);
    return new LatencyHistogram({
      sum: Math.max(0, this.sumNs - earlier.sumNs),
      min: first === -1 ? 0 : Math.max(this.minNs, lowestOf(first)),
      max: last === -1 ? 0 : Math.max(lowestOf(last), Math.min(this.maxNs, highestOf(last))),
      counts,
    });
  }

  /** What JSON has of it: not its thousand buckets. */
  toJSON(): Record<string, number> {
    const { count, sumNs, minNs, maxNs, meanNs } = this;
    const [p50Ns, p90Ns, p99Ns, p999Ns] = [50, 90, 99, 99.9].map((p) => this.percentile(p));
    return {
      count,
      sumNs,
      minNs,
      maxNs,
      meanNs,
      p50Ns: p50Ns!,
      p90Ns: p90Ns!,
      p99Ns: p99Ns!,
      p999Ns: p999Ns!,
    };
  }
}

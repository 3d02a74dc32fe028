/**
 * Histograms, as any process reads them: those of channels, and those of services.
 *
 * @module
 */

import * as layout from "./_layout.ts";
import { native } from "./library.ts";

/** What a channel has histograms of. */
export type HistogramKind = "latency" | "groupBytes" | "syncTime";

/**
 * A histogram as it lies in memory: how many values each bucket has had.
 *
 * Buckets are log-linear: one for each value below 64, then 32 for each octave, up to 2^36.
 */
export interface HistogramCounts {
  /** Sum of all values. */
  sum: number;
  /** The least of them; 0 without any. */
  min: number;
  /** The largest of them; 0 without any. */
  max: number;
  /** Values in each bucket. */
  counts: Float64Array<ArrayBuffer>;
}

/** Words of a `HistogramReport`, which is all `f64`. */
export const REPORT_WORDS: number = layout.HISTOGRAM_REPORT_SIZE / 8;

const KINDS: Record<HistogramKind, number> = {
  latency: layout.HISTOGRAM_KIND_LATENCY,
  groupBytes: layout.HISTOGRAM_KIND_GROUP_BYTES,
  syncTime: layout.HISTOGRAM_KIND_SYNC_TIME,
};

/** Reads a histogram of an open channel; `index` is the slot of a consumer, for its latency. */
export function readHistogram(handle: number, kind: HistogramKind, index: number): HistogramCounts {
  const report = new Float64Array(REPORT_WORDS);
  const status = native().mt_channel_histogram(handle, KINDS[kind], index, report);
  if (status === layout.INVALID_ARGUMENT) {
    throw new RangeError(`Cannot read the latency of consumer slot ${index}: found no such slot`);
  }
  return toCounts(report);
}

/** Reads a histogram of open counters; undefined once they are closed. */
export function readCounterHistogram(handle: number, index: number): HistogramCounts | undefined {
  const report = new Float64Array(REPORT_WORDS);
  const status = native().mt_counter_histogram(handle, index, report);
  return status < 0 ? undefined : toCounts(report);
}

/** Returns what a `HistogramReport` says. Keeps its words. */
export function toCounts(report: Float64Array<ArrayBuffer>): HistogramCounts {
  const word = (offset: number) => report[offset / 8]!;
  return {
    sum: word(layout.HISTOGRAM_REPORT_SUM_OFFSET),
    min: word(layout.HISTOGRAM_REPORT_MIN_OFFSET),
    max: word(layout.HISTOGRAM_REPORT_MAX_OFFSET),
    counts: report.subarray(layout.HISTOGRAM_REPORT_COUNTS_OFFSET / 8),
  };
}

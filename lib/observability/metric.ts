/**
 * What a metric is, apart from what it is a metric of.
 *
 * @module
 */

import type { LatencyHistogram } from "./latency_histogram.ts";

/** What a metric is. */
export interface MetricDefinition {
  /** As Prometheus shows it: `mt_`, base unit, `_total` for counters. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  /** What it means, and what to do about it. */
  readonly help: string;
}

/** A metric with one value for each subject and set of labels. */
export interface ValueMetric<S> extends MetricDefinition {
  readonly type: "counter" | "gauge";
  readonly read: (subject: S) => number;
}

/** A metric that is 1 for the state that is, and 0 for all others. */
export interface StateMetric<S> extends MetricDefinition {
  readonly type: "gauge";
  readonly states: readonly string[];
  readonly read: (subject: S, state: string) => number;
}

/** A metric that is a distribution. */
export interface HistogramMetric<S> extends MetricDefinition {
  readonly type: "histogram";
  /** Upper bounds in the unit of the metric. They never change, or old queries would mislead. */
  readonly bounds: readonly number[];
  /** What of the unit is one of the histogram's: a second has 1e9 of its nanoseconds. */
  readonly parts: number;
  readonly read: (subject: S) => LatencyHistogram;
}

type Kind = "counter" | "gauge";

/** Makes what defines metrics with these labels. */
export function metricsOf<S>(labels: readonly string[]) {
  return (name: string, type: Kind, help: string, read: (subject: S) => number): ValueMetric<S> => {
    return { name: `mt_${name}`, type, labels, help, read };
  };
}

/** Defines a metric of one value; its name tells whether it is a counter. */
export function single(name: string, labels: readonly string[], help: string): MetricDefinition {
  return { name, type: name.endsWith("_total") ? "counter" : "gauge", labels, help };
}

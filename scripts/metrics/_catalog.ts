/**
 * Every metric there is: those of channels, and those that services define.
 *
 * @module
 */

import type { CounterDefinitions } from "../../lib/observability/mod.ts";
import { serviceMetric } from "../../lib/observability/service_metrics.ts";
import { type MetricDefinition, METRICS } from "../../lib/observability/prometheus.ts";
import { ScriptError } from "../_command.ts";
import { PROCESS_COUNTERS } from "../services/_service_counters.ts";
import { SERVICES } from "../services/mod.ts";

/** What a service and its process count. */
function metricsOf({ counters }: { counters: CounterDefinitions }): MetricDefinition[] {
  return Object.values(counters).map((definition) => serviceMetric(definition)!);
}

/** All of them, in the order of the document. What several services count is there once. */
export const CATALOG: readonly MetricDefinition[] = [
  ...new Map(
    [...METRICS, ...[{ counters: PROCESS_COUNTERS }, ...SERVICES].flatMap(metricsOf)].map(
      (metric) => [metric.name, metric],
    ),
  ).values(),
];

const BY_NAME = new Map(CATALOG.map((metric) => [metric.name, metric]));

/** Returns the names of metrics in a query, without the endings of a histogram's parts. */
export function metricsIn(expr: string): string[] {
  const names = [...expr.matchAll(/\b(?:mt|process)_[a-z0-9_]+/g)].map(([name]) => name);
  return [...new Set(names.map((name) => BY_NAME.has(name) ? name : histogramOf(name)))];
}

function histogramOf(part: string): string {
  const name = part.replace(/_(?:bucket|sum|count)$/, "");
  return BY_NAME.get(name)?.type === "histogram" ? name : part;
}

/**
 * Returns what a metric means.
 *
 * @throws {ScriptError} If there is none of that name.
 */
export function helpOf(name: string): string {
  const metric = BY_NAME.get(name);
  if (metric !== undefined) return metric.help;
  throw new ScriptError(`Cannot show "${name}": found no metric of that name`);
}

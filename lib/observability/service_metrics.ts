/**
 * The metrics of services: those that are told of each, those that each defines itself, and those
 * of the one that looks.
 *
 * @module
 */

import { shownText } from "../native/failure.ts";
import type { CounterDefinition } from "./counters.ts";
import { type MetricDefinition, single } from "./metric.ts";

/** Whether a service runs. */
export const SERVICE_UP: MetricDefinition = single(
  "mt_service_up",
  ["service"],
  "1 if the process that counts lives; 0 if it was stopped or died, or its file cannot be read. " +
    "Start it, or if it is done with for good, remove its .counters file.",
);

/** Whether a service was ended by somebody. */
export const SERVICE_STOPPED: MetricDefinition = single(
  "mt_service_stopped",
  ["service"],
  "1 if the process that counted has ended in good order, as at SIGTERM; 0 while it lives, and " +
    "if it died. With mt_service_up 0, this tells a stop from a crash.",
);

/** When a service was started. */
export const SERVICE_STARTED: MetricDefinition = single(
  "mt_service_started_timestamp_seconds",
  ["service"],
  "When the process that counts, or was the last to count, was started, since 1970. If it often " +
    "changes, the service dies: see its output.",
);

/** Bounds of every service's histograms: from a step of a program to what a person gives up on. */
export const SERVICE_SECONDS: readonly number[] = [
  ...[1e-6, 1e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3],
  ...[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
];

/** Names as Prometheus takes them. */
const NAME = /^[a-z][a-z0-9_]*$/;

/** Returns what a value of a service is a metric of; undefined if it has no possible name. */
export function serviceMetric(
  { name, kind, help }: CounterDefinition,
): MetricDefinition | undefined {
  if (!NAME.test(name)) return undefined;
  return { name: `mt_${name}`, type: kind, labels: ["service"], help: shownText(help) };
}

/** Of the one that looks. */
export const EXPORTER_METRICS = {
  lookSeconds: single(
    "mt_exporter_look_seconds",
    [],
    "Time that this look at all channels took. If it nears the scrape timeout, remove what is " +
      "not used: mt clean.",
  ),
  series: single("mt_exporter_series", [], "Series that are shown now."),
  seriesLeftOut: single(
    "mt_exporter_series_left_out_total",
    [],
    "Series not shown as there were too many, summed over all looks. If it rises: use fewer " +
      "names, or raise the limit.",
  ),
  cpu: single(
    "process_cpu_seconds_total",
    [],
    "Time on a processor of the process that answers, in user and system mode.",
  ),
  memory: single("process_resident_memory_bytes", [], "Memory of the process that answers."),
  heap: single("process_heap_bytes", [], "Heap in use of the process that answers."),
  start: single(
    "process_start_time_seconds",
    [],
    "When the process that answers was started, since 1970.",
  ),
};

/**
 * All metrics but those that services define: see `counters.ts`.
 *
 * @module
 */

import {
  CHANNEL_METRICS,
  CHANNEL_UP,
  DISK_METRICS,
  LOG_HISTOGRAMS,
  LOG_METRICS,
  LOG_STATE,
} from "./channel_metrics.ts";
import { type MetricDefinition, single } from "./metric.ts";
import {
  CONSUMER_COUNTERS,
  CONSUMER_METRICS,
  CONSUMER_STATES,
  HANDOFF,
  PRODUCER_COUNTERS,
  PRODUCER_STATES,
} from "./peer_metrics.ts";
import { SERVICE_STARTED, SERVICE_STOPPED, SERVICE_UP } from "./service_metrics.ts";

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

/** Every metric that no service defines. */
export const METRICS: readonly MetricDefinition[] = [
  ...[
    CHANNEL_UP,
    ...CHANNEL_METRICS,
    LOG_STATE,
    ...LOG_METRICS,
    ...LOG_HISTOGRAMS,
    ...DISK_METRICS,
  ],
  ...[PRODUCER_STATES, ...PRODUCER_COUNTERS],
  ...[CONSUMER_STATES, ...CONSUMER_METRICS, HANDOFF, ...CONSUMER_COUNTERS],
  ...[SERVICE_UP, SERVICE_STOPPED, SERVICE_STARTED],
  ...Object.values(EXPORTER_METRICS),
];

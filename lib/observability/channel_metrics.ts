/**
 * The metrics of channels and their logs: what each is called, what it means, what to do about it,
 * and where it is read.
 *
 * @module
 */

import type { DiskSpace } from "./disk_space.ts";
import {
  type HistogramMetric,
  type MetricDefinition,
  metricsOf,
  single,
  type StateMetric,
  type ValueMetric,
} from "./metric.ts";
import type { WatchedChannel, WatchedLog } from "./watch.ts";

/** A channel, and its log as it was seen. */
export interface LogOf {
  channel: WatchedChannel;
  log: WatchedLog;
}

/** Whether a channel could be opened. */
export const CHANNEL_UP: MetricDefinition = single(
  "mt_channel_up",
  ["channel"],
  "1 if the ring file could be opened; 0 if it is damaged, of another version, or not this " +
    "user's: mt inspect tells.",
);

const channel = metricsOf<WatchedChannel>(["channel"]);

/** Of a channel's ring. */
export const CHANNEL_METRICS: readonly ValueMetric<WatchedChannel>[] = [
  channel(
    "channel_created_timestamp_seconds",
    "gauge",
    "When the ring was made, since 1970. If it changes, the ring was removed and made anew.",
    ({ createdMs }) => createdMs / 1000,
  ),
  channel("channel_size_bytes", "gauge", "Bytes of the ring.", ({ sizeBytes }) => sizeBytes),
  channel(
    "channel_occupancy_bytes",
    "gauge",
    "Bytes of the ring in use up to the slowest consumer that holds it. Near " +
      "mt_channel_size_bytes producers wait: speed up the consumer with mt_consumer_gating 1.",
    ({ occupancyBytes }) => occupancyBytes,
  ),
  channel(
    "channel_messages_total",
    "counter",
    "Messages published since the ring was made.",
    ({ messages }) => messages,
  ),
  channel(
    "channel_bytes_total",
    "counter",
    "Bytes of the ring claimed since it was made, with heads of records and padding.",
    ({ claimedBytes }) => claimedBytes,
  ),
];

const log = metricsOf<LogOf>(["channel"]);

/** Of a channel's log. */
export const LOG_METRICS: readonly ValueMetric<LogOf>[] = [
  log(
    "wal_lag_messages",
    "gauge",
    "Messages published and not yet durable. If it grows, the disk is too slow: see " +
      "mt_wal_sync_seconds; or nobody writes: see mt_wal_state.",
    ({ channel, log }) => Math.max(0, channel.messages - log.durable),
  ),
  log(
    "wal_durable_sequence",
    "gauge",
    "Last sequence on the disk. If it stands while messages come, see mt_wal_state.",
    ({ log }) => log.durable,
  ),
  log(
    "wal_oldest_sequence",
    "gauge",
    "First sequence that the log still has. If it never rises, find who keeps the log: " +
      "mt inspect its control file.",
    ({ log }) => log.oldest,
  ),
  log(
    "wal_opens_total",
    "counter",
    "Times that the log was opened to write. Each is a start or a takeover: many are crashes.",
    ({ log }) => log.epoch,
  ),
  log(
    "wal_groups_total",
    "counter",
    "Groups of records written. Messages by groups is how many share one write.",
    ({ log }) => log.groups,
  ),
  log(
    "wal_full_total",
    "counter",
    "Times that the log had no room, and producers were refused. See the runbook Disk full.",
    ({ log }) => log.fullTimes,
  ),
  log(
    "wal_wakeups_sent_total",
    "counter",
    "Sleepers that were woken as their messages were durable.",
    ({ log }) => log.wakeups,
  ),
  log(
    "wal_wakeups_skipped_total",
    "counter",
    "Times that nobody slept for the disk, which saved a system call.",
    ({ log }) => log.wakeupsSkipped,
  ),
  log("wal_segments", "gauge", "Segment files of the log.", ({ log }) => log.segments),
  log(
    "wal_size_bytes",
    "gauge",
    "Bytes of all segments. If it only grows, a consumer that is gone may hold it: mt status, " +
      "mt remove-consumer.",
    ({ log }) => log.logBytes,
  ),
  log(
    "wal_forced_cuts_total",
    "counter",
    "Times that segments were cut which a consumer still needed, because of the cap. It has lost " +
      "them: raise the cap, or speed it up.",
    ({ log }) => log.forcedCuts,
  ),
  log(
    "wal_errno",
    "gauge",
    "Error of the operating system that closed the log for good; 0 without one. See the " +
      "runbook A disk that fails.",
    ({ log }) => log.errno,
  ),
  log(
    "wal_damaged",
    "gauge",
    "1 if the log was found damaged, and closed for good. See the runbook Corruption.",
    ({ log }) => Number(log.fault !== undefined),
  ),
];

/** From 10 us, a disk with its own battery, to 10 s, one that is about to fail. */
const SYNC_SECONDS = [
  ...[1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3],
  ...[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
];

/** From one small record to more than a ring has, mostly. */
const GROUP_BYTES = Array.from({ length: 11 }, (_, i) => 64 * 4 ** i);

/** How a log writes. */
export const LOG_HISTOGRAMS: readonly HistogramMetric<WatchedLog>[] = [
  {
    name: "mt_wal_sync_seconds",
    type: "histogram",
    labels: ["channel"],
    help: "Time that each sync of the log took: what durable costs. If it is high, see what else " +
      "writes to that disk.",
    bounds: SYNC_SECONDS,
    parts: 1e9,
    read: ({ syncTime }) => syncTime,
  },
  {
    name: "mt_wal_group_bytes",
    type: "histogram",
    labels: ["channel"],
    help: "Bytes of records that were made durable together. They grow with load, and with slow " +
      "syncs.",
    bounds: GROUP_BYTES,
    parts: 1,
    read: ({ groupBytes }) => groupBytes,
  },
];

const disk = metricsOf<DiskSpace>(["channel"]);

/** Of the file system that a channel's log lies on. */
export const DISK_METRICS: readonly ValueMetric<DiskSpace>[] = [
  disk(
    "wal_disk_free_bytes",
    "gauge",
    "Bytes that may still be written where the log lies. At 0 producers are refused: see the " +
      "runbook Disk full.",
    ({ freeBytes }) => freeBytes,
  ),
  disk(
    "wal_disk_size_bytes",
    "gauge",
    "Bytes of the file system where the log lies.",
    ({ sizeBytes }) => sizeBytes,
  ),
];

/** How a log stands. */
export const LOG_STATE: StateMetric<LogOf> = {
  name: "mt_wal_state",
  type: "gauge",
  labels: ["channel", "state"],
  states: ["absent", "running", "full", "failed"],
  help: "1 for how the log stands, 0 for what it does not. absent: nobody writes it, start who " +
    "does; full: make room; failed: see the runbook A disk that fails.",
  read: ({ log }, asked) => Number(log.state === asked),
};

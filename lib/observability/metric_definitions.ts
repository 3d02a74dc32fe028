/**
 * The metrics of channels, logs, producers and consumers: what each is called, what it means, what
 * to do about it, and where it is read. Those of services define themselves, see `counters.ts`.
 *
 * @module
 */

import type { DiskSpace } from "./disk_space.ts";
import type { WatchedChannel, WatchedPeer } from "./watch.ts";

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

/** A channel's log, as it was seen. */
export type WatchedLog = NonNullable<WatchedChannel["log"]> & { messages: number };

/** The peers of one role and name of a channel. All without a name are one. */
export interface PeerGroup {
  channel: WatchedChannel;
  peers: readonly WatchedPeer[];
}

type Kind = "counter" | "gauge";

/** Makes what defines metrics with these labels. */
function metricsOf<S>(labels: readonly string[]) {
  return (name: string, type: Kind, help: string, read: (subject: S) => number): ValueMetric<S> => {
    return { name: `mt_${name}`, type, labels, help, read };
  };
}

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

const log = metricsOf<WatchedLog>(["channel"]);

/** Of a channel's log. */
export const LOG_METRICS: readonly ValueMetric<WatchedLog>[] = [
  log(
    "wal_lag_messages",
    "gauge",
    "Messages published and not yet durable. If it grows, the disk is too slow: see " +
      "mt_wal_sync_seconds; or nobody writes: see mt_wal_state.",
    ({ messages, durable }) => Math.max(0, messages - durable),
  ),
  log(
    "wal_durable_sequence",
    "gauge",
    "Last sequence on the disk. If it stands while messages come, see mt_wal_state.",
    ({ durable }) => durable,
  ),
  log(
    "wal_oldest_sequence",
    "gauge",
    "First sequence that the log still has. If it never rises, find who keeps the log: " +
      "mt inspect its control file.",
    ({ oldest }) => oldest,
  ),
  log(
    "wal_opens_total",
    "counter",
    "Times that the log was opened to write. Each is a start or a takeover: many are crashes.",
    ({ epoch }) => epoch,
  ),
  log(
    "wal_groups_total",
    "counter",
    "Groups of records written. Messages by groups is how many share one write.",
    ({ groups }) => groups,
  ),
  log("wal_segments", "gauge", "Segment files of the log.", ({ segments }) => segments),
  log(
    "wal_size_bytes",
    "gauge",
    "Bytes of all segments. If it only grows, a consumer that is gone may hold it: mt status, " +
      "mt remove-consumer.",
    ({ logBytes }) => logBytes,
  ),
  log(
    "wal_forced_cuts_total",
    "counter",
    "Times that segments were cut which a consumer still needed, because of the cap. It has lost " +
      "them: raise the cap, or speed it up.",
    ({ forcedCuts }) => forcedCuts,
  ),
  log(
    "wal_errno",
    "gauge",
    "Error of the operating system that closed the log for good; 0 without one. See the " +
      "runbook A disk that fails.",
    ({ errno }) => errno,
  ),
  log(
    "wal_damaged",
    "gauge",
    "1 if the log was found damaged, and closed for good. See the runbook Corruption.",
    ({ fault }) => Number(fault !== undefined),
  ),
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
export const LOG_STATE: StateMetric<WatchedLog> = {
  name: "mt_wal_state",
  type: "gauge",
  labels: ["channel", "state"],
  states: ["absent", "running", "full", "failed"],
  help: "1 for how the log stands, 0 for what it does not. absent: nobody writes it, start who " +
    "does; full: make room; failed: see the runbook A disk that fails.",
  read: ({ state }, asked) => Number(state === asked),
};

/** A counter of peers. It is summed over those of one name, also those that were there before. */
export interface PeerCounter extends MetricDefinition {
  readonly type: "counter";
  readonly read: (peer: WatchedPeer) => number;
}

function countersOf(role: "producer" | "consumer") {
  return (name: string, help: string, read: (peer: WatchedPeer) => number): PeerCounter => {
    const labels = ["channel", role];
    return { name: `mt_${role}_${name}_total`, type: "counter", labels, help, read };
  };
}

const producerCounter = countersOf("producer");
const consumerCounter = countersOf("consumer");

const LATE =
  "Waits that ended by time although something was there. Any is a defect of this library: " +
  "report it.";

/** Of the producers of one name. */
export const PRODUCER_COUNTERS: readonly PeerCounter[] = [
  producerCounter("messages", "Messages published.", ({ messages }) => messages),
  producerCounter("bytes", "Bytes of their payloads.", ({ bytes }) => bytes),
  producerCounter(
    "back_pressured",
    "Times that it found no room. If it rises, a consumer is too slow: see mt_consumer_gating.",
    ({ backPressured }) => backPressured,
  ),
  producerCounter(
    "aborted",
    "Claims given back without a message: an error between claim and publish, mostly.",
    ({ aborted }) => aborted,
  ),
  producerCounter(
    "repaired",
    "Dead consumers and claims that it has cleared away. Each was a crash: see who died.",
    ({ repaired }) => repaired,
  ),
  producerCounter("wakeups_sent", "Sleepers that it has woken.", ({ wakeups }) => wakeups),
  producerCounter("late_wakeups", LATE, ({ lateWakeups }) => lateWakeups),
];

/** Of the consumers of one name. */
export const CONSUMER_COUNTERS: readonly PeerCounter[] = [
  consumerCounter("messages", "Messages acknowledged.", ({ messages }) => messages),
  consumerCounter("bytes", "Bytes of their payloads.", ({ bytes }) => bytes),
  consumerCounter(
    "laps",
    "Times that it was overrun by producers. If it rises, speed it up, or make the ring larger.",
    ({ laps }) => laps,
  ),
  consumerCounter(
    "lost",
    "Messages that it never got, because it was overrun. If that may not be: onSlow block or " +
      "spill.",
    ({ lost }) => lost,
  ),
  consumerCounter(
    "damaged",
    "Records whose checksum was wrong. Any means broken memory, or a process that writes where " +
      "it must not: look at once.",
    ({ damaged }) => damaged,
  ),
  consumerCounter(
    "skipped",
    "Claims without a message that it has passed: given back, or of producers that died.",
    ({ aborted }) => aborted,
  ),
  consumerCounter(
    "repaired",
    "Claims of dead producers that it has cleared away. Each was a crash: see who died.",
    ({ repaired }) => repaired,
  ),
  consumerCounter("wakeups_sent", "Sleepers that it has woken.", ({ wakeups }) => wakeups),
  consumerCounter("late_wakeups", LATE, ({ lateWakeups }) => lateWakeups),
];

const consumer = metricsOf<PeerGroup>(["channel", "consumer"]);

/** Largest value among peers. */
function largest(peers: readonly WatchedPeer[], of: (peer: WatchedPeer) => number): number {
  return peers.reduce((most, peer) => Math.max(most, of(peer)), 0);
}

/** Of the consumers of one name: the worst of them. */
export const CONSUMER_METRICS: readonly ValueMetric<PeerGroup>[] = [
  consumer(
    "consumer_lag_messages",
    "gauge",
    "Messages that it is behind. If it grows, it is too slow for what comes.",
    ({ peers }) => largest(peers, ({ lagMessages }) => lagMessages),
  ),
  consumer(
    "consumer_lag_bytes",
    "gauge",
    "Bytes that it is behind. Near mt_channel_size_bytes producers wait for it, or overrun it.",
    ({ peers }) => largest(peers, ({ lagBytes }) => lagBytes),
  ),
  consumer(
    "consumer_stalled_seconds",
    "gauge",
    "For how long it has been seen behind and not moving; 0 if it moves. If it rises: what does " +
      "it wait for? Restart it.",
    ({ peers }) => largest(peers, ({ stalledMs }) => stalledMs) / 1000,
  ),
  consumer(
    "consumer_gating",
    "gauge",
    "1 if producers wait for it, or will. It is the one to speed up where a ring is full.",
    ({ channel: { gatedBy }, peers }) =>
      Number(peers.some(({ index }) => index === gatedBy?.index)),
  ),
];

function statesOf(role: "producer" | "consumer", help: string): StateMetric<PeerGroup> {
  return {
    name: `mt_${role}s`,
    type: "gauge",
    labels: ["channel", role, "state"],
    states: ["alive", "dead", "detached"],
    help,
    read: ({ peers }, state) => peers.filter((peer) => peer.state === state).length,
  };
}

/** How the producers of one name stand. */
export const PRODUCER_STATES: StateMetric<PeerGroup> = statesOf(
  "producer",
  "Producers by their state. dead: its process is gone without a goodbye. detached: it has left.",
);

/** How the consumers of one name stand. */
export const CONSUMER_STATES: StateMetric<PeerGroup> = statesOf(
  "consumer",
  "Consumers by their state. dead: its process is gone and it may hold producers, restart it. " +
    "detached: it has left, and may hold the log; if for good, mt remove-consumer.",
);

function own(name: string, labels: readonly string[], help: string): MetricDefinition {
  return { name, type: name.endsWith("_total") ? "counter" : "gauge", labels, help };
}

/** Whether a channel could be opened. */
export const CHANNEL_UP: MetricDefinition = own(
  "mt_channel_up",
  ["channel"],
  "1 if the ring file could be opened; 0 if it is damaged, of another version, or not this " +
    "user's: mt inspect tells.",
);

/** Of the one that looks. */
export const EXPORTER_METRICS = {
  lookSeconds: own(
    "mt_exporter_look_seconds",
    [],
    "Time that this look at all channels took. If it nears the scrape timeout, remove what is " +
      "not used: mt clean.",
  ),
  series: own("mt_exporter_series", [], "Series that are shown now."),
  seriesLeftOut: own(
    "mt_exporter_series_left_out_total",
    [],
    "Series not shown as there were too many, summed over all looks. If it rises: use fewer " +
      "names, or raise the limit.",
  ),
  cpu: own(
    "process_cpu_seconds_total",
    [],
    "Time on a processor of the process that answers, in user and system mode.",
  ),
  memory: own("process_resident_memory_bytes", [], "Memory of the process that answers."),
  heap: own("process_heap_bytes", [], "Heap in use of the process that answers."),
  start: own(
    "process_start_time_seconds",
    [],
    "When the process that answers was started, since 1970.",
  ),
};

/** Every metric that does not define itself. */
export const METRICS: readonly MetricDefinition[] = [
  ...[CHANNEL_UP, ...CHANNEL_METRICS, LOG_STATE, ...LOG_METRICS, ...DISK_METRICS],
  ...[PRODUCER_STATES, ...PRODUCER_COUNTERS],
  ...[CONSUMER_STATES, ...CONSUMER_METRICS, ...CONSUMER_COUNTERS],
  ...Object.values(EXPORTER_METRICS),
];

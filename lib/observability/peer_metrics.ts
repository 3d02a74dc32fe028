/**
 * The metrics of producers and consumers, which are told apart by their names.
 *
 * @module
 */

import {
  type HistogramMetric,
  type MetricDefinition,
  metricsOf,
  type StateMetric,
  type ValueMetric,
} from "./metric.ts";
import type { WatchedChannel, WatchedConsumer, WatchedPeer } from "./watch.ts";

/** The peers of one role and name of a channel. All without a name are one. */
export interface PeerGroup<P extends WatchedPeer = WatchedPeer> {
  channel: WatchedChannel;
  peers: readonly P[];
}

/** From what a core needs to see another one's store to what nobody would wait for. */
const HANDOFF_SECONDS = [
  ...[1e-7, 2.5e-7, 5e-7, 1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4],
  ...[1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 10],
];

/** How long messages are on their way to a consumer. */
export const HANDOFF: HistogramMetric<WatchedConsumer> = {
  name: "mt_consumer_handoff_seconds",
  type: "histogram",
  labels: ["channel", "consumer"],
  help:
    "Time from publishing a message to the poll that delivered it; absent in a channel without " +
    "timestamps. If it is high, see its lag, and how it waits.",
  bounds: HANDOFF_SECONDS,
  parts: 1e9,
  read: ({ latency }) => latency,
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
  "report it, unless somebody was killed just then.";

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
    "log_refused",
    "Claims refused because the log was full or had failed. See mt_wal_state.",
    ({ logRefused }) => logRefused,
  ),
  producerCounter(
    "publishes",
    "Times that it made something visible. Messages by publishes is how large its batches are.",
    ({ publishes }) => publishes,
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
  producerCounter(
    "wakeups_skipped",
    "Times that nobody slept, which saved a system call.",
    ({ wakeupsSkipped }) => wakeupsSkipped,
  ),
  producerCounter("waits", "Times that it slept until there was room.", ({ waits }) => waits),
  producerCounter(
    "waits_timed_out",
    "Of these, those that ended by their time.",
    ({ waitsTimedOut }) => waitsTimedOut,
  ),
  producerCounter("late_wakeups", LATE, ({ lateWakeups }) => lateWakeups),
];

/** Of the consumers of one name. */
export const CONSUMER_COUNTERS: readonly PeerCounter[] = [
  consumerCounter("messages", "Messages acknowledged.", ({ messages }) => messages),
  consumerCounter("bytes", "Bytes of their payloads.", ({ bytes }) => bytes),
  consumerCounter(
    "acks",
    "Times that it has acknowledged. Messages by acks is how many it takes at once.",
    ({ acks }) => acks,
  ),
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
  consumerCounter(
    "wakeups_skipped",
    "Times that nobody slept, which saved a system call.",
    ({ wakeupsSkipped }) => wakeupsSkipped,
  ),
  consumerCounter("waits", "Times that it slept until a message came.", ({ waits }) => waits),
  consumerCounter(
    "waits_timed_out",
    "Of these, those that ended by their time.",
    ({ waitsTimedOut }) => waitsTimedOut,
  ),
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

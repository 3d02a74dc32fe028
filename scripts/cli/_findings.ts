/**
 * What is not well with channels, in words, and what to do about it.
 *
 * @module
 */

import { dirname } from "node:path";
import { defaultDirectory } from "../../lib/native/path.ts";
import {
  isReadable,
  peerName,
  type ServiceCounters,
  type UnreadableChannel,
  type WatchedChannel,
  type WatchedPeer,
} from "../../lib/observability/mod.ts";
import { formatBytes, formatCount, formatShare } from "../_table.ts";
import { readControl } from "../records/place.ts";

/** Something that is not well. */
export interface Finding {
  /** Name of the channel; null if it is about a service. */
  channel: string | null;
  /** Instance of the service; null if it is about a channel. */
  service: string | null;
  kind:
    | "unreadable"
    | "gated"
    | "stalled"
    | "dead"
    | "log-absent"
    | "log-full"
    | "log-failed"
    | "log-cut"
    | "forgotten";
  /** Name of the producer or consumer that it is about; null if it is about none. */
  peer: string | null;
  /** Its process; null without one. */
  pid: number | null;
  /** Since when, in milliseconds since 1970, as the channel's history has it; null if not known. */
  sinceMs: number | null;
  /** What was found. */
  found: string;
  /** What to do. */
  fix: string;
}

/** Share of a ring that is so full that producers wait, or will. */
const FULL_SHARE = 0.9;

/** The slot in which a log's writer holds producers back. */
const PERSISTER = "mt.persister";

/** Looks through what a look has seen. */
export function findingsOf(
  channels: readonly (WatchedChannel | UnreadableChannel)[],
): Finding[] {
  return channels.flatMap((channel) =>
    isReadable(channel)
      ? [...logFindings(channel), ...peerFindings(channel), ...forgotten(channel)]
      : [{
        ...about(channel, "unreadable"),
        found: channel.error,
        fix: `mt inspect ${channel.bufferFile} shows what it holds; ` +
          `mt remove ${channel.name}${placeFlag(channel.bufferFile)} removes it, if ` +
          "nobody needs it",
      }]
  );
}

function about(
  channel: WatchedChannel | UnreadableChannel,
  kind: Finding["kind"],
  peer?: Pick<WatchedPeer, "name" | "index" | "pid">,
) {
  return {
    ...{ channel: channel.name, service: null, kind, sinceMs: sinceMs(channel, kind, peer) },
    ...{ peer: peer && peerName(peer) || null, pid: peer?.pid || null },
  };
}

/** Looks through the services that a look has seen. One that was stopped is as it should be. */
export function serviceFindings(services: readonly ServiceCounters[]): Finding[] {
  return services.filter(({ state }) => state === "dead" || state === "unreadable").map(
    ({ instance, file, state, pid, error }) => ({
      ...{ channel: null, service: instance, peer: null, pid: pid || null, sinceMs: null },
      kind: state === "dead" ? "dead" : "unreadable",
      found: error ?? `process ${pid} has died, or ended by an error`,
      fix: "start it again; if it is done with for good, " +
        (state === "dead" ? `mt clean${placeFlag(file)} removes its counters` : `remove ${file}`),
    }),
  );
}

/** What a command needs to find a channel or a service by its file. */
function placeFlag(file: string): string {
  const directory = dirname(file);
  return directory === defaultDirectory() ? "" : ` --directory ${directory}`;
}

/** What a channel's history says when something has begun. */
const BEGINNINGS: Partial<Record<Finding["kind"], readonly string[]>> = {
  "dead": ["consumer-detached"],
  "forgotten": ["consumer-detached"],
  "log-full": ["log-full"],
  "log-failed": ["log-failed", "log-damaged"],
  "log-cut": ["segments-cut"],
};

function sinceMs(
  channel: WatchedChannel | UnreadableChannel,
  kind: Finding["kind"],
  peer?: Pick<WatchedPeer, "name" | "pid">,
): number | null {
  if (!isReadable(channel)) return null;
  const entry = channel.history.findLast((entry) =>
    BEGINNINGS[kind]?.includes(entry.kind) &&
    (peer === undefined || entry.name === peer.name && entry.pid === peer.pid)
  );
  // Shared memory has it, where anything may stand.
  return entry === undefined || Number.isNaN(new Date(entry.timeMs).getTime())
    ? null
    : entry.timeMs;
}

function peerFindings(channel: WatchedChannel): Finding[] {
  const { gatedBy, occupancyBytes, sizeBytes, producers, consumers } = channel;
  const findings: Finding[] = [];
  const share = occupancyBytes / sizeBytes;
  if (gatedBy !== null && gatedBy.name !== PERSISTER && share >= FULL_SHARE) {
    findings.push({
      ...about(channel, "gated", gatedBy),
      found: `the ring is ${formatShare(share)} full, and ${who("consumer", gatedBy)} holds ` +
        `producers back: it is ${formatCount(gatedBy.lagMessages)} messages behind`,
      fix: "see what keeps it busy; one that may lose messages is opened with onSlow: drop, one " +
        "that may read in the log with onSlow: spill",
    });
  }
  for (const peer of consumers) {
    if (peer.name === PERSISTER || peer.state !== "alive" || peer.stalledMs === 0) continue;
    findings.push({
      ...about(channel, "stalled", peer),
      found: `${who("consumer", peer)} is alive, ${formatCount(peer.lagMessages)} messages ` +
        `behind, and has not moved for ${Math.round(peer.stalledMs)} ms`,
      fix: `see whether process ${peer.pid} is stopped, or its handler hangs`,
    });
  }
  const dead = [
    ...producers.map((peer) => ({ role: "producer" as const, peer })),
    ...consumers.map((peer) => ({ role: "consumer" as const, peer })),
  ].filter(({ peer }) => peer.state === "dead" && peer.name !== PERSISTER);
  for (const { role, peer } of dead) {
    const behind = peer.lagMessages === 0
      ? ""
      : `, ${formatCount(peer.lagMessages)} messages behind`;
    findings.push({
      ...about(channel, "dead", peer),
      found: `${who(role, peer)} is dead: it has ended without closing${behind}`,
      fix: role === "producer" || peer.name === ""
        ? "start it again; who comes next clears up after it"
        : comeback(channel, peer),
    });
  }
  return findings;
}

/** How a named consumer that is dead comes back. */
function comeback({ name, bufferFile, log, sizeBytes }: WatchedChannel, peer: WatchedPeer): string {
  return log === null && peer.lagBytes > sizeBytes
    ? `what comes next for it has left the ring, so open it from "earliest", or ` +
      `mt remove-consumer ${name} ${peer.name}${placeFlag(bufferFile)}, and it begins anew`
    : "start it again: under that name it goes on behind what it has acknowledged";
}

function who(role: "producer" | "consumer", peer: WatchedPeer): string {
  return `${role} "${peerName(peer)}" (process ${peer.pid})`;
}

function logFindings(channel: WatchedChannel): Finding[] {
  const { name, messages, log, producers, consumers } = channel;
  if (log === null) return [];
  const findings: Finding[] = [];
  const missing = formatCount(Math.max(0, messages - log.logged));
  const writer = consumers.find((peer) => peer.name === PERSISTER);
  const isUsed = [...producers, ...consumers].some(({ state }) => state === "alive");
  // One that everybody has closed, whole, is as it should be.
  if (log.state === "absent" && (isUsed || messages > log.logged)) {
    findings.push({
      ...about(channel, "log-absent", writer?.state === "dead" ? writer : undefined),
      found: `nobody writes the log` +
        (writer?.state === "dead" ? ` since process ${writer.pid} has died` : "") +
        `; ${missing} messages are in the ring alone, and producers wait when it is full`,
      fix: `start a service that creates the channel, or ` +
        `mt persist ${name} --wal-dir ${dirname(log.directory)}${placeFlag(channel.bufferFile)}`,
    });
  }
  if (log.state === "full") {
    const [last] = consumers
      .filter((peer) => peer.name !== "" && peer.name !== PERSISTER && peer.cursor < log.logged)
      .toSorted((left, right) => left.cursor - right.cursor);
    const keeper = last === undefined ? "" : `, which is ${who("consumer", last)}`;
    findings.push({
      ...about(channel, "log-full"),
      found: `the log has no room: its disk is full or its cap reached, and producers wait`,
      fix: `make room, raise the cap, or see to who is furthest behind in it${keeper}`,
    });
  }
  if (log.state === "failed") {
    const why = log.fault ?? `error ${log.errno} of the operating system`;
    findings.push({
      ...about(channel, "log-failed"),
      found: `the log has failed (${why}); ${missing} messages are not in it`,
      fix: `mt verify ${log.directory}; then start its writer again, which opens it anew`,
    });
  }
  if (log.forcedCuts > 0) {
    findings.push({
      ...about(channel, "log-cut"),
      found: `at its cap the log was cut ${formatCount(log.forcedCuts)} times though a consumer ` +
        `still needed it`,
      fix: "raise the cap, or remove the consumer that does not come back",
    });
  }
  return findings;
}

/** Consumers that have left or died, and for which the log still keeps messages. */
function forgotten(channel: WatchedChannel): Finding[] {
  const { name, log, consumers } = channel;
  if (log === null || log.logged < log.oldest) return [];
  const away = consumers
    .filter((peer) => peer.state !== "alive" && peer.name !== "" && peer.name !== PERSISTER)
    .map(({ name, index, pid, cursor }) => ({ name, index, pid, cursor }));
  for (const { name, sequence } of readControl(log.directory)?.cursors ?? []) {
    if (consumers.some((peer) => peer.name === name)) continue;
    away.push({ name, index: 0, pid: 0, cursor: sequence - 1 });
  }
  return away.filter(({ cursor }) => cursor < log.logged).map((peer) => {
    const kept = log.logged - Math.max(peer.cursor, log.oldest - 1);
    const share = kept / (log.logged - log.oldest + 1);
    return {
      ...about(channel, "forgotten", peer),
      found: `the log keeps ${formatCount(kept)} messages (about ` +
        `${formatBytes(Math.round(share * log.logBytes))}) for consumer "${peer.name}", which ` +
        `nobody has open`,
      fix: `open it again, or, if it never comes back, mt remove-consumer ${name} ${peer.name}` +
        placeFlag(channel.bufferFile),
    };
  });
}

/**
 * The columns of `mt top`.
 *
 * @module
 */

import {
  type LatencyHistogram,
  peerName,
  type RecentLatency,
  type WatchedChannel,
  type WatchedConsumer,
  type WatchedPeer,
} from "../../lib/observability/mod.ts";
import { formatBytes, formatCount, formatNs } from "../_table.ts";
import { barOf, type Column, type Span } from "./_screen_text.ts";

/** A producer or a consumer. */
export type TopPeer =
  | { role: "producer"; peer: WatchedPeer }
  | { role: "consumer"; peer: WatchedConsumer; recent: LatencyHistogram };

/** Milliseconds without a move after which a consumer that has work is called stalled. */
export const STALLED_MS = 2_000;

/** Whether a consumer has had work for a while and has not moved. */
function isStalled({ stalledMs, state }: WatchedPeer): boolean {
  return state === "alive" && stalledMs >= STALLED_MS;
}

/** From where on a ring is nearly full, and full but for moments. */
const FULL_WARN = 0.5;
const FULL_BAD = 0.9;

function fullCell({ occupancyBytes, sizeBytes }: WatchedChannel): Span {
  const share = occupancyBytes / sizeBytes;
  const text = `${barOf(share, 8)} ${`${Math.round(100 * share)}`.padStart(3)} %`;
  return [text, share >= FULL_BAD ? "bad" : share >= FULL_WARN ? "warn" : "good"];
}

function gateCell({ gatedBy }: WatchedChannel): Span {
  if (gatedBy === null) return ["nobody", "quiet"];
  if (isStalled(gatedBy)) return [`stalled: ${peerName(gatedBy)}`, "warn"];
  return gatedBy.state === "alive" ? peerName(gatedBy) : [`dead: ${peerName(gatedBy)}`, "bad"];
}

function logCell({ log, messages }: WatchedChannel): Span {
  if (log === null) return ["–", "quiet"];
  if (log.state === "failed") return ["failed", "bad"];
  if (log.state !== "running") return [log.state, "warn"];
  const behind = Math.max(0, messages - log.durable);
  return behind === 0 ? ["durable", "good"] : `${formatCount(behind)} not yet`;
}

function behindOf({ consumers }: WatchedChannel): number {
  return Math.max(0, ...consumers.map(({ lagMessages }) => lagMessages));
}

/** A count of peers: who live, and who are dead. */
function peersCell({ producers, consumers }: WatchedChannel): Span {
  const alive = (peers: readonly WatchedPeer[]) =>
    peers.filter(({ state }) => state === "alive").length;
  const dead = [...producers, ...consumers].filter(({ state }) => state === "dead").length;
  const text = `${alive(producers)} → ${alive(consumers)}`;
  return dead === 0 ? text : [`${text}, ${dead} dead`, "bad"];
}

function latencyCell(histogram: LatencyHistogram, percentile: number): Span {
  return histogram.count === 0 ? ["–", "quiet"] : formatNs(histogram.percentile(percentile));
}

/** The columns of the list of channels. */
export function channelColumns(latency: RecentLatency): readonly Column<WatchedChannel>[] {
  return [...CHANNEL_COLUMNS, {
    ...{ title: "p50", width: 8, align: "right", weight: 1.1 },
    cell: (channel) => latencyCell(latency.slowestOf(channel), 50),
  }, {
    ...{ title: "p99", width: 8, align: "right", weight: 2 },
    cell: (channel) => latencyCell(latency.slowestOf(channel), 99),
  }];
}

const CHANNEL_COLUMNS: readonly Column<WatchedChannel>[] = [
  { title: "Channel", width: 32, align: "left", weight: 0, cell: ({ name }) => name },
  {
    ...{ title: "Messages/s", width: 10, align: "right", weight: 9 },
    cell: ({ messagesPerSecond }) => formatCount(messagesPerSecond),
  },
  {
    ...{ title: "Bytes/s", width: 9, align: "right", weight: 3 },
    cell: ({ bytesPerSecond }) => formatBytes(Math.round(bytesPerSecond)),
  },
  { title: "Full", width: 14, align: "left", weight: 8, cell: fullCell },
  {
    ...{ title: "Behind", width: 9, align: "right", weight: 6 },
    cell: (channel) => formatCount(behindOf(channel)),
  },
  { title: "Gated by", width: 18, align: "left", weight: 7, cell: gateCell },
  { title: "Peers", width: 13, align: "left", weight: 4, cell: peersCell },
  { title: "Log", width: 14, align: "left", weight: 5, cell: logCell },
];

function stateCell({ peer }: TopPeer): Span {
  if (isStalled(peer)) return [`stalled ${Math.floor(peer.stalledMs / 1000)} s`, "warn"];
  if (peer.state === "alive") return ["alive", "good"];
  return [peer.state, peer.state === "dead" ? "bad" : "quiet"];
}

function ofConsumer(cell: (peer: WatchedPeer) => Span): (row: TopPeer) => Span {
  return ({ role, peer }) => role === "consumer" ? cell(peer) : ["–", "quiet"];
}

/** The columns of a channel's producers and consumers. */
export const PEER_COLUMNS: readonly Column<TopPeer>[] = [
  { title: "Name", width: 24, align: "left", weight: 0, cell: ({ peer }) => peerName(peer) },
  { title: "Role", width: 8, align: "left", weight: 9, cell: ({ role }) => role },
  { title: "State", width: 13, align: "left", weight: 10, cell: stateCell },
  { title: "Process", width: 8, align: "right", weight: 5, cell: ({ peer }) => `${peer.pid}` },
  {
    ...{ title: "Messages/s", width: 10, align: "right", weight: 8 },
    cell: ({ peer }) => formatCount(peer.messagesPerSecond),
  },
  {
    ...{ title: "Behind", width: 9, align: "right", weight: 7 },
    cell: ofConsumer(({ lagMessages }) => formatCount(lagMessages)),
  },
  {
    ...{ title: "p99", width: 8, align: "right", weight: 6 },
    cell: (row) => row.role === "consumer" ? latencyCell(row.recent, 99) : ["–", "quiet"],
  },
  {
    ...{ title: "p50", width: 8, align: "right", weight: 3.5 },
    cell: (row) => row.role === "consumer" ? latencyCell(row.recent, 50) : ["–", "quiet"],
  },
  {
    ...{ title: "When slow", width: 9, align: "left", weight: 4 },
    cell: ofConsumer(({ onSlow }) => `${onSlow}s`),
  },
  {
    ...{ title: "Lost", width: 7, align: "right", weight: 3 },
    cell: ofConsumer(({ lost }) => lost === 0 ? "0" : [formatCount(lost), "bad"]),
  },
  {
    ...{ title: "Back pressure", width: 13, align: "right", weight: 2 },
    cell: ({ role, peer }) =>
      role === "producer" ? formatCount(peer.backPressured) : ["–", "quiet"],
  },
];

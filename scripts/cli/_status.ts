/**
 * `mt status`: the channels of a directory, seen from outside.
 *
 * @module
 */

import {
  isReadable,
  type UnreadableChannel,
  Watch,
  type WatchedChannel,
} from "../../lib/observability/mod.ts";
import type { Peer } from "../../mod.ts";
import { formatBytes, formatCount, formatShare, formatTable } from "../_table.ts";

/** Looks at every channel of a directory. */
export function readStatus(directory: string | undefined): (WatchedChannel | UnreadableChannel)[] {
  return new Watch(directory === undefined ? {} : { directory }).look().channels;
}

/** The status as tables. */
export function statusText(channels: readonly (WatchedChannel | UnreadableChannel)[]): string {
  if (channels.length === 0) return "No channels";
  const readable = channels.filter(isReadable);
  const peers = readable.flatMap(({ name, producers, consumers }) => [
    ...producers.map((peer) => producerRow(name, peer)),
    ...consumers.map((peer) => consumerRow(name, peer)),
  ]);
  const hasLogs = readable.some(({ log }) => log !== null);
  const header = ["Channel", "Size", "Full", "Messages", "Gated by"];
  if (hasLogs) header.push("Log", "Not durable", "Log size");
  const parts = [
    table(header, readable.map((channel) => channelRow(channel, hasLogs))),
    table(
      ["Channel", "Role", "Name", "Process", "State", "Messages", "When slow", "Behind", "Lost"],
      peers,
    ),
    ...channels.filter((channel) => "error" in channel).map(({ name, error }) =>
      `${name}: ${error}`
    ),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function table(header: string[], rows: string[][]): string {
  return rows.length === 0 ? "" : formatTable(header, rows);
}

function channelRow(channel: WatchedChannel, hasLogs: boolean): string[] {
  const { name, sizeBytes, occupancyBytes, messages, gatedBy } = channel;
  return [
    ...[name, formatBytes(sizeBytes), formatShare(occupancyBytes / sizeBytes)],
    ...[formatCount(messages), gatedBy === null ? "nobody" : nameOf(gatedBy)],
    ...(hasLogs ? logCells(channel) : []),
  ];
}

/** A log's state, how many messages it is behind, and its size. */
function logCells({ log, messages }: WatchedChannel): string[] {
  if (log === null) return ["–", "–", "–"];
  const { state, durable, logBytes } = log;
  return [state, formatCount(Math.max(0, messages - durable)), formatBytes(logBytes)];
}

function producerRow(channel: string, peer: Peer): string[] {
  return [channel, "producer", ...sharedCells(peer), "", "–", "–"];
}

function consumerRow(channel: string, peer: Peer): string[] {
  const { onSlow, lagMessages, lost } = peer;
  return [
    ...[channel, "consumer", ...sharedCells(peer)],
    ...[`${onSlow}s`, formatCount(lagMessages), formatCount(lost)],
  ];
}

function sharedCells(peer: Peer): string[] {
  return [nameOf(peer), `${peer.pid}`, peer.state, formatCount(peer.messages)];
}

function nameOf({ name, index }: Peer): string {
  return name === "" ? `#${index}` : name;
}

/**
 * `mt status`: the channels of a directory, seen from outside.
 *
 * @module
 */

import {
  type ChannelEntry,
  type Durability,
  listChannels,
  openChannel,
  type Peer,
} from "../../mod.ts";
import { formatBytes, formatCount, formatShare, formatTable } from "../_table.ts";

/** A channel that could be opened. */
export interface ChannelStatus extends ChannelEntry {
  sizeBytes: number;
  /** Bytes between the slowest blocking consumer and the newest message. */
  occupancyBytes: number;
  /** Messages since creation. */
  messages: number;
  /** The consumer that the producers will wait for, or wait for now. */
  gatedBy: Peer | null;
  /** How its log stands; null without one. */
  log: Durability & { directory: string } | null;
  producers: Peer[];
  consumers: Peer[];
}

/** A file that is no sound channel, or that this user may not open. */
export interface UnreadableChannel extends ChannelEntry {
  error: string;
}

/** Looks at every channel of a directory. Takes no part, so nobody notices. */
export function readStatus(directory: string | undefined): (ChannelStatus | UnreadableChannel)[] {
  const place = directory === undefined ? {} : { directory };
  return listChannels(place).map((entry) => {
    try {
      return readChannel(entry, place);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return { ...entry, error: error.message };
    }
  });
}

function readChannel(entry: ChannelEntry, place: { directory?: string }): ChannelStatus {
  using channel = openChannel(entry.name, { ...place, readOnly: true, prefault: false });
  const { occupancy, nextSequence, producers, consumers, log } = channel.stats();
  const directory = channel.logDirectory ?? "";
  const gating = consumers
    .filter(({ onSlow, state, lagBytes }) =>
      onSlow === "block" && state !== "detached" && lagBytes > 0
    )
    .toSorted((left, right) => right.lagBytes - left.lagBytes);
  return {
    ...entry,
    sizeBytes: channel.sizeBytes,
    occupancyBytes: occupancy,
    messages: nextSequence - 1,
    gatedBy: gating[0] ?? null,
    log: log === undefined ? null : { ...log, directory },
    producers,
    consumers,
  };
}

/** The status as tables. */
export function statusText(channels: readonly (ChannelStatus | UnreadableChannel)[]): string {
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

function isReadable(channel: ChannelStatus | UnreadableChannel): channel is ChannelStatus {
  return !("error" in channel);
}

function table(header: string[], rows: string[][]): string {
  return rows.length === 0 ? "" : formatTable(header, rows);
}

function channelRow(channel: ChannelStatus, hasLogs: boolean): string[] {
  const { name, sizeBytes, occupancyBytes, messages, gatedBy } = channel;
  return [
    ...[name, formatBytes(sizeBytes), formatShare(occupancyBytes / sizeBytes)],
    ...[formatCount(messages), gatedBy === null ? "nobody" : nameOf(gatedBy)],
    ...(hasLogs ? logCells(channel) : []),
  ];
}

/** A log's state, how many messages it is behind, and its size. */
function logCells({ log, messages }: ChannelStatus): string[] {
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

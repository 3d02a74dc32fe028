/**
 * `mt status`: the channels of a directory, seen from outside, and what is not well with them.
 *
 * @module
 */

import type { Command } from "commander";
import { defaultDirectory } from "../../lib/native/path.ts";
import {
  isReadable,
  peerName,
  type ServiceCounters,
  type UnreadableChannel,
  Watch,
  type WatchedChannel,
  type WatchedPeer,
} from "../../lib/observability/mod.ts";
import { jsonText, paint, printable } from "../_output.ts";
import { formatBytes, formatCount, formatShare, formatTable } from "../_table.ts";
import { type Finding, findingsOf, serviceFindings } from "./_findings.ts";
import { placeOf, type PlaceOptions, withPlace } from "./_frame.ts";
import { startedText } from "./_inspect_counters.ts";

/** Milliseconds between the two looks that rates and stalls are told from. */
const INTERVAL_MS = 300;

/** What `mt status` tells. */
export interface Status {
  /** Where was looked. */
  directory: string;
  channels: (WatchedChannel | UnreadableChannel)[];
  /** Those that count, or have counted, without what they have counted. */
  services: Omit<ServiceCounters, "values">[];
  findings: Finding[];
}

/** Adds the command. */
export function addStatus(program: Command): void {
  withPlace(program.command("status"))
    .description("show channels and services, and who gates, is stalled or dead")
    .addHelpText("after", HELP)
    .action(async (options: PlaceOptions) => {
      const status = await readStatus(placeOf(options));
      console.log(options.json ? jsonText(status) : statusText(status));
    });
}

const HELP = `
Looks twice, ${INTERVAL_MS} ms apart, where anybody is alive. A consumer is stalled if it is
alive, behind, and does not move. What is found does not change the exit status.`;

/** Looks at every channel of a directory. */
export async function readStatus(place: { directory?: string }): Promise<Status> {
  const watch = new Watch(place);
  let { channels, services } = watch.look();
  const isAlive = ({ state }: WatchedPeer) => state === "alive";
  if (
    channels.some((one) => isReadable(one) && [...one.producers, ...one.consumers].some(isAlive))
  ) {
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    ({ channels, services } = watch.look());
  }
  return {
    directory: place.directory ?? defaultDirectory(),
    channels,
    services: services.map(({ values: _, ...service }) => service),
    findings: [...findingsOf(channels), ...serviceFindings(services)],
  };
}

/** The status as tables. */
export function statusText({ directory, channels, services, findings }: Status): string {
  const readable = channels.filter(isReadable);
  const peers = readable.flatMap(({ name, producers, consumers }) => [
    ...producers.map((peer) => producerRow(name, peer)),
    ...consumers.map((peer) => consumerRow(name, peer)),
  ]);
  const hasLogs = readable.some(({ log }) => log !== null);
  const header = ["Channel", "Size", "Full", "Messages", "Per second", "Gated by"];
  if (hasLogs) header.push("Log", "Not durable", "Log size");
  const parts = [
    channels.length === 0
      ? `No channels in ${directory}\n${ELSEWHERE}`
      : `Channels in ${directory}`,
    table(header, readable.map((channel) => channelRow(channel, hasLogs))),
    table(
      ["Channel", "Role", "Name", "Process", "State", "Messages", "When slow", "Behind", "Lost"],
      peers,
    ),
    table(["Service", "Process", "State", "Started", "Starts"], services.map(serviceRow)),
    findings.map(findingText).join("\n"),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

const ELSEWHERE = "Processes see each other if they look in one directory: that which " +
  "--directory names,\nelse message_transport in $XDG_RUNTIME_DIR, else " +
  "/dev/shm/message_transport-<uid>.\nContainers need that directory mounted in each of them.";

function table(header: string[], rows: string[][]): string {
  return rows.length === 0 ? "" : formatTable(header, rows);
}

function findingText({ channel, service, kind, sinceMs, found, fix }: Finding): string {
  const isBad = kind !== "forgotten" && kind !== "log-cut";
  const since = sinceMs === null ? "" : ` (since ${new Date(sinceMs).toISOString()})`;
  const subject = channel ?? service ?? "";
  return `${paint(isBad ? "red" : "yellow", subject)}: ${printable(found)}${since}\n    → ${
    printable(fix)
  }`;
}

function channelRow(channel: WatchedChannel, hasLogs: boolean): string[] {
  const { name, sizeBytes, occupancyBytes, messages, messagesPerSecond, gatedBy } = channel;
  return [
    ...[name, formatBytes(sizeBytes), formatShare(occupancyBytes / sizeBytes)],
    ...[formatCount(messages), formatCount(messagesPerSecond)],
    gatedBy === null ? "nobody" : printable(peerName(gatedBy)),
    ...(hasLogs ? logCells(channel) : []),
  ];
}

/** A log's state, how many messages it is behind, and its size. */
function logCells({ log, messages }: WatchedChannel): string[] {
  if (log === null) return ["–", "–", "–"];
  const { state, durable, logBytes } = log;
  const shown = state === "running" ? state : paint("red", state);
  return [shown, formatCount(Math.max(0, messages - durable)), formatBytes(logBytes)];
}

function producerRow(channel: string, peer: WatchedPeer): string[] {
  return [channel, "producer", ...sharedCells(peer), "", "–", "–"];
}

function consumerRow(channel: string, peer: WatchedPeer): string[] {
  const { onSlow, lagMessages, lost } = peer;
  return [
    ...[channel, "consumer", ...sharedCells(peer)],
    ...[`${onSlow}s`, formatCount(lagMessages), formatCount(lost)],
  ];
}

function sharedCells(peer: WatchedPeer): string[] {
  const cells = [printable(peerName(peer)), `${peer.pid}`, stateText(peer)];
  return [...cells, formatCount(peer.messages)];
}

function serviceRow({ instance, pid, state, startedMs, openings }: Status["services"][number]) {
  if (state === "unreadable") return [instance, "–", paint("red", state), "–", "–"];
  const shown = state === "dead" ? paint("red", state) : state;
  return [instance, `${pid}`, shown, startedText(startedMs), formatCount(openings)];
}

function stateText({ state, stalledMs }: WatchedPeer): string {
  if (state === "dead") return paint("red", state);
  return state === "alive" && stalledMs > 0 ? paint("yellow", "stalled") : state;
}

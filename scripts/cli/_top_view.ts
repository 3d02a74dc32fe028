/**
 * What `mt top` shows: frames out of a look and of what the user has chosen.
 *
 * @module
 */

import {
  assess,
  isReadable,
  type Look,
  readDiskSpace,
  type RecentLatency,
  type UnreadableChannel,
  type WatchedChannel,
} from "../../lib/observability/mod.ts";
import { formatBytes, formatCount } from "../_table.ts";
import { barOf, lineOf, type Span, tableOf, wrap } from "./_screen_text.ts";
import type { ScreenSize } from "./_terminal.ts";
import { channelColumns, PEER_COLUMNS, STALLED_MS, type TopPeer } from "./_top_columns.ts";

type TopChannel = WatchedChannel | UnreadableChannel;

/** Orders of the list, the first by default. */
const SORTS = ["rate", "full", "behind", "name"] as const;

/** What the user has chosen. */
export interface TopState {
  /** Name of the chosen channel; the first one without. */
  chosen: string | undefined;
  sort: typeof SORTS[number];
  view: "channels" | "peers" | "help";
}

/** How a frame is drawn. */
export interface FrameStyle extends ScreenSize {
  isColoured: boolean;
  /** Of late, up to this look. */
  latency: RecentLatency;
  /** Where the channels are. */
  place: string;
  intervalMs: number;
}

/** What the user sees first. */
export function newTopState(): TopState {
  return { chosen: undefined, sort: "rate", view: "channels" };
}

/** Channels in the order that the user has chosen. */
function sortedChannels(look: Look, { sort }: Pick<TopState, "sort">): TopChannel[] {
  const figure = (channel: TopChannel): number => {
    if (!isReadable(channel)) return Infinity; // What is damaged stands at the top.
    if (sort === "rate") return channel.messagesPerSecond;
    if (sort === "full") return channel.occupancyBytes / channel.sizeBytes;
    return Math.max(0, ...channel.consumers.map(({ lagMessages }) => lagMessages));
  };
  if (sort === "name") return [...look.channels];
  return look.channels.toSorted((left, right) => {
    const [first, second] = [figure(left), figure(right)];
    return first === second ? 0 : second > first ? 1 : -1;
  });
}

/**
 * Does what a key asks for.
 *
 * @returns false if that is to end.
 */
export function pressKey(state: TopState, key: string, look: Look): boolean {
  if (key === "q" || key === "Q") return false;
  if (state.view === "help") {
    state.view = "channels";
    return true;
  }
  const names = sortedChannels(look, state).map(({ name }) => name);
  const at = Math.max(0, names.indexOf(state.chosen ?? ""));
  const choose = (index: number) =>
    state.chosen = names[Math.min(names.length - 1, Math.max(0, index))];
  const moves: Record<string, number> = { up: -1, k: -1, down: 1, j: 1, "page-up": -10 };
  const move = moves[key] ?? (key === "page-down" ? 10 : undefined);
  if (move !== undefined) choose(at + move);
  else if (key === "home" || key === "g") choose(0);
  else if (key === "end" || key === "G") choose(names.length - 1);
  else if (key === "s") state.sort = SORTS[(SORTS.indexOf(state.sort) + 1) % SORTS.length]!;
  else if (key === "?" || key === "h") state.view = "help";
  else if (key === "enter") {
    choose(at); // From now on that one, wherever it moves to.
    state.view = state.view === "peers" ? "channels" : "peers";
  } else if (key === "escape") state.view = "channels";
  return true;
}

/** The lines of a frame: at most as many as the screen has rows. */
export function topFrame(look: Look, state: TopState, style: FrameStyle): string[] {
  const { columns, rows, isColoured } = style;
  const body = state.view === "help" ? helpOf(style) : bodyOf(look, state, style);
  const lines = [titleOf(look, style), ...body].slice(0, Math.max(1, rows - 1));
  while (lines.length < rows - 1) lines.push([]);
  lines.push(keysOf(state));
  return lines.slice(0, rows).map((spans) => lineOf(spans, columns, isColoured));
}

function titleOf({ channels, timeMs }: Look, { place, intervalMs }: FrameStyle): Span[] {
  const time = new Date(timeMs).toTimeString().slice(0, 8);
  const count = channels.length === 1 ? "1 channel" : `${formatCount(channels.length)} channels`;
  return [
    ["mt top", "title"],
    [`  ${time}  ${count}  every ${intervalMs / 1000} s  ${place}`, "quiet"],
  ];
}

function keysOf({ view, sort }: TopState): Span[] {
  const keys: Record<TopState["view"], [key: string, what: string][]> = {
    channels: [["↑↓", "choose"], ["enter", "its peers"], ["s", `sort (${sort})`]],
    peers: [["↑↓", "another channel"], ["enter", "all channels"]],
    help: [["any key", "back"]],
  };
  const shown: [string, string][] = [...keys[view], ["?", "help"], ["q", "quit"]];
  return shown.flatMap(([key, what]): Span[] => [[key, "strong"], [` ${what}   `, "quiet"]]);
}

/** Where the explanations of the help begin. */
const HELP_INDENT = 14;

function helpOf({ columns }: ScreenSize): Span[][] {
  return HELP.flatMap((line): Span[][] =>
    typeof line === "string" ? wrap(line, columns, HELP_INDENT).map((part) => [part]) : [[line]]
  );
}

const HELP: Span[] = [
  "",
  ["Keys", "strong"],
  "  ↑ ↓ k j     choose a channel; page up and down, home and end go further",
  "  enter       the producers and consumers of the chosen channel, and back",
  "  s           sort by rate, by how full it is, by the slowest consumer, by name",
  "  q, Ctrl-C   quit",
  "",
  ["Words", "strong"],
  "  full        of the ring, up to the slowest consumer that holds producers back",
  "  behind      messages that the slowest consumer has not acknowledged",
  "  gated by    the consumer that producers wait for, or wait for next",
  "  stalled     it has work and has not moved; its process may be stopped or busy",
  "  dead        its process is gone; producers let go of it, and it may come back by its name",
  "  p50, p99    from publishing to the poll, since the look before",
  "  log         not yet: messages that are in the ring and not on the disk",
  "",
  'More of it: "mt status", "mt inspect <file>", "mt inspector" for a page in the browser.',
];

function bodyOf(look: Look, state: TopState, style: FrameStyle): Span[][] {
  if (look.channels.length === 0) {
    return [
      [],
      ["No channels yet. They appear here as soon as a process makes one:"],
      [],
      [["  mt demo", "strong"], "    runs a whole pipeline"],
      [],
      ["Looking in another place? --directory <dir> names it."],
    ];
  }
  const channels = sortedChannels(look, state);
  const at = Math.max(0, channels.findIndex(({ name }) => name === state.chosen));
  const chosen = channels[at]!;
  return state.view === "peers" ? peersOf(chosen, style) : listOf(channels, at, look, style);
}

/** The list of channels, as far as there is room, and what is not as it should be. */
function listOf(
  channels: readonly TopChannel[],
  at: number,
  look: Look,
  { columns, rows, latency }: FrameStyle,
): Span[][] {
  const troubles = troublesOf(look, columns);
  const services = look.services.length === 0 ? [] : [[], servicesOf(look)];
  const spare = rows - 6 - services.length - channels.length; // Those around, and two gaps below.
  const shownMax = Math.min(troubles.length, Math.max(rows >> 2, spare));
  const below = troubles.length === 0 ? 0 : 2 + shownMax;
  const room = Math.max(1, rows - 4 - below - services.length); // Title, gap, header, keys.
  const first = Math.min(Math.max(0, at - (room >> 1)), Math.max(0, channels.length - room));
  const shown = channels.slice(first, first + room);
  const readable = shown.filter(isReadable);
  const [header, ...lines] = tableOf(channelColumns(latency), readable, columns - 2);
  const byName = new Map(readable.map(({ name }, index) => [name, lines[index]!]));
  const body = shown.map((channel, index): Span[] => {
    const mark: Span = first + index === at ? ["▸ ", "strong"] : "  ";
    if (isReadable(channel)) return [mark, ...byName.get(channel.name)!];
    return [mark, `${channel.name}  `, [channel.error, "bad"]];
  });
  const list = [[], ["  ", ...header!], ...body, ...services];
  if (below === 0) return list;
  const notes = troubles.slice(0, below - 2).map((trouble): Span[] => [trouble]);
  return [...list, [], [["Needs a look", "strong"]], ...notes];
}

/** The services that count, and whether they live. */
function servicesOf({ services }: Look): Span[] {
  return [
    ["Services", "strong"],
    ...services.map(({ instance, state }): Span => {
      const tone = state === "alive" ? "good" : state === "stopped" ? "quiet" : "bad";
      return [`  ${instance} ${state}`, tone];
    }),
  ];
}

/** What is not as it should be, and what to do, in lines; the worst first. */
function troublesOf(look: Look, columns: number): Span[] {
  const { reasons } = assess({ look, disks: readDiskSpace(look) }, { stalledMs: STALLED_MS });
  return reasons.flatMap(({ subject, text, action, severity }) =>
    wrap(`  ${subject}: ${text}; ${action}`, columns, 4)
      .map((line) => [line, severity === "failing" ? "bad" : "warn"] as const)
  );
}

/** One channel, and everybody who takes part in it. */
function peersOf(channel: TopChannel, { columns, rows, latency }: FrameStyle): Span[][] {
  if (!isReadable(channel)) {
    return [[], [[channel.name, "strong"]], [[channel.error, "bad"]], [`  ${channel.bufferFile}`]];
  }
  const { name, sizeBytes, occupancyBytes, messages, schemaText, log, bufferFile } = channel;
  const share = occupancyBytes / sizeBytes;
  const peers: TopPeer[] = [
    ...channel.consumers.map((peer) => ({
      ...{ role: "consumer" as const, peer, recent: latency.of(channel, peer) },
    })),
    ...channel.producers.map((peer) => ({ role: "producer" as const, peer })),
  ];
  const lines: Span[][] = [
    [],
    [[name, "strong"], `  ${bufferFile}`],
    [
      `${barOf(share, 20)} ${(100 * share).toFixed(1)} % of ${formatBytes(sizeBytes)}, `,
      `${formatCount(messages)} messages, ${rateOf(channel)}`,
    ],
    [[schemaText === "" ? "no schema" : schemaText, "quiet"]],
  ];
  if (log !== null) {
    lines.push([
      `log ${log.state}, durable up to ${formatCount(log.durable)}, `,
      `${formatCount(log.segments)} segments of ${formatBytes(log.logBytes)}  ${log.directory}`,
    ]);
  }
  const table = tableOf(PEER_COLUMNS, peers, columns);
  const room = rows - lines.length - 3;
  if (table.length > room) {
    const missing = table.length - room + 1;
    table.splice(room - 1, table.length, [[`… and ${missing} more: mt status`, "quiet"]]);
  }
  return [...lines, [], ...table];
}

function rateOf({ messagesPerSecond, bytesPerSecond }: WatchedChannel): string {
  return `${formatCount(messagesPerSecond)}/s, ${formatBytes(Math.round(bytesPerSecond))}/s`;
}

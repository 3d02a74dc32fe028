/**
 * What the inspector page shows, as plain data: channels and their recent past, logs, history, and
 * what is not well.
 *
 * @module
 */

import type { HistoryEntry } from "../native/history.ts";
import type { ServiceCounters } from "./counters.ts";
import { readDiskSpace } from "./disk_space.ts";
import { assess, type Health } from "./health.ts";
import { type LogDirectory, readLogDirectories, readLogDirectory } from "./log_directory.ts";
import { RecentLatency } from "./recent_latency.ts";
import {
  isReadable,
  type Look,
  peerName,
  type UnreadableChannel,
  Watch,
  type WatchedChannel,
  type WatchedConsumer,
  type WatchedPeer,
} from "./watch.ts";

/** Where to look. */
export interface InspectorPlace {
  /** Directory of the ring files. Default: where channels are created. */
  directory?: string | undefined;
  /** Directory of logs; without it only what rings say of their logs is known. */
  walDir?: string | undefined;
}

/** A channel in the list: enough to see how it does. */
export interface ChannelSummary {
  name: string;
  /** Why it cannot be opened; null if it can. What follows is 0 or null then. */
  error: string | null;
  sizeBytes: number;
  occupancyBytes: number;
  messages: number;
  messagesPerSecond: number;
  bytesPerSecond: number;
  /** Messages that its slowest consumer is behind. */
  behind: number;
  gatedBy: { name: string; state: WatchedPeer["state"]; stalledMs: number } | null;
  /** Living ones. */
  producers: number;
  /** Living ones, its log's persister aside. */
  consumers: number;
  /** Dead producers and consumers whose places are kept. */
  dead: number;
  /** State of its log, and messages that are not durable; null without one. */
  log: { state: string; notDurable: number } | null;
  /** Hand-off latency of the slowest consumer since the look before; null if none. */
  p99Ns: number | null;
}

/** Numbers of one moment, of producers and of the slowest consumer; null where there is none. */
export type Sample = [
  timeMs: number,
  publishedPerSecond: number,
  acknowledgedPerSecond: number | null,
  p50Ns: number | null,
  p99Ns: number | null,
];

/** What went wrong somewhere and was put right. */
export interface InspectedHistory extends HistoryEntry {
  channel: string;
}

/** What the page shows of everything. */
export interface Overview {
  timeMs: number;
  channels: ChannelSummary[];
  /** Channels that there are, also those beyond what is shown. */
  channelCount: number;
  health: Health;
  /** Their segments are left out: those of the chosen channel are in {@linkcode ChannelView}. */
  logs: LogDirectory[];
  /** Why logs cannot be read; null if they can, or are not asked for. */
  logsError: string | null;
  /** Services that count, living and dead; their values are left out. */
  services: Omit<ServiceCounters, "values">[];
  /** The newest first. */
  history: InspectedHistory[];
}

/** A consumer as the page shows it. */
export type InspectedConsumer = WatchedConsumer & {
  /** Since the look before; null if nothing was handed over. */
  recentP50Ns: number | null;
  recentP99Ns: number | null;
};

/** What the page shows of one channel. */
export interface ChannelView {
  /** Null where there is a log and no ring. */
  channel:
    | (Omit<WatchedChannel, "consumers"> & { consumers: InspectedConsumer[] })
    | UnreadableChannel
    | null;
  /** The newest ones, the oldest of them first. */
  samples: Sample[];
  /** Its log's files; null if it has none, or they may not be read. */
  log: LogDirectory | null;
  /** Why not, where there are some. */
  logError: string | null;
}

/** Samples of each channel: five minutes, one a second. */
export const SAMPLES_MAX = 300;

/** What is listed of each at most. Arbitrary: more of them nobody reads. */
const CHANNELS_MAX = 200;
const SERVICES_MAX = 100;
const HISTORY_MAX = 100;

/** Milliseconds for which logs' files are not looked at again. */
const LOGS_MS = 2_000;

/**
 * Looks at channels now and then, and remembers enough to draw it. Takes part in nothing.
 *
 * Bounded in everything: channels, samples, segments. What is damaged is part of what it shows.
 *
 * @example What is there
 * ```ts
 * import { createChannel, openProducer } from "message_transport";
 * import { Inspector } from "message_transport/observability";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = Deno.makeTempDirSync();
 * {
 *   using channel = createChannel("doc.inspected", { directory, sizeBytes: "64KB" });
 *   openProducer(channel).write(new Uint8Array(10));
 *   const inspector = new Inspector({ directory });
 *   inspector.look();
 *   assertEquals(inspector.overview().channels[0]?.messages, 1);
 * }
 * Deno.removeSync(directory, { recursive: true });
 * ```
 */
export class Inspector {
  readonly #place: InspectorPlace;
  readonly #watch: Watch;
  readonly #latency = new RecentLatency();
  #samples = new Map<string, Sample[]>();
  #look: Look = { timeMs: 0, elapsedMs: 0, channels: [], services: [] };
  #logs: LogDirectory[] = [];
  #logsError: string | null = null;
  #logsReadMs = -Infinity;

  /** @param place What it looks at. */
  constructor(place: InspectorPlace = {}) {
    const { directory } = place;
    this.#place = place;
    this.#watch = new Watch(directory === undefined ? {} : { directory });
  }

  /** Looks at all channels. Do so in equal intervals: each is a point of the charts. */
  look(): void {
    const look = this.#watch.look();
    this.#look = look;
    this.#latency.take(look);
    const earlier = this.#samples;
    this.#samples = new Map();
    for (const channel of look.channels.slice(0, CHANNELS_MAX).filter(isReadable)) {
      const key = `${channel.name} ${channel.createdMs}`;
      const samples = earlier.get(key) ?? [];
      const { p50Ns, p99Ns } = figuresOf(this.#latency.slowestOf(channel));
      samples.push([look.timeMs, channel.messagesPerSecond, slowestRate(channel), p50Ns, p99Ns]);
      if (samples.length > SAMPLES_MAX) samples.shift();
      this.#samples.set(key, samples);
    }
  }

  /** Everything, as of the last look. */
  overview(): Overview {
    const look = this.#look;
    this.#readLogs();
    const readable = look.channels.filter(isReadable);
    const history = readable.flatMap(({ name, history }) =>
      history.map((entry) => ({ channel: name, ...entry }))
    );
    return {
      timeMs: look.timeMs,
      channels: look.channels.slice(0, CHANNELS_MAX).map((channel) => this.#summary(channel)),
      channelCount: look.channels.length,
      health: assess({ look, disks: readDiskSpace(look) }),
      logs: this.#logs.map((log) => ({ ...log, segments: [] })),
      logsError: this.#logsError,
      services: look.services.slice(0, SERVICES_MAX).map(({ values: _, ...service }) => service),
      history: history.toSorted((left, right) => right.timeMs - left.timeMs).slice(0, HISTORY_MAX),
    };
  }

  /**
   * One channel, as of the last look.
   *
   * @param sinceMs Only samples that are newer: those before, the caller has.
   * @returns undefined if there is neither a channel nor a log of that name.
   */
  channel(name: string, sinceMs = 0): ChannelView | undefined {
    const found = this.#look.channels.find((channel) => channel.name === name) ?? null;
    const { log, logError } = this.#logOf(name, found);
    if (found === null && log === null) return undefined;
    if (found === null || !isReadable(found)) {
      return { channel: found, samples: [], log, logError };
    }
    const samples = this.#samples.get(`${name} ${found.createdMs}`) ?? [];
    return {
      channel: { ...found, consumers: found.consumers.map((one) => this.#consumer(found, one)) },
      samples: samples.filter(([timeMs]) => timeMs > sinceMs),
      log,
      logError,
    };
  }

  #summary(channel: WatchedChannel | UnreadableChannel): ChannelSummary {
    if (!isReadable(channel)) return { ...UNREADABLE, name: channel.name, error: channel.error };
    const { gatedBy, log, producers, consumers, messages } = channel;
    const isAlive = ({ state }: WatchedPeer) => state === "alive";
    return {
      name: channel.name,
      error: null,
      sizeBytes: channel.sizeBytes,
      occupancyBytes: channel.occupancyBytes,
      messages,
      messagesPerSecond: channel.messagesPerSecond,
      bytesPerSecond: channel.bytesPerSecond,
      behind: Math.max(0, ...consumers.map(({ lagMessages }) => lagMessages)),
      gatedBy: gatedBy && {
        name: peerName(gatedBy),
        state: gatedBy.state,
        stalledMs: gatedBy.stalledMs,
      },
      producers: producers.filter(isAlive).length,
      consumers: consumers.filter((one) => isAlive(one) && one.onSlow !== "hold").length,
      dead: [...producers, ...consumers].filter(({ state }) => state === "dead").length,
      log: log && { state: log.state, notDurable: Math.max(0, messages - log.durable) },
      p99Ns: figuresOf(this.#latency.slowestOf(channel)).p99Ns,
    };
  }

  #consumer(channel: WatchedChannel, consumer: WatchedConsumer): InspectedConsumer {
    const { p50Ns, p99Ns } = figuresOf(this.#latency.of(channel, consumer));
    return { ...consumer, recentP50Ns: p50Ns, recentP99Ns: p99Ns };
  }

  #readLogs(): void {
    const { walDir } = this.#place;
    const nowMs = performance.now();
    if (walDir === undefined || nowMs - this.#logsReadMs < LOGS_MS) return;
    this.#logsReadMs = nowMs;
    try {
      this.#logs = readLogDirectories(walDir);
      this.#logsError = null;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#logs = [];
      this.#logsError = error.message;
    }
  }

  /** A channel's log: where its ring says, if that may be read, or by its name. */
  #logOf(
    name: string,
    channel: WatchedChannel | UnreadableChannel | null,
  ): { log: LogDirectory | null; logError: string | null } {
    this.#readLogs();
    const directory = channel !== null && isReadable(channel) ? channel.log?.directory : undefined;
    const isIt = (log: LogDirectory) =>
      directory === undefined ? log.channel === name : log.directory === directory;
    const log = this.#logs.find(isIt) ?? null;
    if (log !== null || directory === undefined) return { log, logError: null };
    try {
      return { log: readLogDirectory(directory) ?? null, logError: null };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return { log: null, logError: error.message };
    }
  }
}

const UNREADABLE: Omit<ChannelSummary, "name" | "error"> = {
  ...{ sizeBytes: 0, occupancyBytes: 0, messages: 0, messagesPerSecond: 0, bytesPerSecond: 0 },
  ...{ behind: 0, gatedBy: null, producers: 0, consumers: 0, dead: 0, log: null, p99Ns: null },
};

/** Messages a second that the slowest of the living consumers acknowledges. */
function slowestRate({ consumers }: WatchedChannel): number | null {
  const rates = consumers
    .filter(({ state, onSlow }) => state === "alive" && onSlow !== "hold")
    .map(({ messagesPerSecond }) => messagesPerSecond);
  return rates.length === 0 ? null : Math.min(...rates);
}

function figuresOf(
  histogram: ReturnType<RecentLatency["of"]>,
): { p50Ns: number | null; p99Ns: number | null } {
  if (histogram.count === 0) return { p50Ns: null, p99Ns: null };
  return { p50Ns: histogram.percentile(50), p99Ns: histogram.percentile(99) };
}

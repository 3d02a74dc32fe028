/**
 * Watching the channels of a directory from outside: how they stand, how fast they move, who holds
 * them up.
 *
 * @module
 */

import { openChannel } from "../channel/channel.ts";
import { type ChannelEntry, listChannels } from "../channel/directory.ts";
import type { HistoryEntry } from "../native/history.ts";
import type { Durability } from "../native/log.ts";
import type { Peer } from "../native/peers.ts";
import { LatencyHistogram } from "./latency_histogram.ts";
import { readCounters, type ServiceCounters } from "./counters.ts";

/** A producer or consumer, and how fast it moves. */
export interface WatchedPeer extends Peer {
  /** Messages a second since the look before; 0 at the first look. */
  messagesPerSecond: number;
  /** Bytes a second since the look before; 0 at the first look. */
  bytesPerSecond: number;
  /** Milliseconds for which a consumer has been seen behind and not moving; 0 if it moves. */
  stalledMs: number;
}

/**
 * A consumer, and how long messages are on their way to it. One that was killed is `dead` until it
 * comes back or is removed, also when producers have let go of it and its slot says `detached`.
 */
export interface WatchedConsumer extends WatchedPeer {
  /** From publishing to the poll that delivered; empty in a channel without timestamps. */
  latency: LatencyHistogram;
}

/** A channel's log, and how it writes. */
export interface WatchedLog extends Durability {
  /** Its directory. */
  directory: string;
  /** Nanoseconds of each sync since the ring was made. */
  syncTime: LatencyHistogram;
  /** Bytes of records in each group since the ring was made: the `Ns` of its names are bytes. */
  groupBytes: LatencyHistogram;
}

/** A channel that could be opened. */
export interface WatchedChannel extends ChannelEntry {
  /** When it was made, in milliseconds since 1970: one of the same name made later has another. */
  createdMs: number;
  /** Bytes of its ring. */
  sizeBytes: number;
  /** Bytes between the slowest blocking consumer and the newest message. */
  occupancyBytes: number;
  /** Bytes claimed since creation, with the heads of records and what aligns them. */
  claimedBytes: number;
  /** Messages since creation. */
  messages: number;
  /** Messages a second since the look before; 0 at the first look. */
  messagesPerSecond: number;
  /** Bytes a second since the look before; 0 at the first look. */
  bytesPerSecond: number;
  /** Canonical text of the schema of its messages; empty without one. */
  schemaText: string;
  /** The consumer that the producers will wait for, or wait for now. */
  gatedBy: WatchedConsumer | null;
  /** How its log stands; null without one. */
  log: WatchedLog | null;
  /** Those that it has or had. */
  producers: WatchedPeer[];
  /** Those that it has or had. */
  consumers: WatchedConsumer[];
  /** What went wrong and was put right: the newest 32, the oldest of them first. */
  history: HistoryEntry[];
}

/** A file that is no sound channel, or that this user may not open. */
export interface UnreadableChannel extends ChannelEntry {
  /** What opening it said. */
  error: string;
}

/** What one look has seen. */
export interface Look {
  /** When, in milliseconds since 1970. */
  timeMs: number;
  /** Milliseconds since the look before; 0 at the first. */
  elapsedMs: number;
  /** Sorted by name. */
  channels: (WatchedChannel | UnreadableChannel)[];
  /** What services have counted, sorted by instance. */
  services: ServiceCounters[];
}

/** Whether a channel could be opened. */
export function isReadable(channel: WatchedChannel | UnreadableChannel): channel is WatchedChannel {
  return !("error" in channel);
}

/** The name of a producer or consumer, or its slot where it has none. */
export function peerName({ name, index }: { name: string; index: number }): string {
  return name === "" ? `#${index}` : name;
}

/** What is remembered of a channel or peer from one look to the next. */
interface Mark {
  messages: number;
  bytes: number;
  cursor: number;
  /** When it was last seen to move, or to have nothing to do. */
  movedMs: number;
}

/**
 * Looks at all channels of a directory, again and again.
 *
 * Takes part in nothing, so that nobody is slowed and nobody notices. Sees what dead processes have
 * left, too. Each look opens every file anew, so that it sees what was removed and made again.
 *
 * @example What a look says
 * ```ts
 * import { createChannel, openConsumer, openProducer, removeChannel } from "message_transport";
 * import { isReadable, Watch } from "message_transport/observability";
 * import { assertEquals } from "@std/assert";
 *
 * {
 *   using channel = createChannel("doc.watched", { sizeBytes: "64KB" });
 *   openConsumer(channel, { name: "slow" });
 *   openProducer(channel).write(new Uint8Array(10));
 *   const found = new Watch().look().channels.find(({ name }) => name === "doc.watched")!;
 *   assertEquals(isReadable(found) && found.gatedBy?.name, "slow");
 * }
 * removeChannel("doc.watched");
 * ```
 */
export class Watch {
  readonly #place: { directory?: string };
  #marks = new Map<string, Mark>();
  #lookedMs: number | undefined;

  /** @param place Directory of the ring files. Default: where channels are created. */
  constructor(place: { directory?: string } = {}) {
    this.#place = place;
  }

  /** Looks once. Cost: some system calls for each channel, and one for each slot in use. */
  look(): Look {
    const nowMs = performance.now();
    const elapsedMs = this.#lookedMs === undefined ? 0 : nowMs - this.#lookedMs;
    const earlier = this.#marks;
    this.#marks = new Map();
    this.#lookedMs = nowMs;
    const channels = listChannels(this.#place).map((entry) => {
      try {
        return this.#lookAt(entry, earlier, elapsedMs);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        return { ...entry, error: error.message };
      }
    });
    const services = readCounters(this.#place);
    return { timeMs: Date.now(), elapsedMs, channels, services };
  }

  #lookAt(entry: ChannelEntry, earlier: Map<string, Mark>, elapsedMs: number): WatchedChannel {
    using channel = openChannel(entry.name, { ...this.#place, readOnly: true, prefault: false });
    const { claimed, occupancy, nextSequence, producers, consumers, log } = channel.stats();
    const key = `${entry.bufferFile} ${channel.identity.createdMs}`;
    const watchPeer = (role: string) => (peer: Peer): WatchedPeer => ({
      ...peer,
      ...this.#move(`${key} ${role} ${peer.index} ${peer.pid} ${peer.name}`, peer, {
        earlier,
        elapsedMs,
        isIdle: peer.state !== "alive" || peer.lagMessages === 0 || role === "producer",
      }),
    });
    const watched = consumers.map(watchPeer("consumer")).map((consumer) => ({
      ...consumer,
      latency: new LatencyHistogram(channel.histogram("latency", consumer.index)),
    }));
    const gating = watched
      .filter(({ onSlow, state, lagBytes }) =>
        (onSlow === "hold" || onSlow === "block" && state !== "detached") && lagBytes > 0
      )
      .toSorted((left, right) => right.lagBytes - left.lagBytes);
    const messages = nextSequence - 1;
    const moved = this.#move(key, { messages, bytes: claimed, cursor: messages }, {
      earlier,
      elapsedMs,
      isIdle: true,
    });
    return {
      ...entry,
      createdMs: channel.identity.createdMs,
      sizeBytes: channel.sizeBytes,
      occupancyBytes: occupancy,
      claimedBytes: claimed,
      messages,
      messagesPerSecond: moved.messagesPerSecond,
      bytesPerSecond: moved.bytesPerSecond,
      schemaText: channel.schemaText,
      gatedBy: gating[0] ?? null,
      log: log === undefined ? null : {
        ...log,
        directory: channel.logDirectory ?? "",
        syncTime: new LatencyHistogram(channel.histogram("syncTime")),
        groupBytes: new LatencyHistogram(channel.histogram("groupBytes")),
      },
      producers: producers.map(watchPeer("producer")),
      // Without a name nobody comes back.
      consumers: watched.map((one) =>
        one.hasDied && one.name !== "" ? { ...one, state: "dead" } : one
      ),
      history: channel.history(),
    };
  }

  /** Compares with what was seen of it before, and remembers it. */
  #move(
    key: string,
    { messages, bytes, cursor }: { messages: number; bytes: number; cursor: number },
    { earlier, elapsedMs, isIdle }: {
      earlier: Map<string, Mark>;
      elapsedMs: number;
      isIdle: boolean;
    },
  ): { messagesPerSecond: number; bytesPerSecond: number; stalledMs: number } {
    const nowMs = this.#lookedMs!;
    const before = earlier.get(key);
    const hasMoved = before === undefined || isIdle || before.cursor !== cursor;
    const movedMs = hasMoved ? nowMs : before.movedMs;
    this.#marks.set(key, { messages, bytes, cursor, movedMs });
    const perSecond = (now: number, then: number) =>
      elapsedMs === 0 ? 0 : Math.max(0, now - then) * 1000 / elapsedMs;
    return {
      messagesPerSecond: before === undefined ? 0 : perSecond(messages, before.messages),
      bytesPerSecond: before === undefined ? 0 : perSecond(bytes, before.bytes),
      stalledMs: nowMs - movedMs,
    };
  }
}

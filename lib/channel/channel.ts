/**
 * Channels: named ring files that processes hand messages through.
 *
 * @module
 */

import { ChannelClosedError, LayoutMismatchError } from "../errors.ts";
import { type Durability, type LogReport, readDurability } from "../native/log.ts";
import { type HistogramCounts, type HistogramKind, readHistogram } from "../native/histogram.ts";
import { type HistoryEntry, readHistory } from "../native/history.ts";
import { shownText } from "../native/failure.ts";
import { checkSharedPath } from "../native/path.ts";
import { type Peer, readConsumers, readProducers } from "../native/peers.ts";
import * as ring from "../native/ring.ts";
import type { RingIdentity } from "../native/ring.ts";
import { type ChannelLog, logDirectoryOf, openLog } from "./channel_log.ts";
import {
  type ChannelOptions,
  type LogSettings,
  type OpenChannelOptions,
  parseSize,
  toLogSettings,
  toRingSettings,
} from "./channel_options.ts";
import { bufferFileOf, checkName } from "./directory.ts";
import { describeSchemaDifference } from "./schema.ts";

/** @ignore Something that lives no longer than its channel. */
export interface ChannelMember {
  close(): void;
}

/** An open channel. Made by {@linkcode createChannel} and {@linkcode openChannel}. */
export class Channel implements Disposable {
  /** The channel's name. */
  readonly name: string;
  /** Path of the ring file. */
  readonly bufferFile: string;
  readonly #handle: number;
  readonly #identity: RingIdentity;
  readonly #members = new Set<ChannelMember>();
  #log: ChannelLog | undefined;
  #view: ArrayBuffer | undefined;
  #isOpen = true;

  /** Whether it was opened to look only. */
  readonly isReadOnly: boolean;

  /** Takes an open handle over. */
  constructor(handle: number, bufferFile: string, isReadOnly = false) {
    this.isReadOnly = isReadOnly;
    this.#handle = handle;
    this.#identity = ring.readIdentity(handle);
    this.name = this.#identity.name;
    this.bufferFile = bufferFile;
  }

  /** Bytes of the ring. */
  get sizeBytes(): number {
    return this.#identity.capacity;
  }

  /** Whether one producer or many may write. */
  get producers(): "single" | "many" {
    return this.#identity.manyProducers ? "many" : "single";
  }

  /** Consumers that it has slots for. */
  get maxConsumers(): number {
    return this.#identity.consumersMax - (this.logDirectory === undefined ? 0 : 1);
  }

  /** Directory of its log; undefined without one. */
  get logDirectory(): string | undefined {
    return this.#identity.logPath === "" ? undefined : this.#identity.logPath;
  }

  /** What {@linkcode Producer.durable} waits for by default. */
  get durability(): "memory" | "disk" {
    return this.#identity.isLevelDisk ? "disk" : "memory";
  }

  /** What opening the log has found; undefined unless it was this process that opened it. */
  get recovered(): LogReport | undefined {
    return this.#log?.report;
  }

  /** Records start on a multiple of this many bytes. */
  get alignment(): number {
    return this.#identity.alignment;
  }

  /** Whether its messages carry their publish time. */
  get timestamps(): boolean {
    return this.#identity.timestamps;
  }

  /** Canonical text of the schema that it was created for; empty if it was for none. */
  get schemaText(): string {
    return this.#identity.schemaText;
  }

  /** Whether it has not been closed. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Returns how full the ring is, and who takes part. For looking at; changes while it is read.
   *
   * Cost: one system call for each slot that is in use.
   */
  stats(): ChannelStats {
    const report = ring.readReport(this.handle);
    const log = this.logDirectory === undefined ? undefined : readDurability(this.#handle);
    const consumers = readConsumers(this.#handle);
    // Who is killed while it writes the log does not say that it is gone.
    const hasWriter = consumers.some(({ onSlow, state }) => onSlow === "hold" && state === "alive");
    if (log !== undefined && log.state !== "failed" && !hasWriter) log.state = "absent";
    return { ...report, log, producers: readProducers(this.#handle), consumers };
  }

  /**
   * Returns a consumer's hand-off latency, from publishing to the poll that delivered.
   *
   * @param consumer Its slot: {@linkcode Peer.index} out of {@linkcode Channel.stats}.
   * @param shares Shares of the messages, 0 to 1: `[0.5, 0.99]` for the median and p99.
   * @returns Nanoseconds for each share (3 % wide), and how many messages were measured.
   * @throws {RangeError} If there is no such slot, or a share is not from 0 to 1.
   */
  latency(consumer: number, shares: readonly number[]): { count: number; values: number[] } {
    return ring.readLatency(this.handle, consumer, shares);
  }

  /**
   * Returns a histogram that is counted in the channel's memory, also of who is dead by now.
   *
   * `latency` is a consumer's: nanoseconds from publishing to the poll that delivered, empty
   * without timestamps. `syncTime` is nanoseconds that each sync of the log took, `groupBytes` the
   * bytes of the records in each group: what a sync costs goes by bytes. Both since the ring was
   * made. `LatencyHistogram` of `message_transport/observability` computes with it.
   *
   * Cost: some microseconds; 8 KiB are read.
   *
   * @param consumer Slot of the consumer whose latency it is: {@linkcode Peer.index}.
   * @throws {RangeError} If there is no such slot.
   */
  histogram(kind: HistogramKind, consumer = 0): HistogramCounts {
    return readHistogram(this.handle, kind, consumer);
  }

  /**
   * Returns what went wrong in this channel and was put right, also before this process came: the
   * newest 32 entries, the oldest of them first.
   *
   * An entry is there whole or not at all, whoever was killed over it; one that was being written
   * by a process that was killed is missing.
   */
  history(): HistoryEntry[] {
    return readHistory(this.handle);
  }

  /**
   * Closes the channel, and every producer and consumer that was opened on it. If this process
   * writes its log, everything published by now is in it on return. May be repeated.
   */
  close(): void {
    if (!this.#isOpen) return;
    for (const member of [...this.#members]) member.close();
    this.#log?.close();
    this.#isOpen = false;
    if (this.#view !== undefined) ring.detachView(this.#view);
    ring.closeHandle(this.#handle);
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @ignore The native handle. Not for applications. */
  get handle(): number {
    if (!this.#isOpen) throw new ChannelClosedError(this.name, "the handle");
    return this.#handle;
  }

  /** @ignore What the file says of itself. Not for applications. */
  get identity(): RingIdentity {
    return this.#identity;
  }

  /** @ignore The data area, both mappings, one buffer for all views. Not for applications. */
  get data(): ArrayBuffer {
    return this.#view ??= ring.viewData(this.handle, this.sizeBytes);
  }

  /** @ignore Makes the member close with the channel. Not for applications. */
  adopt(member: ChannelMember): void {
    this.#members.add(member);
  }

  /** @ignore This process's persister closes with the channel. Not for applications. */
  keepLog(log: ChannelLog): void {
    this.#log = log;
  }

  /** @ignore The member has closed by itself. Not for applications. */
  release(member: ChannelMember): void {
    this.#members.delete(member);
  }
}

/** How a channel stands. */
export interface ChannelStats {
  /** Bytes claimed since creation. */
  claimed: number;
  /** Sequence that the next message gets. */
  nextSequence: number;
  /** Bytes between the slowest blocking consumer and the newest claim. */
  occupancy: number;
  /** Whether the file still has its name; false after somebody removed it. */
  hasName: boolean;
  /** How its log stands; undefined without one. */
  log: Durability | undefined;
  /** Producers that it has or had. */
  producers: Peer[];
  /** Consumers that it has or had. */
  consumers: Peer[];
}

/**
 * Creates a channel, or opens it where it exists already.
 *
 * The order in which services start does not matter: whoever comes first creates the file, whole or
 * not at all; the others open it, after the options they name were compared with what it is.
 *
 * @param name 1 to 96 of `A-Z a-z 0-9 . _ -`, not beginning with a dot.
 * @throws {RangeError} If a name or a number is out of its range.
 * @throws {NoSpaceError} If the file system has too little room; nothing is left behind.
 * @throws {LayoutMismatchError} If the channel exists and is another than these options say.
 * @throws {CorruptHeaderError} If a file of that name is no sound ring file.
 *
 * @example A message through a channel
 * ```ts
 * import { createChannel, openConsumer, openProducer, removeChannel } from "message_transport";
 * import { assertEquals } from "@std/assert";
 *
 * {
 *   using channel = createChannel("doc.hello", { sizeBytes: "64KB" });
 *   const consumer = openConsumer(channel);
 *   const producer = openProducer(channel);
 *   producer.write(new TextEncoder().encode("hello"));
 *   const received: string[] = [];
 *   consumer.poll((message) => received.push(message.text));
 *   assertEquals(received, ["hello"]);
 * }
 * removeChannel("doc.hello");
 * ```
 */
export function createChannel(name: string, options: ChannelOptions = {}): Channel {
  checkName(name);
  const settings = toRingSettings(name, options);
  const logSettings = toLogSettings(settings, options);
  const { path, isDefault } = bufferFileOf(name, options);
  checkSharedPath(path, "read", "write"); // Before the log is made.
  if (logSettings !== undefined) refuseOther(name, options, logSettings);
  const log = logSettings && openLog(options.walDir!, logSettings);
  let channel: Channel | undefined;
  try {
    channel = createOrOpen(path, { ...settings, makeDirectory: isDefault }, options, log);
    if (log !== undefined) channel.keepLog(log);
    log?.start(path);
    return channel;
  } catch (error) {
    channel?.close();
    log?.close();
    throw error;
  }
}

function createOrOpen(
  path: string,
  settings: Omit<ring.CreateSettings, "log">,
  options: ChannelOptions,
  log: ChannelLog | undefined,
): Channel {
  const { name } = settings;
  for (let attempt = 0;; attempt++) {
    let refusal: Error | undefined;
    try {
      const ringLog = log?.acquire();
      if (log === undefined || ringLog !== undefined) {
        return new Channel(ring.createRing(path, { ...settings, log: ringLog }), path);
      }
    } catch (error) {
      // One of the channel's group may open what it may not make.
      if (error instanceof Deno.errors.PermissionDenied) refusal = error;
      else if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
    try {
      return checkSame(openChannel(name, options), options, log);
    } catch (error) {
      // Removed between the two calls, or from before this host's last start: once more.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      if (refusal !== undefined) throw refusal;
      const isOthers = log !== undefined && !log.isAcquired;
      if (isOthers) log.awaitOwner(attempt);
      else if (attempt > 9) throw error;
      ring.removeStaleRing(path, name);
    }
  }
}

/**
 * Opens a channel that exists.
 *
 * @throws {Deno.errors.NotFound} If it does not.
 * @throws {LayoutMismatchError} If it was created for another schema, or by another version.
 * @throws {CorruptHeaderError} If the file is no sound ring file.
 */
export function openChannel(name: string, options: OpenChannelOptions = {}): Channel {
  checkName(name);
  const { path } = bufferFileOf(name, options);
  const { prefault = true, lock = false, readOnly = false, schema } = options;
  const handle = ring.openRing(path, name, { prefault, lock, readOnly });
  const channel = new Channel(handle, path, readOnly);
  const { schemaHash, schemaText } = channel.identity;
  if (schema === undefined || schema.hash === schemaHash && schema.text === schemaText) {
    return channel;
  }
  channel.close();
  const shown = shownText(schemaText);
  const difference = describeSchemaDifference(schema.text, shown);
  const found = shown === "" ? "none" : shown;
  throw new LayoutMismatchError(path, "schema", schema.text, found, difference);
}

/** Refuses a ring that is there and is another one, before a log is made that it will not have. */
function refuseOther(name: string, options: ChannelOptions, settings: LogSettings): void {
  const log = {
    directory: logDirectoryOf(options.walDir!, name),
    level: settings.isLevelDisk ? "disk" : "memory",
  } as const;
  try {
    const looking = { ...options, prefault: false, lock: false, readOnly: true };
    checkSame(openChannel(name, looking), options, log).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Compares what the caller has named with what the existing channel is. */
function checkSame(
  channel: Channel,
  options: ChannelOptions,
  log: Pick<ChannelLog, "directory" | "level"> | undefined,
): Channel {
  const wanted: [string, unknown, unknown][] = [
    ["walDir with the log", log?.directory, channel.logDirectory ?? "none"],
    ["durability", options.durability && log?.level, channel.durability],
    ["sizeBytes", options.sizeBytes && parseSize(options.sizeBytes), channel.sizeBytes],
    ["producers", options.producers, channel.producers],
    ["maxConsumers", options.maxConsumers, channel.maxConsumers],
    ["alignment", options.alignment, channel.alignment],
    ["timestamps", options.timestamps, channel.timestamps],
  ];
  for (const [what, expected, actual] of wanted) {
    if (expected === undefined || expected === actual) continue;
    channel.close();
    const advice = "use the same options, or remove the channel with removeChannel()";
    throw new LayoutMismatchError(channel.bufferFile, what, `${expected}`, `${actual}`, advice);
  }
  return channel;
}

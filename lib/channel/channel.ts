/**
 * Channels: named ring files that processes hand messages through.
 *
 * @module
 */

import { ChannelClosedError, LayoutMismatchError } from "../errors.ts";
import { ALIGNMENT_MAX, CAPACITY_MAX, CAPACITY_MIN, CONSUMERS_MAX } from "../native/_layout.ts";
import * as ring from "../native/ring.ts";
import type { Peer, RingIdentity } from "../native/ring.ts";
import { bufferFileOf, type ChannelPlace, checkName } from "./directory.ts";
import { describeSchemaDifference, type Schema } from "./schema.ts";

/** A size in bytes, or text such as `"64MB"` (KB, MB and GB are powers of 1024). */
export type Size = number | string;

/** How an existing channel is opened. */
export interface OpenChannelOptions extends ChannelPlace {
  /** What its messages look like; compared with what the channel was created for. */
  schema?: Pick<Schema, "text" | "hash">;
  /** Touch every page now rather than under the first message. Default: true. */
  prefault?: boolean;
  /** Keep the pages in memory (`mlock`); needs a large enough `ulimit -l`. Default: false. */
  lock?: boolean;
  /** Open it to look only: no producer or consumer, but observers. Default: false. */
  readOnly?: boolean;
}

/** What a new channel is. */
export interface ChannelOptions extends Omit<OpenChannelOptions, "readOnly"> {
  /** Bytes of the ring: a power of two from 4 KiB to 64 GiB. Default: 8 MiB. */
  sizeBytes?: Size;
  /** `many` lets up to 64 producers write at once, at a higher cost for each. Default: `single`. */
  producers?: "single" | "many";
  /** Consumers at the same time: 1 to 64. Default: 16. */
  maxConsumers?: number;
  /**
   * Records start on a multiple of this: a power of two from 8 to 512. 64 keeps small records on
   * a line of their own, which is fastest; 8 packs them. Default: 64.
   */
  alignment?: number;
  /** Give every message its publish time, so that latencies are measured. Default: false. */
  timestamps?: boolean;
  /** Ask for huge pages, for rings of many MiB. A wish: the kernel decides. Default: false. */
  hugePages?: boolean;
  /** Id of a group whose members share the channel (file mode 0660). Default: this user alone. */
  group?: number;
}

const DEFAULT_SIZE_BYTES = 8 * 1024 * 1024;
const DEFAULT_CONSUMERS = 16;
const DEFAULT_ALIGNMENT = 64;

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
    return this.#identity.consumersMax;
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
    return {
      ...report,
      producers: ring.readProducers(this.#handle),
      consumers: ring.readConsumers(this.#handle),
    };
  }

  /**
   * Returns a consumer's hand-off latency, from publishing to the poll that delivered.
   *
   * @param consumer Its slot: {@linkcode Peer.index} out of {@linkcode Channel.stats}.
   * @param shares Shares of the messages, 0 to 1: `[0.5, 0.99]` for the median and p99.
   * @returns Nanoseconds for each share (3 % wide), and how many messages were measured.
   */
  latency(consumer: number, shares: readonly number[]): { count: number; values: number[] } {
    return ring.readLatency(this.handle, consumer, shares);
  }

  /** Closes the channel, and every producer and consumer that was opened on it. May be repeated. */
  close(): void {
    if (!this.#isOpen) return;
    for (const member of [...this.#members]) member.close();
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
  const settings = toSettings(name, options);
  const { path, isDefault } = bufferFileOf(name, options);
  for (let attempt = 0;; attempt++) {
    try {
      const handle = ring.createRing(path, { ...settings, makeDirectory: isDefault });
      return new Channel(handle, path);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
    try {
      return checkSame(openChannel(name, options), options);
    } catch (error) {
      // Removed between the two calls, or from before this host's last start: once more.
      if (!(error instanceof Deno.errors.NotFound) || attempt > 9) throw error;
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
  const difference = describeSchemaDifference(schema.text, schemaText);
  const found = schemaText === "" ? "none" : schemaText;
  throw new LayoutMismatchError(path, "schema", schema.text, found, difference);
}

function toSettings(
  name: string,
  options: ChannelOptions,
): Omit<ring.CreateSettings, "makeDirectory"> {
  const capacity = parseSize(options.sizeBytes ?? DEFAULT_SIZE_BYTES);
  const consumersMax = options.maxConsumers ?? DEFAULT_CONSUMERS;
  const alignment = options.alignment ?? DEFAULT_ALIGNMENT;
  if (!isPowerOfTwo(capacity) || capacity < CAPACITY_MIN || capacity > CAPACITY_MAX) {
    throw new RangeError(
      `Cannot create channel "${name}": expected sizeBytes to be a power of two ` +
        `from ${CAPACITY_MIN} to ${CAPACITY_MAX}, found ${capacity}`,
    );
  }
  if (!Number.isInteger(consumersMax) || consumersMax < 1 || consumersMax > CONSUMERS_MAX) {
    throw new RangeError(
      `Cannot create channel "${name}": expected maxConsumers from 1 to ${CONSUMERS_MAX}, ` +
        `found ${consumersMax}`,
    );
  }
  if (!isPowerOfTwo(alignment) || alignment < 8 || alignment > ALIGNMENT_MAX) {
    throw new RangeError(
      `Cannot create channel "${name}": expected alignment to be a power of two ` +
        `from 8 to ${ALIGNMENT_MAX}, found ${alignment}`,
    );
  }
  const producers = options.producers ?? "single";
  if (producers !== "single" && producers !== "many") {
    throw new TypeError(
      `Cannot create channel "${name}": expected producers "single" or "many", ` +
        `found "${producers}"`,
    );
  }
  return {
    name,
    capacity,
    alignment,
    consumersMax,
    manyProducers: producers === "many",
    timestamps: options.timestamps ?? false,
    hugePages: options.hugePages ?? false,
    group: options.group,
    schemaHash: options.schema?.hash ?? 0,
    schemaText: options.schema?.text ?? "",
    prefault: options.prefault ?? true,
    lock: options.lock ?? false,
  };
}

function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && Number.isInteger(Math.log2(value));
}

const UNITS: Record<string, number> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

function parseSize(size: Size): number {
  if (typeof size === "number") return size;
  const match = /^(\d+)\s*([KMG]?)(?:i?B)?$/i.exec(size.trim());
  if (match === null) {
    throw new RangeError(`Cannot read "${size}" as a size: expected bytes, or text such as "64MB"`);
  }
  return Number(match[1]) * UNITS[match[2]!.toUpperCase()]!;
}

/** Compares what the caller has named with what the existing channel is. */
function checkSame(channel: Channel, options: ChannelOptions): Channel {
  const wanted: [string, unknown, unknown][] = [
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

/**
 * What a channel is made with, and how that is checked.
 *
 * @module
 */

import {
  ALIGNMENT_MAX,
  CAPACITY_MAX,
  CAPACITY_MIN,
  CONSUMERS_MAX,
  PAGE_BYTES,
  SEGMENT_BYTES_MAX,
  SEGMENT_BYTES_MIN,
} from "../native/_layout.ts";
import type { PersisterSettings } from "../native/log.ts";
import type { CreateSettings } from "../native/ring.ts";
import { type ChannelPlace, checkGroup } from "./directory.ts";
import type { Schema } from "./schema.ts";

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

/** The log of a channel. */
export interface LogOptions {
  /**
   * What producers wait for by default: `disk` until a message survives the host, `memory` not at
   * all. Default: `memory`, without a log unless `walDir` is given; then messages with the flag
   * `critical` are made durable at once, and the others as `sync` says.
   */
  durability?: "memory" | "disk";
  /** Directory of logs; this one's is `<walDir>/<name>`. Needs permission to read and write it. */
  walDir?: string;
  /**
   * When a group of messages is synced: each (`group`), every so many milliseconds, or never
   * (`none`: survives the process, not the host). Default: `group`, with `memory` `none`.
   */
  sync?: "group" | "none" | { intervalMs: number };
  /** `direct` writes past the page cache, in whole pages. Default: `buffered`. */
  io?: "buffered" | "direct";
  /** Bytes of a segment: whole pages, 256 KiB to 1 GiB. Default: 64 MiB. */
  segmentBytes?: Size;
  /** How often consumers' cursors are written down and segments cut. Default: 5000. */
  snapshotIntervalMs?: number;
  /** A cap on the log's size. Default: none, so that nothing is cut that somebody needs. */
  retention?: Retention;
  /**
   * Who writes the log: a thread of this process, unless another process does (`inside`), or only
   * somebody else, as `mt persist` (`outside`). Default: `inside`.
   */
  persister?: "inside" | "outside";
}

/** A cap on the size of a log. */
export interface Retention {
  /** Bytes of all its segments. */
  maxBytes: Size;
  /**
   * At the cap, `block` refuses producers (`WAL_FULL`) until consumers have moved on; `cut` drops
   * the oldest segments although they are needed, and counts that. Default: `block`.
   */
  whenFull?: "block" | "cut";
}

/** What a new channel is. */
export interface ChannelOptions extends Omit<OpenChannelOptions, "readOnly">, LogOptions {
  /** Bytes of the ring: a power of two from 4 KiB to 64 GiB. Default: 8 MiB. */
  sizeBytes?: Size;
  /** `many` lets up to 64 producers write at once, at a higher cost for each. Default: `single`. */
  producers?: "single" | "many";
  /** Consumers at the same time: 1 to 64, with a log 1 to 63. Default: 16. */
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
const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024;
const DEFAULT_SNAPSHOT_MS = 5_000;

/** Everything that makes a ring, but for its place and its log. */
export type RingSettings = Omit<CreateSettings, "makeDirectory" | "log">;

/**
 * Returns what a ring is made with.
 *
 * @throws {RangeError} If a number is out of its range.
 */
export function toRingSettings(name: string, options: ChannelOptions): RingSettings {
  const capacity = parseSize(options.sizeBytes ?? DEFAULT_SIZE_BYTES);
  const consumers = options.maxConsumers ?? DEFAULT_CONSUMERS;
  const alignment = options.alignment ?? DEFAULT_ALIGNMENT;
  const consumersMax = CONSUMERS_MAX - (options.walDir === undefined ? 0 : 1);
  if (!isPowerOfTwo(capacity) || capacity < CAPACITY_MIN || capacity > CAPACITY_MAX) {
    const range = `a power of two from ${CAPACITY_MIN} to ${CAPACITY_MAX}`;
    throw outOfRange(name, "sizeBytes", range, capacity);
  }
  if (!Number.isInteger(consumers) || consumers < 1 || consumers > consumersMax) {
    throw outOfRange(name, "maxConsumers", `1 to ${consumersMax}`, consumers);
  }
  if (!isPowerOfTwo(alignment) || alignment < 8 || alignment > ALIGNMENT_MAX) {
    throw outOfRange(name, "alignment", `a power of two from 8 to ${ALIGNMENT_MAX}`, alignment);
  }
  checkGroup(options.group);
  const producers = oneOf(name, "producers", options.producers ?? "single", ["single", "many"]);
  return {
    name,
    capacity,
    alignment,
    // The persister takes one.
    consumersMax: consumers + (options.walDir === undefined ? 0 : 1),
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

/** How a log is written, and whether producers wait for the disk by default. */
export interface LogSettings {
  persister: PersisterSettings;
  isLevelDisk: boolean;
  isInside: boolean;
}

/**
 * Returns how a channel's log is written; undefined for one without.
 *
 * @throws {RangeError} If a number is out of its range.
 * @throws {TypeError} If options contradict each other.
 */
export function toLogSettings(
  ring: RingSettings,
  options: LogOptions,
): LogSettings | undefined {
  const { name } = ring;
  const durability = oneOf(name, "durability", options.durability ?? "memory", ["memory", "disk"]);
  if (options.walDir === undefined) {
    const given = LOG_ONLY.find((key) => key in options) ??
      (durability === "disk" ? 'durability "disk"' : undefined);
    if (given === undefined) return undefined;
    throw new TypeError(`Cannot create channel "${name}" with ${given}: expected walDir as well`);
  }
  const sync = options.sync ?? (durability === "disk" ? "group" : "none");
  const intervalMs = typeof sync === "object" ? sync.intervalMs : sync === "group" ? 0 : Infinity;
  if (typeof sync === "object" && !(intervalMs >= 1 && intervalMs <= 1e6)) {
    throw outOfRange(name, "sync.intervalMs", "1 to 1000000", intervalMs);
  }
  if (typeof sync !== "object") oneOf(name, "sync", sync, ["group", "none"]);
  const segmentBytes = parseSize(options.segmentBytes ?? DEFAULT_SEGMENT_BYTES);
  const isWhole = segmentBytes % PAGE_BYTES === 0;
  if (!isWhole || segmentBytes < SEGMENT_BYTES_MIN || segmentBytes > SEGMENT_BYTES_MAX) {
    const range = `whole pages from ${SEGMENT_BYTES_MIN} to ${SEGMENT_BYTES_MAX}`;
    throw outOfRange(name, "segmentBytes", range, segmentBytes);
  }
  const snapshotIntervalMs = options.snapshotIntervalMs ?? DEFAULT_SNAPSHOT_MS;
  if (!(snapshotIntervalMs >= 0 && snapshotIntervalMs <= 1e9)) {
    throw outOfRange(name, "snapshotIntervalMs", "0 to 1e9", snapshotIntervalMs);
  }
  const { retention } = options;
  const whenFull = oneOf(name, "whenFull", retention?.whenFull ?? "block", ["block", "cut"]);
  const logBytesMax = retention === undefined ? 0 : parseSize(retention.maxBytes);
  if (retention !== undefined && !(logBytesMax >= 2 * segmentBytes)) {
    throw outOfRange(name, "retention.maxBytes", "two segments or more", logBytesMax);
  }
  const persister = oneOf(name, "persister", options.persister ?? "inside", ["inside", "outside"]);
  return {
    isLevelDisk: durability === "disk" && intervalMs !== Infinity,
    isInside: persister === "inside",
    persister: {
      name,
      alignment: ring.alignment,
      timestamps: ring.timestamps,
      schemaHash: ring.schemaHash,
      schemaText: ring.schemaText,
      segmentBytes,
      syncIntervalMs: intervalMs,
      snapshotIntervalMs,
      direct: oneOf(name, "io", options.io ?? "buffered", ["buffered", "direct"]) === "direct",
      logBytesMax,
      cutsWhenFull: whenFull === "cut",
    },
  };
}

/** What only a channel with a log can be told. */
const LOG_ONLY = ["sync", "io", "segmentBytes", "snapshotIntervalMs", "retention", "persister"];

function outOfRange(name: string, what: string, expected: string, found: unknown): RangeError {
  return new RangeError(
    `Cannot create channel "${name}": expected ${what} to be ${expected}, found ${found}`,
  );
}

function oneOf<T extends string>(name: string, what: string, found: T, allowed: T[]): T {
  if (allowed.includes(found)) return found;
  const expected = allowed.map((value) => `"${value}"`).join(" or ");
  throw new TypeError(
    `Cannot create channel "${name}": expected ${what} ${expected}, found "${found}"`,
  );
}

function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && Number.isInteger(Math.log2(value));
}

const UNITS: Record<string, number> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/**
 * Returns a size in bytes.
 *
 * @throws {RangeError} If the text is no size.
 */
export function parseSize(size: Size): number {
  if (typeof size === "number") return size;
  const match = /^(\d+)\s*([KMG]?)(?:i?B)?$/i.exec(size.trim());
  if (match === null) {
    throw new RangeError(`Cannot read "${size}" as a size: expected bytes, or text such as "64MB"`);
  }
  return Number(match[1]) * UNITS[match[2]!.toUpperCase()]!;
}

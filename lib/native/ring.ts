/**
 * Ring files across the border: opening calls, reports, and the view of a mapping.
 *
 * Thin typed calls: arguments in, a value or an error out. The hot calls (`offer`, `poll`) are made
 * by `lib/channel` on {@linkcode native} itself.
 *
 * @module
 */

import type { RecordFault } from "../errors.ts";
import * as layout from "./_layout.ts";
import { type Context, Detail, failure, readText } from "./failure.ts";
import { native } from "./library.ts";
import { readNames } from "./names.ts";
import { grantedPath, grantedSharedPath, isAbsolute, isPermitted } from "./path.ts";

const encoder = new TextEncoder();

function checked(status: number, context: Context, detail: Detail): number {
  if (status < 0) throw failure(status, context, detail);
  return status;
}

/** How a ring is mapped. */
export interface MapSettings {
  /** Touch every page at opening. */
  prefault: boolean;
  /** Keep the pages in memory. */
  lock: boolean;
}

/** Everything that makes a ring file. */
export interface CreateSettings extends MapSettings {
  name: string;
  capacity: number;
  alignment: number;
  consumersMax: number;
  manyProducers: boolean;
  timestamps: boolean;
  hugePages: boolean;
  group: number | undefined;
  schemaHash: number;
  schemaText: string;
  /** The log that its records go to, if there is one. */
  log: RingLog | undefined;
  /** Make the last directory of the path if it is missing. */
  makeDirectory: boolean;
}

/** What a ring says of its log. */
export interface RingLog {
  /** Directory of the log, absolute. */
  path: string;
  logId: Uint8Array<ArrayBuffer>;
  salt: number;
  /** Sequence of the ring's first record. */
  firstSequence: number;
  /** Whether producers wait for the disk by default. */
  isLevelDisk: boolean;
}

function writeMap(view: DataView, offset: number, settings: MapSettings): void {
  view.setUint32(offset + layout.MAP_PARAMETERS_PREFAULT_OFFSET, Number(settings.prefault), true);
  view.setUint32(offset + layout.MAP_PARAMETERS_LOCK_OFFSET, Number(settings.lock), true);
}

/** Writes what concerns the log into creation parameters. Returns the channel's flags for it. */
function writeLog(bytes: Uint8Array<ArrayBuffer>, log: RingLog): number {
  const view = new DataView(bytes.buffer);
  const path = encoder.encode(log.path);
  if (path.length >= layout.LOG_PATH_BYTES_MAX) {
    throw new RangeError(
      `Cannot use "${log.path}" as the directory of a log: expected less than ` +
        `${layout.LOG_PATH_BYTES_MAX} bytes, found ${path.length}`,
    );
  }
  view.setUint32(layout.CREATE_PARAMETERS_SALT_OFFSET, log.salt, true);
  view.setUint32(layout.CREATE_PARAMETERS_LOG_PATH_BYTES_OFFSET, path.length, true);
  view.setFloat64(layout.CREATE_PARAMETERS_FIRST_SEQUENCE_OFFSET, log.firstSequence, true);
  bytes.set(log.logId, layout.CREATE_PARAMETERS_LOG_ID_OFFSET);
  bytes.set(path, layout.CREATE_PARAMETERS_LOG_PATH_OFFSET);
  return layout.CHANNEL_DURABLE | (log.isLevelDisk ? layout.CHANNEL_LEVEL_DISK : 0);
}

/** Makes a ring file and opens it. Returns a channel handle. */
export function createRing(path: string, settings: CreateSettings): number {
  const bytes = new Uint8Array(layout.CREATE_PARAMETERS_SIZE);
  const view = new DataView(bytes.buffer);
  const name = encoder.encode(settings.name);
  const schema = encoder.encode(settings.schemaText);
  let flags = 0;
  if (settings.manyProducers) flags |= layout.CHANNEL_MANY_PRODUCERS;
  if (settings.timestamps) flags |= layout.CHANNEL_TIMESTAMPED;
  if (settings.hugePages) flags |= layout.CHANNEL_HUGE_PAGES;
  if (settings.group !== undefined) flags |= layout.CHANNEL_GROUP_SHARED;
  if (settings.log !== undefined) flags |= writeLog(bytes, settings.log);
  view.setFloat64(layout.CREATE_PARAMETERS_CAPACITY_OFFSET, settings.capacity, true);
  view.setUint32(layout.CREATE_PARAMETERS_ALIGNMENT_OFFSET, settings.alignment, true);
  view.setUint32(layout.CREATE_PARAMETERS_CONSUMERS_MAX_OFFSET, settings.consumersMax, true);
  view.setUint32(layout.CREATE_PARAMETERS_FLAGS_OFFSET, flags, true);
  view.setUint32(layout.CREATE_PARAMETERS_GROUP_OFFSET, settings.group ?? 0, true);
  view.setUint32(layout.CREATE_PARAMETERS_SCHEMA_HASH_OFFSET, settings.schemaHash, true);
  view.setUint32(layout.CREATE_PARAMETERS_SCHEMA_BYTES_OFFSET, schema.length, true);
  view.setUint32(layout.CREATE_PARAMETERS_NAME_BYTES_OFFSET, name.length, true);
  const make = Number(settings.makeDirectory);
  view.setUint32(layout.CREATE_PARAMETERS_MAKE_DIRECTORY_OFFSET, make, true);
  writeMap(view, layout.CREATE_PARAMETERS_MAP_OFFSET, settings);
  bytes.set(name, layout.CREATE_PARAMETERS_NAME_OFFSET);
  bytes.set(schema, layout.CREATE_PARAMETERS_SCHEMA_OFFSET);
  const detail = new Detail();
  const status = native()
    .mt_channel_create(grantedSharedPath(path, "read", "write"), bytes, detail.bytes);
  return withLog(checked(status, { action: "create", path, channel: settings.name }, detail));
}

/** Lets consumers of a channel read in its log, where that is permitted. Returns the handle. */
function withLog(handle: number): number {
  const { logPath } = readIdentity(handle);
  // Whoever made the file wrote the path: it may say anything.
  if (isAbsolute(logPath) && isPermitted(logPath, "read")) {
    native().mt_channel_grant_log(handle, grantedPath(logPath, "read"));
  }
  return handle;
}

/** Opens a ring file. An empty name takes whichever channel it holds. Returns a channel handle. */
export function openRing(
  path: string,
  name: string,
  settings: MapSettings & { readOnly: boolean },
): number {
  const bytes = new Uint8Array(layout.OPEN_PARAMETERS_SIZE);
  const view = new DataView(bytes.buffer);
  const encoded = encoder.encode(name);
  view.setUint32(layout.OPEN_PARAMETERS_NAME_BYTES_OFFSET, encoded.length, true);
  view.setUint32(layout.OPEN_PARAMETERS_READ_ONLY_OFFSET, Number(settings.readOnly), true);
  writeMap(view, layout.OPEN_PARAMETERS_MAP_OFFSET, settings);
  bytes.set(encoded, layout.OPEN_PARAMETERS_NAME_OFFSET);
  const detail = new Detail();
  const uses = settings.readOnly ? ["read"] as const : ["read", "write"] as const;
  const status = native().mt_channel_open(grantedSharedPath(path, ...uses), bytes, detail.bytes);
  return withLog(checked(status, { action: "open", path, channel: name }, detail));
}

/** Removes a ring file. */
export function removeRing(path: string, name: string): void {
  const detail = new Detail();
  const status = native().mt_channel_remove(grantedSharedPath(path, "write"), detail.bytes);
  checked(status, { action: "remove", path, channel: name }, detail);
}

const UNUSED_VERDICTS = {
  [layout.UNUSED_VERDICT_REMOVED]: "removed",
  [layout.UNUSED_VERDICT_IN_USE]: "in use",
  [layout.UNUSED_VERDICT_UNLOGGED]: "unlogged",
} as const;

/** What became of a ring file that was to be removed if nobody uses it. */
export interface UnusedRemoval {
  /**
   * `in use`: a living process has it open. `unlogged`: its log lacks messages that are in the ring
   * alone.
   */
  verdict: "removed" | "in use" | "unlogged";
  /** Bytes in the ring that its log lacks. */
  unloggedBytes: number;
}

/** Removes a ring file if nobody has it open; with `onlyLook` says what that would do. */
export function removeUnusedRing(path: string, name: string, onlyLook: boolean): UnusedRemoval {
  const detail = new Detail();
  const call = native().mt_channel_remove_unused;
  const place = grantedSharedPath(path, "read", "write");
  const status = call(place, Number(onlyLook), detail.bytes);
  checked(status, { action: "remove", path, channel: name }, detail);
  const verdict = UNUSED_VERDICTS[status as keyof typeof UNUSED_VERDICTS];
  return { verdict, unloggedBytes: verdict === "unlogged" ? detail.needed : 0 };
}

/** Removes a ring file if it is of before this host's last start. Does nothing to any other. */
export function removeStaleRing(path: string, name: string): void {
  const detail = new Detail();
  const place = grantedSharedPath(path, "read", "write");
  const status = native().mt_channel_remove_stale(place, detail.bytes);
  if (status === layout.NOT_FOUND) return; // Not even the directory: nobody has made a ring yet.
  checked(status, { action: "remove", path, channel: name }, detail);
}

/** Returns the names of the channels in a directory, sorted. An absent directory has none. */
export function listRings(directory: string): string[] {
  const detail = new Detail();
  const path = grantedSharedPath(directory, "read");
  return readNames(
    (bytes, size) => native().mt_directory_list(path, bytes, size, detail.bytes),
    (status) => failure(status, { action: "list", path: directory, channel: "" }, detail),
  );
}

/** Closes a handle of any kind. False if it was closed before. */
export function closeHandle(handle: number): boolean {
  return native().mt_close(handle) === layout.OK;
}

/** What a ring file says of itself. */
export interface RingIdentity {
  name: string;
  capacity: number;
  alignment: number;
  consumersMax: number;
  manyProducers: boolean;
  timestamps: boolean;
  salt: number;
  schemaHash: number;
  schemaText: string;
  createdMs: number;
  headerBytes: number;
  firstSequence: number;
  /** Directory of its log; empty without one. */
  logPath: string;
  /** Whether producers wait for the disk by default. */
  isLevelDisk: boolean;
}

/** Returns the identity of an open channel. */
export function readIdentity(handle: number): RingIdentity {
  const bytes = new Uint8Array(layout.IDENTITY_SIZE);
  native().mt_channel_identity(handle, bytes);
  return decodeIdentity(bytes);
}

/** Reads the identity page of a ring file, whether it verifies or not. */
export function decodeIdentity(bytes: Uint8Array<ArrayBuffer>): RingIdentity {
  const view = new DataView(bytes.buffer, bytes.byteOffset, layout.IDENTITY_SIZE);
  const u32 = (offset: number) => view.getUint32(offset, true);
  const u64 = (offset: number) => Number(view.getBigUint64(offset, true));
  const flags = u32(layout.IDENTITY_FLAGS_OFFSET);
  const nameBytes = u32(layout.IDENTITY_NAME_BYTES_OFFSET);
  const schemaBytes = u32(layout.IDENTITY_SCHEMA_BYTES_OFFSET);
  const logPathBytes = u32(layout.IDENTITY_LOG_PATH_BYTES_OFFSET);
  return {
    name: readText(bytes, layout.IDENTITY_NAME_OFFSET, nameBytes),
    capacity: u64(layout.IDENTITY_CAPACITY_OFFSET),
    alignment: u32(layout.IDENTITY_ALIGNMENT_OFFSET),
    consumersMax: u32(layout.IDENTITY_CONSUMERS_MAX_OFFSET),
    manyProducers: (flags & layout.CHANNEL_MANY_PRODUCERS) !== 0,
    timestamps: (flags & layout.CHANNEL_TIMESTAMPED) !== 0,
    salt: u32(layout.IDENTITY_SALT_OFFSET),
    schemaHash: u32(layout.IDENTITY_SCHEMA_HASH_OFFSET),
    schemaText: readText(bytes, layout.IDENTITY_SCHEMA_OFFSET, schemaBytes),
    createdMs: u64(layout.IDENTITY_CREATED_NS_OFFSET) / 1e6,
    headerBytes: u64(layout.IDENTITY_HEADER_BYTES_OFFSET),
    firstSequence: u64(layout.IDENTITY_FIRST_SEQUENCE_OFFSET),
    logPath: readText(bytes, layout.IDENTITY_LOG_PATH_OFFSET, logPathBytes),
    isLevelDisk: (flags & layout.CHANNEL_LEVEL_DISK) !== 0,
  };
}

/** How full a ring is. */
export interface RingReport {
  /** Bytes claimed since creation. */
  claimed: number;
  /** Sequence that the next message gets. */
  nextSequence: number;
  /** Bytes between the slowest gating consumer and the newest claim. */
  occupancy: number;
  /** Whether the file still has its name. */
  hasName: boolean;
}

/** Returns how full an open channel is. */
export function readReport(handle: number): RingReport {
  const bytes = new Uint8Array(layout.CHANNEL_REPORT_SIZE);
  const view = new DataView(bytes.buffer);
  native().mt_channel_report(handle, bytes);
  return {
    claimed: view.getFloat64(layout.CHANNEL_REPORT_CLAIMED_OFFSET, true),
    nextSequence: view.getFloat64(layout.CHANNEL_REPORT_NEXT_SEQUENCE_OFFSET, true),
    occupancy: view.getFloat64(layout.CHANNEL_REPORT_OCCUPANCY_OFFSET, true),
    hasName: view.getFloat64(layout.CHANNEL_REPORT_HAS_NAME_OFFSET, true) === 1,
  };
}

/** Returns what stands at a consumer's place, when that is damaged. */
export function readFault(consumerHandle: number): RecordFault {
  const bytes = new Uint8Array(layout.FAULT_SIZE);
  const view = new DataView(bytes.buffer);
  native().mt_consumer_fault(consumerHandle, bytes);
  return {
    offset: view.getFloat64(layout.FAULT_OFFSET_OFFSET, true),
    expectedSequence: view.getFloat64(layout.FAULT_EXPECTED_SEQUENCE_OFFSET, true),
    actualSequence: view.getFloat64(layout.FAULT_ACTUAL_SEQUENCE_OFFSET, true),
    expectedCrc: view.getFloat64(layout.FAULT_EXPECTED_CRC_OFFSET, true),
    actualCrc: view.getFloat64(layout.FAULT_ACTUAL_CRC_OFFSET, true),
  };
}

/** Reads latency percentiles of a consumer slot: ns for each share, and how many were measured. */
export function readLatency(
  handle: number,
  index: number,
  shares: readonly number[],
): { count: number; values: number[] } {
  const wanted = Float64Array.from(shares);
  const out = new Float64Array(wanted.length);
  const count = native().mt_channel_latency(handle, index, wanted, out, wanted.length);
  if (count === layout.INVALID_ARGUMENT) {
    throw new RangeError(
      `Cannot read the latency of consumer slot ${index} at ${shares}: expected a slot that ` +
        `there is, and shares from 0 to 1`,
    );
  }
  return { count: Math.max(0, count), values: [...out] };
}

/**
 * Returns the data area as one ArrayBuffer: both mappings of it, `2 × capacity` bytes.
 *
 * Make one for each mapping and keep it: each adds its size to what V8 believes is allocated. Needs
 * unscoped `--allow-ffi`. {@linkcode detachView} must come before the handle is closed.
 */
export function viewData(handle: number, capacity: number): ArrayBuffer {
  const pointer = native().mt_channel_data(handle);
  if (pointer === null) throw new TypeError("Cannot view the data of a channel: found it closed");
  return Deno.UnsafePointerView.getArrayBuffer(pointer, 2 * capacity);
}

/** Makes every view of the buffer empty, so that a stale reference throws and reads nothing. */
export function detachView(buffer: ArrayBuffer): void {
  buffer.transfer();
}

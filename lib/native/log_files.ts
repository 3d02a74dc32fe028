/**
 * What the files of a log say of themselves, sound or not: for people who look at them.
 *
 * @module
 */

import * as layout from "./_layout.ts";
import { readText } from "./failure.ts";
import { native } from "./library.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A reader of little-endian fields from a place on. */
function fieldsOf(bytes: Bytes, start: number) {
  const view = new DataView(bytes.buffer, bytes.byteOffset + start);
  return {
    u32: (offset: number) => view.getUint32(offset, true),
    u64: (offset: number) => Number(view.getBigUint64(offset, true)),
  };
}

/** Which log a file is of. */
export interface LogFileIdentity {
  logId: string;
  channel: string;
  salt: number;
  recordAlignment: number;
  timestamps: boolean;
  schemaHash: number;
  schemaText: string;
}

function decodeIdentity(bytes: Bytes, start: number): LogFileIdentity {
  const { u32 } = fieldsOf(bytes, start);
  const text = (offset: number, size: number, most: number) =>
    readText(bytes, start + offset, Math.min(size, most));
  const id = start + layout.LOG_IDENTITY_LOG_ID_OFFSET;
  return {
    logId: toHex(bytes.subarray(id, id + layout.LOG_ID_BYTES)),
    channel: text(
      layout.LOG_IDENTITY_NAME_OFFSET,
      u32(layout.LOG_IDENTITY_NAME_BYTES_OFFSET),
      layout.NAME_BYTES_MAX,
    ),
    salt: u32(layout.LOG_IDENTITY_SALT_OFFSET),
    recordAlignment: u32(layout.LOG_IDENTITY_RECORD_ALIGNMENT_OFFSET),
    timestamps: (u32(layout.LOG_IDENTITY_FLAGS_OFFSET) & layout.CHANNEL_TIMESTAMPED) !== 0,
    schemaHash: u32(layout.LOG_IDENTITY_SCHEMA_HASH_OFFSET),
    schemaText: text(
      layout.LOG_IDENTITY_SCHEMA_OFFSET,
      u32(layout.LOG_IDENTITY_SCHEMA_BYTES_OFFSET),
      layout.SCHEMA_BYTES_MAX,
    ),
  };
}

/** Bytes in hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Header of a segment. */
export interface SegmentHeader extends LogFileIdentity {
  /** Whether it verifies; if not, any field may be wrong. */
  sound: boolean;
  version: number;
  epoch: number;
  segment: number;
  groupAlignment: number;
  firstSequence: number;
  firstGroup: number;
  segmentBytes: number;
  previousEnd: number;
  createdMs: number;
}

/** Reads a segment's header; undefined if there are too few bytes. */
export function decodeSegmentHeader(bytes: Bytes): SegmentHeader | undefined {
  if (bytes.length < layout.SEGMENT_HEADER_SIZE) return undefined;
  const { u32, u64 } = fieldsOf(bytes, 0);
  return {
    sound: native().mt_log_check_header(bytes) === 1,
    version: u32(layout.SEGMENT_HEADER_VERSION_OFFSET),
    epoch: u32(layout.SEGMENT_HEADER_EPOCH_OFFSET),
    segment: u32(layout.SEGMENT_HEADER_SEGMENT_OFFSET),
    groupAlignment: u32(layout.SEGMENT_HEADER_GROUP_ALIGNMENT_OFFSET),
    firstSequence: u64(layout.SEGMENT_HEADER_FIRST_SEQUENCE_OFFSET),
    firstGroup: u64(layout.SEGMENT_HEADER_FIRST_GROUP_OFFSET),
    segmentBytes: u64(layout.SEGMENT_HEADER_SEGMENT_BYTES_OFFSET),
    previousEnd: u64(layout.SEGMENT_HEADER_PREVIOUS_END_OFFSET),
    createdMs: u64(layout.SEGMENT_HEADER_CREATED_NS_OFFSET) / 1e6,
    ...decodeIdentity(bytes, layout.SEGMENT_HEADER_LOG_OFFSET),
  };
}

/** Where a named consumer was. */
export interface LogCursor {
  name: string;
  /** Next sequence that it wants. */
  sequence: number;
  /** First sequence that the log keeps for it; 0 for the same. */
  keep: number;
}

/** One slot of a log's control file. */
export interface ControlSlot extends LogFileIdentity {
  /** Whether it verifies; if not, any field may be wrong. */
  sound: boolean;
  epoch: number;
  generation: number;
  newestSegment: number;
  oldestSegment: number;
  oldestSequence: number;
  /** Where the newest segment ends; 0 unless the log was closed. */
  end: number;
  /** Sequence behind the last one then. */
  endSequence: number;
  forcedCuts: number;
  cursors: LogCursor[];
}

/** Reads the slots of a control file that are there in full. */
export function decodeControl(bytes: Bytes): ControlSlot[] {
  const slots: ControlSlot[] = [];
  for (let at = 0; at + layout.CONTROL_SIZE <= bytes.length && slots.length < 2;) {
    slots.push(decodeSlot(bytes.subarray(at, at + layout.CONTROL_SIZE)));
    at += layout.CONTROL_SIZE;
  }
  return slots;
}

/** The slot that counts: the newest one that verifies. */
export function currentSlot(slots: readonly ControlSlot[]): ControlSlot | undefined {
  return slots
    .filter(({ sound, generation }, index) => sound && generation % 2 === index)
    .toSorted((left, right) => right.generation - left.generation)[0];
}

function decodeSlot(bytes: Bytes): ControlSlot {
  const { u32, u64 } = fieldsOf(bytes, 0);
  const count = Math.min(u32(layout.CONTROL_CURSORS_COUNT_OFFSET), layout.CONSUMERS_MAX);
  return {
    sound: native().mt_log_check_control(bytes) === 1,
    epoch: u32(layout.CONTROL_EPOCH_OFFSET),
    generation: u64(layout.CONTROL_GENERATION_OFFSET),
    newestSegment: u32(layout.CONTROL_NEWEST_OFFSET),
    oldestSegment: u32(layout.CONTROL_OLDEST_OFFSET),
    oldestSequence: u64(layout.CONTROL_OLDEST_SEQUENCE_OFFSET),
    end: u64(layout.CONTROL_END_OFFSET),
    endSequence: u64(layout.CONTROL_END_SEQUENCE_OFFSET),
    forcedCuts: u32(layout.CONTROL_FORCED_CUTS_OFFSET),
    cursors: Array.from({ length: count }, (_, index) => decodeCursor(bytes, index)),
    ...decodeIdentity(bytes, layout.CONTROL_LOG_OFFSET),
  };
}

function decodeCursor(bytes: Bytes, index: number): LogCursor {
  const start = layout.CONTROL_CURSORS_OFFSET + index * layout.CURSOR_SIZE;
  const { u32, u64 } = fieldsOf(bytes, start);
  const nameBytes = Math.min(u32(layout.CURSOR_NAME_BYTES_OFFSET), layout.NAME_BYTES_MAX);
  return {
    name: readText(bytes, start + layout.CURSOR_NAME_OFFSET, nameBytes),
    sequence: u64(layout.CURSOR_SEQUENCE_OFFSET),
    keep: u64(layout.CURSOR_KEEP_OFFSET),
  };
}

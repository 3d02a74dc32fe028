/**
 * Looking at logs across the border: verifying them, reading them without their channel, and what
 * their files say.
 *
 * Thin typed calls: arguments in, a value or an error out.
 *
 * @module
 */

import type { LogDamage, LogFaultKind } from "../errors.ts";
import * as layout from "./_layout.ts";
import { Detail, failure, LOG_FAULTS, readText } from "./failure.ts";
import { type GrantedPath, native } from "./library.ts";
import { grantedPath } from "./path.ts";

/** What is known of a log before its segments are read. */
export interface LogOverview {
  /** Name of its channel; empty if nothing says it. */
  channel: string;
  /** First sequence that it has; 0 if that is not known. */
  firstSequence: number;
  /** Segments that are there. */
  segments: number;
  /** Slots of the control file that verify, of two. */
  soundSlots: number;
  /** Records start on a multiple of this; 0 if nothing says it. */
  recordAlignment: number;
  /** Whether its messages carry their publish time. */
  timestamps: boolean;
  /** Times that it has been opened to write. */
  epoch: number;
  /** Whether somebody has it open to write. */
  isWritten: boolean;
  /** Who, for people; 0 if that is not known. */
  writerPid: number;
}

/** Looks at the log in a directory. Returns a handle, and what is known at once. */
export function openVerifier(directory: string, direct = false): OpenVerifier {
  return open(directory, (path, overview, detail) => {
    return native().mt_log_verify_open(path, Number(direct), overview, detail);
  });
}

/** Looks at one file of a log, wherever it lies: a segment, or a tail that was saved aside. */
export function openFileVerifier(file: string): OpenVerifier {
  return open(file, (path, overview, detail) => {
    return native().mt_log_verify_open_file(path, overview, detail);
  });
}

/** A verifier's handle, and what was known when it was opened. */
export interface OpenVerifier {
  handle: number;
  overview: LogOverview;
}

type Bytes = Uint8Array<ArrayBuffer>;

function open(
  path: string,
  call: (path: GrantedPath, overview: Bytes, detail: Bytes) => number,
): OpenVerifier {
  const bytes = new Uint8Array(layout.LOG_OVERVIEW_SIZE);
  const detail = new Detail();
  const handle = call(grantedPath(path, "read"), bytes, detail.bytes);
  if (handle < 0) throw failure(handle, { action: "verify", path, channel: "" }, detail);
  return { handle, overview: decodeOverview(bytes) };
}

function decodeOverview(bytes: Bytes): LogOverview {
  const view = new DataView(bytes.buffer);
  const u32 = (offset: number) => view.getUint32(offset, true);
  const nameBytes = u32(layout.LOG_OVERVIEW_NAME_BYTES_OFFSET);
  return {
    channel: readText(bytes, layout.LOG_OVERVIEW_NAME_OFFSET, nameBytes),
    firstSequence: view.getFloat64(layout.LOG_OVERVIEW_FIRST_SEQUENCE_OFFSET, true),
    segments: u32(layout.LOG_OVERVIEW_SEGMENTS_OFFSET),
    soundSlots: u32(layout.LOG_OVERVIEW_SOUND_SLOTS_OFFSET),
    recordAlignment: u32(layout.LOG_OVERVIEW_RECORD_ALIGNMENT_OFFSET),
    timestamps: (u32(layout.LOG_OVERVIEW_FLAGS_OFFSET) & layout.CHANNEL_TIMESTAMPED) !== 0,
    epoch: u32(layout.LOG_OVERVIEW_EPOCH_OFFSET),
    isWritten: u32(layout.LOG_OVERVIEW_IS_WRITTEN_OFFSET) === 1,
    writerPid: u32(layout.LOG_OVERVIEW_WRITER_PID_OFFSET),
  };
}

/** What a log is found to be: `whole`, with a `torn` tail that nobody was told of, or `corrupt`. */
export type LogVerdict = "whole" | "torn" | "corrupt";

/** One segment, read to its end. */
export interface SegmentReport {
  /** Its number. */
  segment: number;
  /** Bytes of its file. */
  bytes: number;
  /** Sequence of its first record. */
  firstSequence: number;
  /** Sequence behind its last group. */
  nextSequence: number;
  /** Groups that verify. */
  groups: number;
  /** Records that verify. */
  records: number;
  /** Where its groups end. */
  end: number;
  /** Where a tail begins that nobody was told of. */
  tornOffset: number;
  /** Its bytes. */
  tornBytes: number;
  /** What is wrong with it. */
  tornFault: LogFaultKind | undefined;
  /** Bytes at the end that a live writer has not finished. */
  unfinishedBytes: number;
  /** Findings so far, in the whole log. */
  findings: number;
  /** Verdict so far, on the whole log. */
  verdict: LogVerdict;
}

const VERDICTS = {
  [layout.VERIFY_VERDICT_WHOLE]: "whole",
  [layout.VERIFY_VERDICT_TORN]: "torn",
  [layout.VERIFY_VERDICT_CORRUPT]: "corrupt",
} as const;

function decodeSegment(bytes: Uint8Array<ArrayBuffer>): SegmentReport {
  const view = new DataView(bytes.buffer);
  const f64 = (offset: number) => view.getFloat64(offset, true);
  const u32 = (offset: number) => view.getUint32(offset, true);
  return {
    segment: u32(layout.SEGMENT_REPORT_SEGMENT_OFFSET),
    bytes: f64(layout.SEGMENT_REPORT_BYTES_OFFSET),
    firstSequence: f64(layout.SEGMENT_REPORT_FIRST_SEQUENCE_OFFSET),
    nextSequence: f64(layout.SEGMENT_REPORT_NEXT_SEQUENCE_OFFSET),
    groups: f64(layout.SEGMENT_REPORT_GROUPS_OFFSET),
    records: f64(layout.SEGMENT_REPORT_RECORDS_OFFSET),
    end: f64(layout.SEGMENT_REPORT_END_OFFSET),
    tornOffset: f64(layout.SEGMENT_REPORT_TORN_OFFSET_OFFSET),
    tornBytes: f64(layout.SEGMENT_REPORT_TORN_BYTES_OFFSET),
    tornFault: LOG_FAULTS[u32(layout.SEGMENT_REPORT_TORN_FAULT_OFFSET)],
    unfinishedBytes: f64(layout.SEGMENT_REPORT_UNFINISHED_BYTES_OFFSET),
    findings: u32(layout.SEGMENT_REPORT_FINDINGS_OFFSET),
    verdict: VERDICTS[u32(layout.SEGMENT_REPORT_VERDICT_OFFSET) as keyof typeof VERDICTS],
  };
}

function refuse(status: number): never {
  throw failure(status, { action: "verify", path: "the log", channel: "" }, new Detail());
}

/** Verifies the next segment on another thread; the last report has `isEnd`. */
export async function verifyNext(handle: number): Promise<SegmentReport & { isEnd: boolean }> {
  const bytes = new Uint8Array(layout.SEGMENT_REPORT_SIZE);
  const status = await native().mt_log_verify_next_wait(handle, bytes);
  if (status < 0) refuse(status);
  return { ...decodeSegment(bytes), isEnd: status === 0 };
}

/** Returns the report of the segment that is, or was last, walked through. */
export function readSegmentReport(handle: number): SegmentReport {
  const bytes = new Uint8Array(layout.SEGMENT_REPORT_SIZE);
  const status = native().mt_log_verify_report(handle, bytes);
  if (status < 0) refuse(status);
  return decodeSegment(bytes);
}

/** Returns the findings from `index` on. */
export function readFindings(handle: number, index = 0): LogDamage[] {
  const bytes = new Uint8Array(layout.LOG_FINDING_SIZE);
  const view = new DataView(bytes.buffer);
  const findings: LogDamage[] = [];
  for (;; index++) {
    const status = native().mt_log_verify_finding(handle, index, bytes);
    if (status < 0) refuse(status);
    if (status === 0) return findings;
    const nameBytes = view.getUint32(layout.LOG_FINDING_NAME_BYTES_OFFSET, true);
    findings.push({
      kind: LOG_FAULTS[view.getUint32(layout.LOG_FINDING_FAULT_OFFSET, true)] ?? "group",
      file: readText(bytes, layout.LOG_FINDING_NAME_OFFSET, nameBytes),
      offset: view.getFloat64(layout.LOG_FINDING_OFFSET_OFFSET, true),
      expectedSequence: view.getFloat64(layout.LOG_FINDING_EXPECTED_OFFSET, true),
      nextSequence: view.getFloat64(layout.LOG_FINDING_NEXT_OFFSET, true),
    });
  }
}

/**
 * Begins with the segment that has a sequence, or so many before it. False if there are not so
 * many. Before anything is read.
 */
export function skipTo(handle: number, sequence: number, back: number): boolean {
  const status = native().mt_log_verify_skip(handle, sequence, back);
  if (status < 0) refuse(status);
  return status === 1;
}

/** Records of a log that verify, as {@linkcode LogSteps} finds them. */
export interface LogRecords {
  /** Sequence of the first one. */
  sequence: number;
  /** How many. */
  count: number;
  /** Where their group stands in its segment; that of the record if it was found on its own. */
  offset: number;
  /** Number of the group; 0 for a record that was found on its own. */
  group: number;
  /** Their bytes, good until the next step. */
  bytes: Uint8Array<ArrayBuffer>;
}

/** Goes through a log step by step, with one buffer. */
export class LogSteps {
  readonly #handle: number;
  readonly #out = new Uint8Array(layout.LOG_READ_REPORT_SIZE);
  readonly #view = new DataView(this.#out.buffer);
  readonly #bytes = new Uint8Array(layout.GROUP_BYTES_MAX);

  /** Of an open verifier. */
  constructor(handle: number) {
    this.#handle = handle;
  }

  /** The buffer that {@linkcode LogRecords.bytes} lie in, from its beginning. */
  get buffer(): ArrayBuffer {
    return this.#bytes.buffer;
  }

  /** Goes on to the next records or finding, or to the end of a segment or of the log. */
  next(): LogRecords | "finding" | "segment-end" | "end" {
    const { mt_log_read } = native();
    const status = mt_log_read(this.#handle, this.#out, this.#bytes, this.#bytes.length);
    if (status < 0) refuse(status);
    if (status === layout.LOG_READ_END) return "end";
    if (status === layout.LOG_READ_FINDING) return "finding";
    if (status === layout.LOG_READ_SEGMENT_END) return "segment-end";
    const size = this.#view.getUint32(layout.LOG_READ_REPORT_BYTES_OFFSET, true);
    return {
      sequence: this.#view.getFloat64(layout.LOG_READ_REPORT_SEQUENCE_OFFSET, true),
      count: this.#view.getUint32(layout.LOG_READ_REPORT_COUNT_OFFSET, true),
      offset: this.#view.getFloat64(layout.LOG_READ_REPORT_OFFSET_OFFSET, true),
      group: this.#view.getFloat64(layout.LOG_READ_REPORT_GROUP_OFFSET, true),
      bytes: this.#bytes.subarray(0, size),
    };
  }
}

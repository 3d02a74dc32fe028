/**
 * The groups and records of one file of a log, as far as they verify, and why no further.
 *
 * @module
 */

import type { LogDamage } from "../../mod.ts";
import {
  RECORD_ABORTED,
  RECORD_CRITICAL,
  RECORD_FIRST_FRAGMENT,
  RECORD_HEADER_BYTES,
  RECORD_LAST_FRAGMENT,
  RECORD_TIMESTAMPED,
  RECORD_TRAILER_BYTES,
} from "../../lib/native/_layout.ts";
import { toHex } from "../../lib/native/log_files.ts";
import { closeHandle } from "../../lib/native/ring.ts";
import {
  type LogRecords,
  LogSteps,
  openFileVerifier,
  readFindings,
  readSegmentReport,
  type SegmentReport,
} from "../../lib/native/verify.ts";
import { formatBytes, formatCount, formatTable } from "../_table.ts";
import { findingsText } from "./_verify.ts";

/** A record of a group. */
export interface RecordContent {
  sequence: number;
  length: number;
  flags: string[];
  /** First bytes of its payload, in hexadecimal. */
  head: string;
}

/** A group, or a record that was found on its own behind damage (group 0). */
export interface GroupContent {
  offset: number;
  group: number;
  sequence: number;
  count: number;
  bytes: number;
  records: RecordContent[];
}

/** What a file of a log holds. */
export interface SegmentContent {
  /** The first ones; `report` counts all. */
  groups: GroupContent[];
  report: SegmentReport | null;
  findings: LogDamage[];
  /** Why nothing can be said of its groups. */
  error: string | null;
}

/** Bytes of a payload that are shown. */
const PAYLOAD_BYTES = 16;

/** Reads a segment, or a tail that was saved aside. */
export function inspectGroups(path: string, { limit }: { limit: number }): SegmentContent {
  const groups: GroupContent[] = [];
  let handle: number;
  let alignment: number;
  try {
    const opened = openFileVerifier(path);
    handle = opened.handle;
    alignment = opened.overview.recordAlignment;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const isUnknown = error instanceof Deno.errors.PermissionDenied;
    const text = isUnknown
      ? "its header does not verify, and no control file beside it says which log it is of"
      : error.message;
    return { groups, report: null, findings: [], error: text };
  }
  try {
    const steps = new LogSteps(handle);
    for (let step = steps.next(); step !== "end"; step = steps.next()) {
      if (typeof step === "string" || groups.length >= limit) continue;
      groups.push({ ...step, bytes: step.bytes.length, records: readRecords(step, alignment) });
      groups.at(-1)!.records.splice(limit);
    }
    const report = readSegmentReport(handle);
    return { groups, report, findings: readFindings(handle), error: null };
  } finally {
    closeHandle(handle);
  }
}

function readRecords({ sequence, count, bytes }: LogRecords, alignment: number): RecordContent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const records: RecordContent[] = [];
  for (let at = 0, i = 0; i < count; i++) {
    const length = view.getUint32(at + 8, true);
    const payload = at + RECORD_HEADER_BYTES;
    records.push({
      sequence: sequence + i,
      length,
      flags: flagNames(view.getUint8(at + 12)),
      head: toHex(bytes.subarray(payload, payload + Math.min(length, PAYLOAD_BYTES))),
    });
    const end = RECORD_HEADER_BYTES + length + RECORD_TRAILER_BYTES;
    at += Math.ceil(end / alignment) * alignment;
  }
  return records;
}

const FLAGS: [bit: number, name: string][] = [
  [RECORD_ABORTED, "aborted"],
  [RECORD_FIRST_FRAGMENT, "first"],
  [RECORD_LAST_FRAGMENT, "last"],
  [RECORD_TIMESTAMPED, "timestamped"],
  [RECORD_CRITICAL, "critical"],
];

function flagNames(flags: number): string[] {
  return FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
}

/** The content as text. */
export function segmentText({ groups, report, findings, error }: SegmentContent): string {
  if (error !== null || report === null) return `Groups: ${error}`;
  const { tornBytes, tornOffset, tornFault } = report;
  const parts = [
    `Groups: ${formatCount(report.groups)} that verify, with ${formatCount(report.records)} ` +
    `records up to sequence ${report.nextSequence - 1}, end at offset ${report.end}`,
  ];
  if (tornBytes > 0) {
    parts.push(
      `From offset ${tornOffset} on ${formatBytes(tornBytes)} do not verify (${tornFault}), and ` +
        `nothing in this file proves that they ever did`,
    );
  }
  if (findings.length > 0) parts.push("", findingsText(findings));
  if (groups.length > 0) parts.push("", groupsText(groups), "", recordsText(groups));
  if (groups.length < report.groups) {
    parts.push(`(the first ${groups.length} groups; --limit shows more)`);
  }
  return parts.join("\n");
}

function groupsText(groups: readonly GroupContent[]): string {
  return formatTable(
    ["Group", "Offset", "First", "Records", "Bytes"],
    groups.map(({ group, offset, sequence, count, bytes }) =>
      [group, offset, sequence, count, bytes].map(String)
    ),
  );
}

function recordsText(groups: readonly GroupContent[]): string {
  return formatTable(
    ["Sequence", "Length", "Flags", "Payload"],
    groups.flatMap(({ records }) => records).map(({ sequence, length, flags, head }) => [
      `${sequence}`,
      `${length}`,
      flags.join(" ") || "–",
      head + (length > PAYLOAD_BYTES ? "…" : ""),
    ]),
  );
}

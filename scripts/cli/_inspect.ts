/**
 * `mt inspect`: what a file of ours holds, damaged or not, for people and as JSON.
 *
 * Any bytes may stand in the file: nothing here trusts them. What does not verify is shown and
 * called so.
 *
 * @module
 */

import { basename, dirname } from "node:path";
import {
  type ControlSlot,
  currentSlot,
  decodeControl,
  decodeSegmentHeader,
  type SegmentHeader,
  toHex,
} from "../../lib/native/log_files.ts";
import { closeHandle } from "../../lib/native/ring.ts";
import { openVerifier } from "../../lib/native/verify.ts";
import type { ServiceCounters } from "../../lib/observability/mod.ts";
import { type LogVerification, verifyLog } from "../../mod.ts";
import { formatBytes, formatTable } from "../_table.ts";
import { filesIn, logsIn, lookAt, readControl, ringsIn } from "../records/place.ts";
import { storesText, type VerifiedStores, verifyStores } from "./_checkpoints.ts";
import { countersText, inspectCounters } from "./_inspect_counters.ts";
import { inspectGroups, type SegmentContent, segmentText } from "./_inspect_groups.ts";
import { fieldsText, inspectRing, type RingContent, ringText } from "./_inspect_ring.ts";
import { cursorsText } from "./_recover.ts";
import { verifiedText } from "./_verify.ts";

/** How much is shown. */
export interface InspectSettings {
  /** Groups of a segment, and records of each, at most. */
  limit: number;
}

/** What a path holds. */
export type Inspection =
  & { path: string; size: number }
  & (
    | { kind: "log"; files: FileSize[]; control: ControlSlot | null; log: LogVerification }
    | { kind: "segment"; header: SegmentHeader | null; content: SegmentContent }
    | { kind: "torn"; content: SegmentContent }
    | { kind: "control"; slots: ControlSlot[]; current: number | null; isWritten: boolean }
    | { kind: "ring"; ring: RingContent }
    | { kind: "counters"; counters: ServiceCounters }
    | { kind: "logs" | "rings"; paths: string[] }
    | { kind: "store" | "checkpoints"; files: FileSize[]; found: VerifiedStores }
    | { kind: "unknown"; head: string }
  );

interface FileSize {
  name: string;
  bytes: number;
}

const NOTHING =
  "no file of ours, nor the directory of a log, of logs, of rings, of a store, or of checkpoints";

/** Bytes of an unknown file that are shown. */
const HEAD_BYTES = 64;

/**
 * Looks at what a path holds.
 *
 * @throws {ScriptError} If it is neither a directory nor a regular file, or cannot be read.
 */
export async function inspectPath(path: string, settings: InspectSettings): Promise<Inspection> {
  const place = lookAt(path);
  const { kind, head, size } = place;
  const base = { path, size };
  switch (kind) {
    case "log":
      return { ...base, kind, ...await inspectLog(path) };
    case "segment": {
      const header = decodeSegmentHeader(head) ?? null;
      return { ...base, kind, header, content: inspectGroups(path, settings) };
    }
    case "torn":
      return { ...base, kind, content: inspectGroups(path, settings) };
    case "control":
      return { ...base, kind, ...inspectControl(path) };
    case "ring":
      return { ...base, kind, ring: inspectRing(place, settings) };
    case "counters":
      return { ...base, kind, counters: inspectCounters(path) };
    case "logs":
      return { ...base, kind, paths: logsIn(path) };
    case "rings":
      return { ...base, kind, paths: ringsIn(path) };
    case "store":
    case "checkpoints":
      return { ...base, kind, files: allFiles(path), found: await verifyStores(path, kind) };
    case "unknown":
      return { ...base, kind, head: toHex(head.subarray(0, HEAD_BYTES)) };
  }
}

function inspectControl(
  path: string,
): { slots: ControlSlot[]; current: number | null; isWritten: boolean } {
  const wasWritten = isWritten(path);
  const slots = decodeControl(lookAt(path).head);
  const current = currentSlot(slots);
  return {
    slots,
    current: current === undefined ? null : slots.indexOf(current),
    isWritten: wasWritten || isWritten(path),
  };
}

/** Whether it is the control file of a log that a live process writes, and no copy of one. */
function isWritten(path: string): boolean {
  if (basename(path) !== "control") return false;
  const { handle, overview } = openVerifier(dirname(path));
  closeHandle(handle);
  return overview.isWritten;
}

async function inspectLog(
  path: string,
): Promise<{ files: FileSize[]; control: ControlSlot | null; log: LogVerification }> {
  const log = await verifyLog(path);
  const files = filesIn(path).map((name) => ({ name, bytes: sizeOf(`${path}/${name}`) }));
  return { files, control: readControl(path) ?? null, log };
}

/** The files of a directory of stores, and of its directories. */
function allFiles(path: string): FileSize[] {
  const names = [...Deno.readDirSync(path)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesIn(`${path}/${name}`).map((file) => `${name}/${file}`) : [name]
  );
  return names.sort().map((name) => ({ name, bytes: sizeOf(`${path}/${name}`) }));
}

function sizeOf(path: string): number {
  try {
    return Deno.lstatSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0; // Cut meanwhile.
    throw error;
  }
}

/** Whether everything that was looked at verifies. */
export function isSound(inspection: Inspection): boolean {
  switch (inspection.kind) {
    case "log":
      return inspection.log.findings.length === 0 && inspection.log.verdict !== "corrupt";
    case "segment":
      return inspection.header?.sound === true && inspection.content.findings.length === 0 &&
        inspection.content.error === null;
    case "control":
      // A live writer may stand in the middle of a slot, as for verifying.
      return inspection.slots.length === 2 && inspection.current !== null &&
        (inspection.isWritten || inspection.slots.every(({ sound }) => sound));
    case "ring":
      return inspection.ring.error === null && inspection.ring.damage === null;
    case "counters":
      return inspection.counters.state !== "unreadable";
    case "store":
    case "checkpoints":
      return inspection.found.sound;
    case "unknown":
      return false;
    default:
      return true;
  }
}

/** The inspection as text. */
export function inspectionText(inspection: Inspection): string {
  const { path, size, kind } = inspection;
  switch (kind) {
    case "log":
      return logText(inspection);
    case "segment":
      return [
        `Segment ${path}, ${formatBytes(size)}`,
        inspection.header === null
          ? "Header: too few bytes for one"
          : `Header: ${inspection.header.sound ? "sound" : "does not verify"}`,
        ...(inspection.header === null ? [] : [fieldsText({ ...inspection.header })]),
        segmentText(inspection.content),
      ].join("\n");
    case "torn":
      return `Tail ${path}, ${formatBytes(size)}\n${segmentText(inspection.content)}`;
    case "control":
      return controlText(inspection);
    case "ring":
      return ringText(path, inspection.ring);
    case "counters":
      return countersText(inspection.counters);
    case "logs":
      return [`Directory of ${inspection.paths.length} logs`, ...inspection.paths].join("\n  ");
    case "rings":
      return [`Directory of ${inspection.paths.length} rings`, ...inspection.paths].join("\n  ");
    case "store":
    case "checkpoints":
      return `${storesText(inspection.found)}\n\n${filesText(inspection.files)}`;
    case "unknown":
      return inspection.head === ""
        ? `${path}: ${NOTHING}` // An empty file, or a directory.
        : `${path}: no file of ours, ${formatBytes(size)}\n  ${inspection.head}`;
  }
}

function logText({ path, files, control, log }: Inspection & { kind: "log" }): string {
  const sound = log.findings.length === 0 && log.verdict !== "corrupt";
  const parts = [
    verifiedText([{ path, sound, kind: "log", log }]),
    filesText(files),
  ];
  if (control !== null) {
    const { end, newestSegment, epoch, cursors } = control;
    const state = end > 0 ? `closed at offset ${end} of segment ${newestSegment}` : "not closed";
    parts.push(`Control: epoch ${epoch}, ${state}`);
    if (cursors.length > 0) parts.push(cursorsText(cursors));
  }
  return parts.join("\n\n");
}

function filesText(files: readonly FileSize[]): string {
  return formatTable(["File", "Size"], files.map(({ name, bytes }) => [name, formatBytes(bytes)]));
}

function controlText(
  { path, size, slots, current, isWritten }: Inspection & { kind: "control" },
): string {
  const unsound = isWritten ? "being written, or damaged" : "does not verify";
  const parts = [`Control file ${path}, ${formatBytes(size)}, ${slots.length} of 2 slots there`];
  for (const [index, { cursors, ...fields }] of slots.entries()) {
    const { sound } = fields;
    const state = !sound ? unsound : index === current ? "sound, the newest" : "sound";
    parts.push(`Slot ${index}: ${state}`, fieldsText(fields));
    if (cursors.length > 0) parts.push(cursorsText(cursors));
  }
  return parts.join("\n");
}

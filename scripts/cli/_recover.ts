/**
 * `mt recover`: opens a log to write, which repairs its end, and closes it; or says what that would
 * do.
 *
 * @module
 */

import { CorruptLogError, type LogDamage, type LogReport, verifyLog } from "../../mod.ts";
import { acquireLog, openPersister, type PersisterSettings } from "../../lib/native/log.ts";
import {
  type ControlSlot,
  currentSlot,
  decodeControl,
  decodeSegmentHeader,
  type LogCursor,
} from "../../lib/native/log_files.ts";
import { closeHandle } from "../../lib/native/ring.ts";
import { ScriptError } from "../_command.ts";
import { printable } from "../_output.ts";
import { formatBytes, formatCount, formatTable } from "../_table.ts";
import { type Kind, lookAt, segmentsIn } from "../records/place.ts";
import { findingsText } from "./_verify.ts";

/** What opening a log to write would do. */
export interface RecoveryPlan {
  path: string;
  channel: string;
  /** `open` changes no record, `repair` saves a torn tail aside, `refuse` changes nothing. */
  action: "open" | "repair" | "refuse";
  firstSequence: number;
  /** Sequence of the next record. */
  nextSequence: number;
  /** Process that has the log open to write now, so that nobody else may; 0 for none. */
  writerPid: number;
  /** Whether its last writer had closed it. */
  clean: boolean;
  tail: { segment: string; offset: number; bytes: number; savedAs: string } | null;
  cursors: LogCursor[];
  findings: LogDamage[];
}

/** What opening a log to write has found. */
export interface Recovery extends LogReport {
  path: string;
  channel: string;
  nextSequence: number;
}

function readControl(path: string): ControlSlot | undefined {
  const place = `${path}/control`;
  try {
    return currentSlot(decodeControl(lookAt(place).head));
  } catch (error) {
    if (error instanceof ScriptError) return undefined; // As good as damaged.
    throw error;
  }
}

const ADVICE: Partial<Record<Kind, string>> = {
  logs: "; name one of the logs in it",
  checkpoints: "; with --dry-run it says from which checkpoints their states would recover",
};

function checkLog(path: string): void {
  const { kind } = lookAt(path);
  if (kind === "log") return;
  const advice = ADVICE[kind] ?? "";
  throw new ScriptError(
    `Cannot recover "${path}": expected the directory of a log, found none${advice}`,
  );
}

/**
 * Says what opening a log to write would do, and writes nothing.
 *
 * @throws {ScriptError} If there is no log.
 */
export async function planRecovery(path: string): Promise<RecoveryPlan> {
  checkLog(path);
  const found = await verifyLog(path);
  const control = readControl(path);
  const newest = segmentsIn(path).at(-1);
  const refuses = found.findings.some((finding) => isRefused(finding, newest));
  const hasTail = !refuses && found.tornBytes > 0 && newest !== undefined;
  const number = newest?.slice(0, newest.indexOf("-"));
  return {
    path,
    channel: found.channel,
    action: refuses ? "refuse" : hasTail ? "repair" : "open",
    firstSequence: found.firstSequence,
    nextSequence: found.lastSequence + 1,
    writerPid: found.writerPid,
    clean: (control?.end ?? 0) > 0,
    tail: hasTail
      ? {
        segment: newest,
        offset: found.tornOffset,
        bytes: found.tornBytes,
        savedAs: `torn-${number}-${found.tornOffset}-${control?.epoch ?? 0}`,
      }
      : null,
    cursors: control?.cursors ?? [],
    findings: found.findings,
  };
}

/** Opening looks at names, headers and the newest segment; reading verifies the rest. */
function isRefused({ kind, file }: LogDamage, newest: string | undefined): boolean {
  if (kind === "control-slot" || file === "control" && kind === "size") return false;
  if (kind === "segment-foreign") return /^[0-9a-f]{8}-\d{20}\.wal$/.test(file);
  const ofNames = ["control", "segment-missing", "segment-header", "size", "regressed"];
  return file === newest || ofNames.includes(kind);
}

/**
 * Opens a log to write, which repairs its end, and closes it.
 *
 * @throws {ScriptError} If it is damaged, or another process writes it.
 */
export function recover(path: string): Recovery {
  checkLog(path);
  const control = readControl(path);
  if (control === undefined) {
    throw new ScriptError(
      `Cannot recover "${path}": found no slot of its control file that verifies; restore it ` +
        `from a copy, or see what is left with "mt verify"`,
    );
  }
  try {
    const handle = openPersister(path, settingsOf(path, control));
    try {
      const { facts, ownerPid } = acquireLog(handle, path, control.channel);
      if (facts === undefined) {
        throw new ScriptError(
          `Cannot recover "${path}": found it open in live process ${ownerPid}; close its channel`,
        );
      }
      const { nextSequence, report } = facts;
      return { path, channel: control.channel, nextSequence, ...report };
    } finally {
      closeHandle(handle);
    }
  } catch (error) {
    if (error instanceof CorruptLogError || error instanceof Deno.errors.PermissionDenied) {
      throw new ScriptError(error.message);
    }
    throw error;
  }
}

/** What the log was made with, so that it is taken for the same. */
function settingsOf(path: string, control: ControlSlot): PersisterSettings {
  const newest = segmentsIn(path).at(-1);
  const header = newest === undefined
    ? undefined
    : decodeSegmentHeader(lookAt(`${path}/${newest}`).head);
  const sound = header?.sound ? header : undefined;
  return {
    name: control.channel,
    alignment: control.recordAlignment,
    timestamps: control.timestamps,
    schemaHash: control.schemaHash,
    schemaText: control.schemaText,
    segmentBytes: sound?.segmentBytes ?? DEFAULT_SEGMENT_BYTES,
    syncIntervalMs: 0,
    snapshotIntervalMs: 0,
    direct: (sound?.groupAlignment ?? 0) > DIRECT_ABOVE,
    logBytesMax: 0,
    cutsWhenFull: false,
  };
}

/** Of a log without segments. */
const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024;

/** Groups lie on sectors, or on pages where they are written directly. */
const DIRECT_ABOVE = 512;

/** The plan as text. */
export function planText(plan: RecoveryPlan): string {
  const { path, channel, action, nextSequence, writerPid, clean, tail, cursors, findings } = plan;
  const what = {
    open: "would open as it is",
    repair: "would be repaired",
    refuse: "would be refused: it is damaged where it was durable once",
  }[action];
  const lines = [
    `Log of "${printable(channel)}": ${what}`,
    `  ${path}`,
    `  ${clean ? "closed by its last writer" : "not closed by its last writer"}`,
  ];
  if (writerPid > 0) {
    lines.push(`  written now by process ${writerPid}: it would have to end first`);
  }
  if (tail !== null) {
    lines.push(
      `  ${formatBytes(tail.bytes)} in ${tail.segment} from offset ${tail.offset} on, that ` +
        `nobody was told of, would be saved as ${tail.savedAs}`,
    );
  }
  if (action !== "refuse") lines.push(`  next sequence ${nextSequence}`);
  if (cursors.length > 0) lines.push("", cursorsText(cursors));
  if (findings.length > 0) lines.push("", findingsText(findings));
  return lines.join("\n");
}

/** Cursors as a table. */
export function cursorsText(cursors: readonly LogCursor[]): string {
  return formatTable(
    ["Consumer", "Next", "Keeps from"],
    cursors.map((
      { name, sequence, keep },
    ) => [printable(name), `${sequence}`, `${keep || sequence}`]),
  );
}

/** What was done, as text. */
export function recoveryText(recovery: Recovery): string {
  const { path, channel, verdict, tornBytes, tornOffset, segments, nextSequence, epoch } = recovery;
  const tail = verdict === "torn"
    ? [`  ${formatBytes(tornBytes)} from offset ${tornOffset} on were saved aside`]
    : [];
  return [
    `Log of "${printable(channel)}": its end ${verdict === "torn" ? "was repaired" : "is whole"}`,
    `  ${path}`,
    ...tail,
    `  ${formatCount(segments)} segments, next sequence ${nextSequence}, epoch ${epoch}`,
  ].join("\n");
}

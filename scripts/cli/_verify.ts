/**
 * `mt verify`: every byte of a log, of all logs in a directory, of a ring file, of a store, or of
 * checkpoints.
 *
 * @module
 */

import {
  CorruptHeaderError,
  LayoutMismatchError,
  type LogDamage,
  type LogVerification,
  type RingVerification,
  verifyLog,
  verifyRing,
} from "../../mod.ts";
import { ScriptError } from "../_command.ts";
import { printable } from "../_output.ts";
import { formatBytes, formatCount, formatTable } from "../_table.ts";
import { logsIn, lookAt, ringsIn } from "../records/place.ts";
import { storesText, type VerifiedStores, verifyStores } from "./_checkpoints.ts";
import { ByteProgress } from "./_progress.ts";

/** What one log, ring file, store or directory of checkpoints was found to be. */
export type Verified = VerifiedStores | VerifiedLog;

type VerifiedLog =
  & { path: string; sound: boolean }
  & (
    | { kind: "log"; log: LogVerification }
    | { kind: "ring"; ring: Omit<RingVerification, "damage"> & { damage: string | null } }
    | { kind: "log" | "ring"; error: string }
  );

/** How to verify. */
export interface VerifySettings {
  /** Read logs past the page cache. */
  direct: boolean;
}

/**
 * Verifies what a path holds.
 *
 * @throws {ScriptError} If it holds nothing that can be verified.
 */
export async function verifyPath(path: string, settings: VerifySettings): Promise<Verified[]> {
  const { kind } = lookAt(path);
  switch (kind) {
    case "log":
      return [await verifyOneLog(path, settings)];
    case "logs": {
      const found: Verified[] = [];
      for (const directory of logsIn(path)) found.push(await verifyOneLog(directory, settings));
      return found;
    }
    case "ring":
      return [verifyOneRing(path)];
    case "rings":
      return ringsIn(path).map(verifyOneRing);
    case "store":
    case "checkpoints":
      return [await verifyStores(path, kind)];
    default:
      throw new ScriptError(
        `Cannot verify "${path}": expected the directory of a log, of logs, of a store or of ` +
          `checkpoints, or a ring file, found ${
            kind === "unknown" ? "none of these" : `a ${kind} file; see "mt inspect"`
          }`,
      );
  }
}

async function verifyOneLog(path: string, { direct }: VerifySettings): Promise<Verified> {
  using progress = new ByteProgress(path);
  try {
    const log = await verifyLog(path, {
      direct,
      onProgress: ({ done, total, bytes }) => progress.show(bytes, bytes / done * total),
    });
    const sound = log.verdict !== "corrupt" && log.findings.length === 0;
    return { path, sound, kind: "log", log };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { path, sound: false, kind: "log", error: error.message };
  }
}

function verifyOneRing(path: string): Verified {
  try {
    const { damage, ...ring } = verifyRing(path);
    const text = damage?.message ?? null;
    return { path, sound: text === null, kind: "ring", ring: { ...ring, damage: text } };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const isOurs = error instanceof CorruptHeaderError || error instanceof LayoutMismatchError;
    if (!isOurs && error.name === "Error") throw error;
    return { path, sound: false, kind: "ring", error: error.message };
  }
}

/** The results as text. */
export function verifiedText(results: readonly Verified[]): string {
  return results.map(textOf).join("\n\n");
}

function textOf(result: Verified): string {
  if (result.kind === "store" || result.kind === "checkpoints") return storesText(result);
  if ("error" in result) return printable(result.error);
  return "ring" in result ? ringText(result.path, result.ring) : logText(result.path, result.log);
}

function ringText(
  path: string,
  ring: Omit<RingVerification, "damage"> & { damage: string | null },
): string {
  const { channel, sizeBytes, messages, firstSequence, lastSequence, damage } = ring;
  const verdict = damage === null ? "sound" : "damaged";
  const sequences = messages === 0 ? "" : `, ${firstSequence} to ${lastSequence}`;
  return [
    `Ring "${printable(channel)}" of ${formatBytes(sizeBytes)}: ${verdict}`,
    `  ${path}`,
    `  ${formatCount(messages)} messages${sequences}`,
    ...(damage === null ? [] : [`  ${damage}`]),
  ].join("\n");
}

function logText(path: string, log: LogVerification): string {
  const { verdict, findings, channel, segments, groups, records, bytes } = log;
  const { firstSequence, lastSequence, tornBytes, unfinishedBytes, isWritten, writerPid } = log;
  const lines = [
    `Log of "${printable(channel)}": ${verdict}`,
    `  ${path}`,
    `  ${formatCount(segments)} segments, ${formatBytes(bytes)}, ${formatCount(groups)} groups, ` +
    `${formatCount(records)} records`,
    lastSequence >= firstSequence
      ? `  sequences ${firstSequence} to ${lastSequence}`
      : `  empty; the next sequence is ${firstSequence}`,
  ];
  if (isWritten) lines.push(`  written now by process ${writerPid}`);
  if (unfinishedBytes > 0) lines.push(`  ${formatBytes(unfinishedBytes)} are being written`);
  if (tornBytes > 0) {
    lines.push(
      `  ${formatBytes(tornBytes)} behind the end that nobody was told of; opening the log ` +
        `saves them aside`,
    );
  }
  if (findings.length > 0) lines.push("", findingsText(findings));
  return lines.join("\n");
}

/** Findings as a table. */
export function findingsText(findings: readonly LogDamage[]): string {
  return formatTable(
    ["Found", "File", "Offset", "Lost"],
    findings.map((finding) => [
      finding.kind,
      finding.file === "" ? "–" : finding.file,
      `${finding.offset}`,
      lostText(finding),
    ]),
  );
}

/** Sequences that a finding has cost. */
function lostText({ expectedSequence, nextSequence }: LogDamage): string {
  if (expectedSequence === 0) return "unknown";
  if (nextSequence === 0) return `from ${expectedSequence}`;
  if (nextSequence <= expectedSequence) return "nothing";
  const last = nextSequence - 1;
  return last === expectedSequence ? `${last}` : `${expectedSequence} to ${last}`;
}

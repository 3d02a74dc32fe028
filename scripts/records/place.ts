/**
 * What a path holds, as far as its beginning tells. Nothing but directories and regular files is
 * ever opened: a pipe or a device would hang us.
 *
 * @module
 */

import { type ControlSlot, currentSlot, decodeControl } from "../../lib/native/log_files.ts";
import { isOwnPath } from "../../lib/native/path.ts";
import { isSegmentName } from "../../lib/observability/log_directory.ts";
import { listChannels } from "../../mod.ts";
import { ScriptError } from "../_command.ts";

/** What a path holds. */
export type Kind =
  | "log"
  | "logs"
  | "rings"
  | "segment"
  | "control"
  | "torn"
  | "ring"
  | "counters"
  | "store"
  | "checkpoints"
  | "unknown";

/** A path, what it holds, and how its file begins. */
export interface Place {
  path: string;
  kind: Kind;
  /** First bytes; none of a directory, and of a file that only the library may open. */
  head: Uint8Array<ArrayBuffer>;
  /** Bytes of the file; 0 where there are no first ones. */
  size: number;
}

/** Bytes that are read of a file at once: the two slots of a control file. */
const HEAD_BYTES = 24 * 1024;

/** How the files of ours begin. No object: any file may begin with `toString`. */
const MAGIC: ReadonlyMap<string, Kind> = new Map([
  ["MTWAL001", "segment"],
  ["MTCTL001", "control"],
  ["MTRING01", "ring"],
  ["MTCOUNT1", "counters"],
]);

/**
 * Looks what a path holds.
 *
 * @throws {ScriptError} If it is no directory and no regular file, or cannot be read.
 */
export function lookAt(path: string): Place {
  try {
    const { isDirectory, isFile, size } = Deno.statSync(path);
    if (isDirectory) {
      return { path, kind: kindOfDirectory(path), head: new Uint8Array(0), size: 0 };
    }
    if (!isFile) {
      throw new ScriptError(
        `Cannot look at "${path}": expected a regular file or a directory, found another thing`,
      );
    }
    const head = readHead(path);
    return { path, kind: kindOfFile(path, head), head, size };
  } catch (error) {
    if (error instanceof ScriptError || !(error instanceof Error)) throw error;
    if (error instanceof Deno.errors.NotCapable && isOwnPath(path)) return placeOfOwn(path);
    throw new ScriptError(`Cannot look at "${path}": ${error.message}`);
  }
}

/** Below /dev Deno lets only `--allow-all` look, and the library whoever may use it. */
function placeOfOwn(path: string): Place {
  const kind = path.endsWith(".ring") ? "ring" : path.endsWith(".counters") ? "counters" : "rings";
  return { path, kind, head: new Uint8Array(0), size: 0 };
}

function readHead(path: string): Uint8Array<ArrayBuffer> {
  using file = Deno.openSync(path);
  const bytes = new Uint8Array(HEAD_BYTES);
  let size = 0;
  for (let count: number | null = 0; count !== null && size < bytes.length; size += count ?? 0) {
    count = file.readSync(bytes.subarray(size));
  }
  return bytes.slice(0, size);
}

/** Directories in a directory; and its files. */
function namesIn(path: string): { directories: string[]; files: string[] } {
  const entries = [...Deno.readDirSync(path)];
  const names = (isWanted: (entry: Deno.DirEntry) => boolean) =>
    entries.filter(isWanted).map(({ name }) => name).sort();
  return {
    directories: names(({ isDirectory }) => isDirectory),
    files: names(({ isFile }) => isFile),
  };
}

function isLog(path: string): boolean {
  const { files } = namesIn(path);
  return files.some((name) => name === "control" || isSegmentName(name));
}

/** Directories of logs in a directory that are this user's to read. */
export function logsIn(path: string): string[] {
  return namesIn(path).directories.map((name) => `${path}/${name}`).filter((directory) => {
    try {
      return isLog(directory);
    } catch {
      return false;
    }
  });
}

function isStore(path: string): boolean {
  return namesIn(path).files.includes("data.mdb");
}

/** Whether there is one of the two stores, whole or not, or one that was set aside. */
function isCheckpoints(path: string): boolean {
  return namesIn(path).directories.some((name) => {
    if (/^[ab]\.damaged-\d+$/.test(name)) return true;
    return /^[ab]$/.test(name) && isStore(`${path}/${name}`);
  });
}

/** Ring files in a directory. */
export function ringsIn(path: string): string[] {
  if (isOwnPath(path)) return listChannels().map(({ bufferFile }) => bufferFile);
  return namesIn(path).files.filter((name) => name.endsWith(".ring"))
    .map((name) => `${path}/${name}`);
}

function kindOfDirectory(path: string): Kind {
  if (isLog(path)) return "log";
  if (logsIn(path).length > 0) return "logs";
  if (isStore(path)) return "store";
  if (isCheckpoints(path)) return "checkpoints";
  return ringsIn(path).length > 0 ? "rings" : "unknown";
}

function kindOfFile(path: string, head: Uint8Array): Kind {
  const decoder = new TextDecoder("latin1");
  const magicAt = (at: number) => MAGIC.get(decoder.decode(head.subarray(at, at + 8)));
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (/^torn-[0-9a-f]{8}-\d+-\d+$/.test(name)) return "torn";
  const found = magicAt(0) ?? magicAt(HEAD_BYTES / 2);
  if (found !== undefined) return found;
  // Damaged at its beginning, perhaps: then its name tells.
  if (isSegmentName(name)) return "segment";
  if (name === "control") return "control";
  if (name.endsWith(".counters")) return "counters";
  return name.endsWith(".ring") ? "ring" : "unknown";
}

/** Names of the segments in a log's directory, sorted. */
export function segmentsIn(path: string): string[] {
  return namesIn(path).files.filter((name) => isSegmentName(name));
}

/** Names of all files in a directory, sorted. */
export function filesIn(path: string): string[] {
  return namesIn(path).files;
}

/** What the control file of a log says; undefined if it cannot be read, or does not verify. */
export function readControl(log: string): ControlSlot | undefined {
  try {
    return currentSlot(decodeControl(lookAt(`${log}/control`).head));
  } catch (error) {
    if (error instanceof ScriptError) return undefined;
    throw error;
  }
}

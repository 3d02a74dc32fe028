/**
 * Where a journal goes on after its process has ended, in whatever way.
 *
 * A process that was killed leaves at most a torn last line, and a host that lost its power may
 * leave holes behind what was synced. Neither was acknowledged, so the channel delivers it again.
 *
 * @module
 */

import { dirname } from "node:path";
import { journalNames, LineSplitter, READ_BYTES } from "./journal_files.ts";
import { syncDirectory, toFailure } from "./journal_file.ts";
import { openLine, toHeader } from "./journal_line.ts";

/** How much of a file's end is looked at first: more than is ever unacknowledged by default. */
const TAIL_BYTES = 4 * 1024 * 1024;

/** Where a journal goes on. */
export interface JournalTail {
  /** Name of the newest file; undefined without one. */
  readonly newest: string | undefined;
  /** Whether it goes on in that file; else it begins another. */
  readonly isOpenEnded: boolean;
  /** Last sequence that is in the journal; 0 for none of this origin. */
  readonly lastSequence: number;
  /** Bytes that were set aside. */
  readonly tornBytes: number;
}

/** What a file holds, as far as going on needs it. */
interface Ending {
  origin: string | undefined;
  /** Last sequence of the lines that stay. */
  lastSequence: number;
  /** Bytes of the lines that stay. */
  keptBytes: number;
  sizeBytes: number;
}

/**
 * Finds the end of a journal and sets it right: what is torn is moved into a file beside it, named
 * `<file>.torn`, which no reader looks at.
 *
 * Damage before the acknowledged end stays where it is: readers count it.
 *
 * @param origin Where the channel's sequences come from.
 * @param cursor Last sequence that was acknowledged: behind it, everything is delivered again.
 */
export function mendJournalTail(
  directory: string,
  { origin, cursor }: { origin: string; cursor: number },
): JournalTail {
  const names = journalNames(directory);
  let tornBytes = 0;
  let newest: string | undefined;
  let isOpenEnded = false;
  for (const name of names.toReversed()) {
    const path = `${directory}/${name}`;
    const ending = findEnding(path, cursor);
    if (ending.keptBytes === 0) {
      // Not even its header came to be: it was being made.
      if (ending.sizeBytes === 0) Deno.removeSync(path);
      else Deno.renameSync(path, freeName(path));
      syncDirectory(directory);
      tornBytes += ending.sizeBytes;
      continue;
    }
    const isOurs = ending.origin === origin;
    if (newest === undefined) {
      newest = name;
      isOpenEnded = isOurs;
    }
    if (!isOurs) break;
    tornBytes += cut(path, ending);
    if (ending.lastSequence > 0) {
      return { newest, isOpenEnded, lastSequence: ending.lastSequence, tornBytes };
    }
  }
  return { newest, isOpenEnded, lastSequence: 0, tornBytes };
}

/** Moves what is behind the kept lines into a file beside. Returns how much that was. */
function cut(path: string, { keptBytes, sizeBytes }: Ending): number {
  if (keptBytes === sizeBytes) return 0;
  using file = Deno.openSync(path, { read: true, write: true });
  file.seekSync(keptBytes, Deno.SeekMode.Start);
  setAside(file, freeName(path), sizeBytes - keptBytes);
  file.truncateSync(keptBytes);
  file.syncSync();
  return sizeBytes - keptBytes;
}

/** Copies the rest of a file into a new one: durably, or not at all. */
function setAside(file: Deno.FsFile, path: string, sizeBytes: number): void {
  using torn = Deno.openSync(path, { createNew: true, write: true, mode: 0o600 });
  const buffer = new Uint8Array(READ_BYTES);
  let written = 0;
  try {
    for (let count = file.readSync(buffer); count !== null; count = file.readSync(buffer)) {
      for (let at = 0; at < count;) at += torn.writeSync(buffer.subarray(at, count));
      written += count;
    }
    torn.syncSync();
    syncDirectory(dirname(path));
  } catch (error) {
    Deno.removeSync(path);
    throw toFailure(path, error, { needed: sizeBytes, available: written });
  }
}

/** A name beside a file that nothing has yet. */
function freeName(path: string): string {
  for (let number = 1;; number++) {
    const name = number === 1 ? `${path}.torn` : `${path}.torn-${number}`;
    try {
      Deno.lstatSync(name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return name;
      throw error;
    }
  }
}

/** Looks at the end of a file: as much of it as reaches back to what was acknowledged. */
function findEnding(path: string, cursor: number): Ending {
  using file = Deno.openSync(path);
  const sizeBytes = file.statSync().size;
  const origin = readOrigin(file);
  for (let tailBytes = TAIL_BYTES;; tailBytes *= 8) {
    const start = Math.max(0, sizeBytes - tailBytes);
    const ending = scan(file, start, cursor);
    if (start === 0 || ending.isAnchored) return { origin, sizeBytes, ...ending };
  }
}

/** What the lines from some place on say; its first line is cut off, unless it is the file's. */
function scan(
  file: Deno.FsFile,
  start: number,
  cursor: number,
): { lastSequence: number; keptBytes: number; isAnchored: boolean } {
  const lines = new LineSplitter();
  const buffer = new Uint8Array(READ_BYTES);
  file.seekSync(start, Deno.SeekMode.Start);
  let [keptBytes, lastSequence] = [0, 0];
  let isCut = start > 0; // Its first line may have lost its beginning.
  let isAnchored = false; // There was a line that is acknowledged, or the file's first.
  let isDamaged = false;
  for (let count = file.readSync(buffer); count !== null; count = file.readSync(buffer)) {
    for (const line of lines.split(buffer.subarray(0, count))) {
      const content = openLine(line);
      isDamaged ||= content === undefined && !isCut;
      isCut = false;
      if (content === undefined) continue;
      const sequence = Number.isSafeInteger(content.sequence) ? content.sequence as number : 0;
      if (sequence > cursor && isDamaged) continue; // Comes again.
      isDamaged = false;
      keptBytes = start + lines.endBytes;
      if (sequence > 0) lastSequence = sequence;
      isAnchored ||= sequence <= cursor;
    }
  }
  return { lastSequence, keptBytes, isAnchored };
}

function readOrigin(file: Deno.FsFile): string | undefined {
  const lines = new LineSplitter();
  const buffer = new Uint8Array(READ_BYTES);
  file.seekSync(0, Deno.SeekMode.Start);
  const count = file.readSync(buffer) ?? 0;
  for (const line of lines.split(buffer.subarray(0, count))) {
    const content = openLine(line);
    return content && toHeader(content)?.origin;
  }
  return undefined;
}

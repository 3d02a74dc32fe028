/**
 * A log's directory, as its files say: segments, control file, what was set aside. Reads heads of
 * files only, and believes nothing of them: what does not verify is told, and is never an error.
 *
 * @module
 */

import { checkPermitted, toAbsolute } from "../native/path.ts";
import {
  type ControlSlot,
  currentSlot,
  decodeControl,
  decodeSegmentHeader,
  type SegmentHeader,
} from "../native/log_files.ts";
import { CONTROL_SIZE, SEGMENT_HEADER_SIZE } from "../native/_layout.ts";

/** One file of a log. */
export interface LogSegment {
  /** Name of its file. */
  name: string;
  /** Its number. */
  segment: number;
  /** Bytes of the file; the newest one has its full size from the beginning. */
  bytes: number;
  /** Sequence of its first record. */
  firstSequence: number;
  /** Sequence of its last record; null of the newest one, whose end is found only by reading. */
  lastSequence: number | null;
  /** When it was made, in milliseconds since 1970; 0 if its header does not verify. */
  createdMs: number;
  /** What is wrong with it; null if its head verifies. */
  damage: string | null;
}

/** What lies in a log's directory. */
export interface LogDirectory {
  /** The directory. */
  directory: string;
  /** Name of its channel: that of the directory, where no file says it. */
  channel: string;
  /** The newest ones, in their order. */
  segments: LogSegment[];
  /** Segments that are there. */
  segmentCount: number;
  /** Bytes of all of them. */
  bytes: number;
  /** First sequence that it has; 0 if it has none. */
  firstSequence: number;
  /** Times that it was opened to write; 0 if nothing says it. */
  epoch: number;
  /** Whether its last writer had closed it. */
  isClosed: boolean;
  /** Where its named consumers go on. */
  cursors: ControlSlot["cursors"];
  /** Tails that nobody was told of, which were saved aside. */
  tails: { name: string; bytes: number }[];
  /** What is wrong with it, but for its segments. */
  damage: string[];
}

/** Segments that are looked into. Arbitrary: a page shows no more. */
const SEGMENTS_MAX = 100;

const SEGMENT_NAME = /^([0-9a-f]{8})-(\d{20})\.wal$/;
const TAIL_NAME = /^torn-[0-9a-f]{8}-\d+-\d+$/;

/** Whether a file's name is that of a segment. */
export function isSegmentName(name: string): boolean {
  return SEGMENT_NAME.test(name);
}

/**
 * Looks at a log's directory. Its writer may go on.
 *
 * Cost: a directory read, and a few system calls for each of the newest 100 segments.
 *
 * @returns undefined if there is no log in it.
 * @throws {Deno.errors.NotCapable} If this process may not read it.
 */
export function readLogDirectory(directory: string): LogDirectory | undefined {
  const path = toAbsolute(directory);
  checkPermitted(path, "read");
  const names = [...Deno.readDirSync(path)].filter(({ isFile }) => isFile)
    .map(({ name }) => name).sort();
  const segmentNames = names.filter(isSegmentName);
  if (segmentNames.length === 0 && !names.includes("control")) return undefined;
  const damage: string[] = [];
  const control = readControl(path, damage);
  const segments = segmentNames.slice(-SEGMENTS_MAX).map((name) => readSegment(path, name));
  noteMissing(segments, control, damage);
  segments.forEach((segment, at) => {
    const next = segments[at + 1];
    if (next !== undefined) segment.lastSequence = next.firstSequence - 1;
  });
  return {
    directory: path,
    channel: control?.channel ?? path.slice(path.lastIndexOf("/") + 1),
    segments,
    segmentCount: segmentNames.length,
    bytes: segmentNames.reduce((sum, name) => sum + sizeOf(`${path}/${name}`), 0),
    firstSequence: Number(SEGMENT_NAME.exec(segmentNames[0] ?? "")?.[2] ?? 0),
    epoch: control?.epoch ?? 0,
    isClosed: (control?.end ?? 0) > 0,
    cursors: control?.cursors ?? [],
    tails: names.filter((name) => TAIL_NAME.test(name))
      .map((name) => ({ name, bytes: sizeOf(`${path}/${name}`) })),
    damage,
  };
}

/** The logs in a directory of logs, by their directories' names. */
export function readLogDirectories(walDir: string): LogDirectory[] {
  const path = toAbsolute(walDir);
  checkPermitted(path, "read");
  const names = [...Deno.readDirSync(path)].filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => name).sort();
  return names.flatMap((name) => readOrNone(`${path}/${name}`) ?? []);
}

/** What goes while it is looked at, or is another user's, is none. */
function readOrNone(path: string): LogDirectory | undefined {
  try {
    return readLogDirectory(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
}

function readControl(path: string, damage: string[]): ControlSlot | undefined {
  const slots = decodeControl(readHead(`${path}/control`, 2 * CONTROL_SIZE));
  const sound = slots.filter(({ sound }) => sound).length;
  const control = currentSlot(slots);
  // One slot may be torn by whoever wrote it when the host went: the other one is for that.
  if (control === undefined) damage.push("no slot of its control file verifies");
  else if (sound < 2) damage.push("one of two slots of its control file does not verify");
  return control;
}

function readSegment(path: string, name: string): LogSegment {
  const [, number = "", first = ""] = SEGMENT_NAME.exec(name)!;
  const header = decodeSegmentHeader(readHead(`${path}/${name}`, SEGMENT_HEADER_SIZE));
  return {
    name,
    segment: parseInt(number, 16),
    bytes: sizeOf(`${path}/${name}`),
    firstSequence: Number(first),
    lastSequence: null,
    createdMs: header?.sound ? header.createdMs : 0,
    damage: damageOf(header, parseInt(number, 16), Number(first)),
  };
}

function damageOf(
  header: SegmentHeader | undefined,
  segment: number,
  firstSequence: number,
): string | null {
  if (header === undefined) return "too short for a header";
  if (!header.sound) return "its header does not verify";
  const isItself = header.segment === segment && header.firstSequence === firstSequence;
  return isItself ? null : "its header is that of another segment";
}

function noteMissing(
  segments: readonly LogSegment[],
  control: ControlSlot | undefined,
  damage: string[],
): void {
  segments.forEach(({ segment }, at) => {
    const before = segments[at - 1]?.segment;
    if (before === undefined || segment === before + 1) return;
    damage.push(`segments are missing between number ${before} and ${segment}`);
  });
  const newest = segments.at(-1)?.segment ?? -1;
  if (control !== undefined && control.newestSegment > newest) {
    damage.push(`segment number ${control.newestSegment} is missing`);
  }
}

/** The first bytes of a file; none where it is gone, or is no file. */
function readHead(path: string, bytes: number): Uint8Array<ArrayBuffer> {
  try {
    if (!Deno.lstatSync(path).isFile) return new Uint8Array(0); // A pipe would hang us.
    using file = Deno.openSync(path);
    const head = new Uint8Array(bytes);
    let size = 0;
    for (let count: number | null = 0; count !== null && size < bytes; size += count ?? 0) {
      count = file.readSync(head.subarray(size));
    }
    return head.slice(0, size);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Uint8Array(0);
    if (error instanceof Deno.errors.PermissionDenied) return new Uint8Array(0);
    throw error;
  }
}

/** 0 where it is gone: segments are cut while they are counted. */
function sizeOf(path: string): number {
  try {
    return Deno.lstatSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/**
 * Turns the native side's status codes into errors. One place, so that each code has one text.
 *
 * @module
 */

import {
  ChannelClosedError,
  CorruptHeaderError,
  CorruptLogError,
  LayoutMismatchError,
  type LogDamage,
  type LogFaultKind,
  NoSpaceError,
  RingTruncatedError,
} from "../errors.ts";
import * as layout from "./_layout.ts";

/** What a native function says beside its status. */
export class Detail {
  /** The buffer that the native side fills. */
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(layout.DETAIL_SIZE);
  readonly #view = new DataView(this.bytes.buffer);

  /** Error number of the operating system. */
  get errno(): number {
    return this.#view.getUint32(layout.DETAIL_ERRNO_OFFSET, true);
  }

  /** Process that holds what was wanted. */
  get pid(): number {
    return this.#view.getUint32(layout.DETAIL_PID_OFFSET, true);
  }

  /** Bytes from the start of the file to what is wrong. */
  get offset(): number {
    return this.#view.getFloat64(layout.DETAIL_OFFSET_OFFSET, true);
  }

  /** What should be there. */
  get expected(): number {
    return this.#view.getFloat64(layout.DETAIL_EXPECTED_OFFSET, true);
  }

  /** What is there. */
  get actual(): number {
    return this.#view.getFloat64(layout.DETAIL_ACTUAL_OFFSET, true);
  }

  /** Bytes wanted. */
  get needed(): number {
    return this.#view.getFloat64(layout.DETAIL_NEEDED_OFFSET, true);
  }

  /** Bytes to be had. */
  get available(): number {
    return this.#view.getFloat64(layout.DETAIL_AVAILABLE_OFFSET, true);
  }

  /** Of a damaged log: what is wrong, and where. */
  get damage(): LogDamage {
    return {
      kind: LOG_FAULTS[this.errno] ?? "group",
      file: this.name,
      offset: this.offset,
      expectedSequence: this.expected,
      nextSequence: this.actual,
    };
  }

  /** Name of a peer, a channel or a file, as it is shown. */
  get name(): string {
    const size = this.#view.getUint32(layout.DETAIL_NAME_BYTES_OFFSET, true);
    return shownText(readText(this.bytes, layout.DETAIL_NAME_OFFSET, size));
  }
}

/** Kinds of damage, by their number across the border. */
export const LOG_FAULTS: Record<number, LogFaultKind> = {
  [layout.LOG_FAULT_CONTROL]: "control",
  [layout.LOG_FAULT_SEGMENT_MISSING]: "segment-missing",
  [layout.LOG_FAULT_SEGMENT_HEADER]: "segment-header",
  [layout.LOG_FAULT_SEGMENT_FOREIGN]: "segment-foreign",
  [layout.LOG_FAULT_SEGMENT_ORDER]: "segment-order",
  [layout.LOG_FAULT_GROUP]: "group",
  [layout.LOG_FAULT_RECORD]: "record",
  [layout.LOG_FAULT_ORDER]: "order",
  [layout.LOG_FAULT_PADDING]: "padding",
  [layout.LOG_FAULT_SIZE]: "size",
  [layout.LOG_FAULT_CONTROL_SLOT]: "control-slot",
  [layout.LOG_FAULT_REGRESSED]: "regressed",
};

/** Reads text that the native side wrote into a fixed field. */
export function readText(bytes: Uint8Array, offset: number, size: number): string {
  return new TextDecoder().decode(bytes.subarray(offset, offset + size));
}

/** A text of another process, as it is shown: it must not steer the terminal of who reads it. */
export function shownText(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Where a call failed, for its error's text. */
export interface Context {
  /** What was attempted: a verb in the infinitive. */
  action: string;
  /** The ring file. */
  path: string;
  /** The channel's name. */
  channel: string;
}

/**
 * Returns the error that stands for a negative status.
 *
 * @param status A code of `_layout.ts` below 0.
 */
export function failure(status: number, context: Context, detail: Detail): Error {
  const { action, path, channel } = context;
  const cannot = `Cannot ${action} "${path}"`;
  switch (status) {
    case layout.CLOSED:
      return new ChannelClosedError(channel, "a handle");
    case layout.TRUNCATED:
      return new RingTruncatedError(path);
    case layout.BUSY:
      return new Deno.errors.Busy(
        `Cannot ${action} channel "${channel}": found ${describeOwner(detail)} in its place`,
      );
    case layout.SLOTS_FULL:
      return new Deno.errors.Busy(
        `Cannot ${action} channel "${channel}": found all its slots taken` +
          (detail.name === ""
            ? ` by live processes; create it with a larger maxConsumers, or close one`
            : `, one by consumer "${detail.name}", which has left and for which the log keeps ` +
              `messages; open it again under that name, remove it with removeConsumer(), or ` +
              `create the channel with a larger maxConsumers`),
      );
    case layout.NO_SPACE:
      return new NoSpaceError(path, detail.needed, detail.available);
    case layout.NOT_FOUND:
      return new Deno.errors.NotFound(`${cannot}: found no such file; create the channel first`);
    case layout.ALREADY_EXISTS:
      return new Deno.errors.AlreadyExists(`${cannot}: found a file of that name`);
    case layout.OTHER_BOOT:
      return new Deno.errors.NotFound(
        `${cannot}: found a ring of before this host's last start; create the channel anew`,
      );
    case layout.CORRUPT_LOG:
      return new CorruptLogError(path, detail.damage);
    case layout.OTHER_LOG:
      return new LayoutMismatchError(
        path,
        "the log of this channel",
        channel,
        "the log of another one, or of other record options or schema",
        "use another walDir, or the options that the log was made with",
      );
    case layout.OTHER_CHANNEL:
      return new CorruptHeaderError(path, `channel "${detail.name}" instead of "${channel}"`);
    default:
      return fileFailure(status, cannot, path, detail) ??
        new Error(`${cannot}: found unexpected status ${status}`);
  }
}

/** Returns who holds what was wanted, in words. */
export function describeOwner(detail: Detail): string {
  const name = detail.name;
  return `live process ${detail.pid}${name === "" ? "" : ` ("${name}")`}`;
}

/** Returns the error for what a file is or is not, or undefined for any other status. */
export function fileFailure(
  status: number,
  cannot: string,
  path: string,
  detail: Detail,
): Error | undefined {
  const { expected, actual, errno } = detail;
  const upgrade = "upgrade one side, or remove the channel with removeChannel()";
  switch (status) {
    case layout.SIZE_MISMATCH:
      return new CorruptHeaderError(path, `${actual} bytes where ${expected} belong`);
    case layout.INVALID_MAGIC:
      return new CorruptHeaderError(path, "no ring file");
    case layout.INVALID_IDENTITY:
      return new CorruptHeaderError(path, "an identity page that does not verify");
    case layout.CORRUPT_HEADER:
      return new CorruptHeaderError(path, "a header word that no sound peer writes");
    case layout.VERSION_MISMATCH:
      return new LayoutMismatchError(path, "format version", `${expected}`, `${actual}`, upgrade);
    case layout.FINGERPRINT_MISMATCH:
      return new LayoutMismatchError(path, "fingerprint", `${expected}`, `${actual}`, upgrade);
    case layout.UNSAFE_FILE:
      return new Deno.errors.PermissionDenied(
        `${cannot}: expected a regular file of this user with one name and mode ` +
          `${expected === 0 || expected === 1 ? "0600" : toMode(expected)} or narrower, in a ` +
          `directory that no other user may write, found something else` +
          (actual > 1 ? ` (mode ${toMode(actual)})` : ""),
      );
    case layout.UNSUPPORTED_FILE_SYSTEM:
      return new Deno.errors.NotSupported(
        `${cannot}: expected a local file system, found ${detail.name || "an unknown one"} ` +
          `(type 0x${actual.toString(16)}), where mappings, locks and syncs are not those of one ` +
          `host; keep rings in /dev/shm, and logs and checkpoints on a local disk`,
      );
    case layout.TABLE_FULL:
      return new Deno.errors.Busy(`${cannot}: found too many handles open in this process`);
    case layout.OS_ERROR:
      return osFailure(cannot, errno);
    case layout.INVALID_ARGUMENT:
      return new RangeError(`${cannot}: found an argument out of its range`);
    default:
      return undefined;
  }
}

const EPERM = 1;
const EISDIR = 21;
const EACCES = 13;
const ENOTDIR = 20;
const ENOMEM = 12;
const EAGAIN = 11;

function osFailure(cannot: string, errno: number): Error {
  if (errno === EACCES || errno === EPERM) {
    return new Deno.errors.PermissionDenied(`${cannot}: found that this user may not`);
  }
  if (errno === EISDIR) {
    return new Deno.errors.IsADirectory(`${cannot}: found a directory`);
  }
  if (errno === ENOTDIR) {
    return new Deno.errors.NotADirectory(`${cannot}: found a part of the path that is a file`);
  }
  if (errno === ENOMEM || errno === EAGAIN) {
    return new Error(
      `${cannot}: found too little memory that may be mapped or locked (errno ${errno}); ` +
        `see "ulimit -l" and the cgroup's limit`,
    );
  }
  return new Error(`${cannot}: found operating system error ${errno}`);
}

function toMode(mode: number): string {
  return `0${mode.toString(8)}`;
}

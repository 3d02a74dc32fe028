/**
 * Every error class of the library. Each says what was expected, what was found and what to do, and
 * has the fields that a handler needs.
 *
 * Expected outcomes on the hot path are numbers (`BACK_PRESSURED`), wrong calls are `TypeError` and
 * `RangeError`, and what the operating system says is `Deno.errors.*`; these are the rest.
 *
 * @module
 */

/** Thrown when the native library is missing, unsuitable or not the one that was published. */
export class NativeLibraryError extends Error {
  /** Name of the class. */
  override name = "NativeLibraryError";
}

/** Thrown when a file is of another shape than this library, or the schema. Upgrade one side. */
export class LayoutMismatchError extends Error {
  /** Name of the class. */
  override name = "LayoutMismatchError";
  /** The file. */
  readonly path: string;
  /** What this side has. */
  readonly expected: string;
  /** What the file has. */
  readonly actual: string;

  /** Names both shapes. `what` is the property that differs. */
  constructor(path: string, what: string, expected: string, actual: string, advice: string) {
    super(`Cannot open "${path}": expected ${what} ${expected}, found ${actual}; ${advice}`);
    this.path = path;
    this.expected = expected;
    this.actual = actual;
  }
}

/** Thrown when a file is no ring file, or its header has a value that no sound peer writes. */
export class CorruptHeaderError extends Error {
  /** Name of the class. */
  override name = "CorruptHeaderError";
  /** The file. */
  readonly path: string;

  /** Says what is wrong with the file. */
  constructor(path: string, found: string) {
    super(`Cannot use "${path}" as a channel: found ${found}; remove it with removeChannel()`);
    this.path = path;
  }
}

/** Thrown when a file has the name of a service's counters, and cannot be read as such. */
export class CorruptCountersError extends Error {
  /** Name of the class. */
  override name = "CorruptCountersError";
  /** The file. */
  readonly path: string;

  /** Says what is wrong with the file. */
  constructor(path: string, found: string) {
    super(`Cannot use "${path}" as counters: found ${found}; remove it`);
    this.path = path;
  }
}

/** Where a record is, and what its checksum says. */
export interface RecordFault {
  /** Bytes from the start of the file. */
  offset: number;
  /** Sequence that belongs there. */
  expectedSequence: number;
  /** Sequence that stands there. */
  actualSequence: number;
  /** Checksum of the bytes that stand there. */
  expectedCrc: number;
  /** Checksum that stands there. */
  actualCrc: number;
}

/** Thrown when a published record does not verify. Recover from a log, a snapshot or a replica. */
export class CorruptRecordError extends Error {
  /** Name of the class. */
  override name = "CorruptRecordError";
  /** The file. */
  readonly path: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Sequence that belongs there. */
  readonly sequence: number;
  /** Checksum of the bytes that stand there. */
  readonly expectedCrc: number;
  /** Checksum that stands there. */
  readonly actualCrc: number;

  /** Describes the record. */
  constructor(path: string, fault: RecordFault) {
    const { offset, expectedSequence, actualSequence, expectedCrc, actualCrc } = fault;
    super(
      `Cannot read record ${expectedSequence} of "${path}" at offset ${offset}: ` +
        `expected checksum 0x${expectedCrc.toString(16)}, found 0x${actualCrc.toString(16)}` +
        (actualSequence === expectedSequence ? "" : ` and sequence ${actualSequence}`),
    );
    this.path = path;
    this.offset = offset;
    this.sequence = expectedSequence;
    this.expectedCrc = expectedCrc;
    this.actualCrc = actualCrc;
  }
}

/** Thrown when messages are missing, so that going on would lose them. Replay them from a log. */
export class SequenceGapError extends Error {
  /** Name of the class. */
  override name = "SequenceGapError";
  /** First sequence that is missing. */
  readonly expected: number;
  /** First sequence that is there. */
  readonly actual: number;

  /** Names the gap. */
  constructor(channel: string, expected: number, actual: number) {
    super(
      `Cannot read channel "${channel}" from sequence ${expected}: ` +
        `found ${actual} as the oldest message in the ring`,
    );
    this.expected = expected;
    this.actual = actual;
  }
}

/** Thrown when a closed channel, producer or consumer is used. Open it again. */
export class ChannelClosedError extends Error {
  /** Name of the class. */
  override name = "ChannelClosedError";
  /** Name of the channel. */
  readonly channel: string;

  /** Says what was closed. */
  constructor(channel: string, what: string) {
    super(`Cannot use ${what} of channel "${channel}": found it closed`);
    this.channel = channel;
  }
}

/** Thrown when a ring file was truncated while it was open. Remove the channel, create it anew. */
export class RingTruncatedError extends Error {
  /** Name of the class. */
  override name = "RingTruncatedError";
  /** The file. */
  readonly path: string;

  /** Names the file. */
  constructor(path: string) {
    super(`Cannot use "${path}": found it truncated under its mapping; create the channel anew`);
    this.path = path;
  }
}

/** Thrown when a file system has too little room. */
export class NoSpaceError extends Error {
  /** Name of the class. */
  override name = "NoSpaceError";
  /** The file that was to be made, or the store. */
  readonly path: string;
  /** Bytes that it needs, at least. */
  readonly needed: number;
  /** Bytes that are free. */
  readonly available: number;

  /** Names both amounts, and what helps in a container. `action` is what was attempted. */
  constructor(path: string, needed: number, available: number, action = "create") {
    const advice = path.startsWith("/dev/shm/")
      ? "; in a container, raise --shm-size, or mount an emptyDir of medium Memory at /dev/shm"
      : "";
    super(`Cannot ${action} "${path}": expected ${needed} bytes free, found ${available}${advice}`);
    this.path = path;
    this.needed = needed;
    this.available = available;
  }
}

/** Thrown when a producer waits for room that only a consumer on its own thread could make. */
export class DeadlockError extends Error {
  /** Name of the class. */
  override name = "DeadlockError";

  /** Names the consumer. */
  constructor(channel: string, consumer: string) {
    super(
      `Cannot wait for room in channel "${channel}": expected another thread to make it, ` +
        `found consumer "${consumer}" of this thread; poll it, or use offer()`,
    );
  }
}

/** What is wrong with a log. */
export type LogFaultKind =
  /** The control file is missing or does not verify. */
  | "control"
  /** A segment that has to be there is not. */
  | "segment-missing"
  /** A segment's header does not verify. */
  | "segment-header"
  /** A segment of another log, or under another one's name. */
  | "segment-foreign"
  /** Segments that do not follow each other. */
  | "segment-order"
  /** No sound group where one has to be. */
  | "group"
  /** A record that does not verify. */
  | "record"
  /** A sound group that does not belong there. */
  | "order"
  /** Bytes that have to be zero are not. */
  | "padding"
  /** A file that is shorter or longer than it says. */
  | "size"
  /** One of the two slots of the control file does not verify. */
  | "control-slot"
  /** The log ends before a sequence that was acknowledged. */
  | "regressed";

/** Where a log is damaged. */
export interface LogDamage {
  /** What is wrong. */
  kind: LogFaultKind;
  /** File in the log's directory; empty if it is the directory. */
  file: string;
  /** Bytes from the start of that file. */
  offset: number;
  /** Sequence that belongs there; 0 if that is not known. */
  expectedSequence: number;
  /** Next sequence that is there and sound; 0 if that is not known. */
  nextSequence: number;
}

/**
 * Thrown when a log is damaged where it was durable once. Nothing has been changed. Restore it from
 * a copy or a replica, or see what is left with `mt verify`; docs/operations.md says how.
 */
export class CorruptLogError extends Error implements LogDamage {
  /** Name of the class. */
  override name = "CorruptLogError";
  /** The log's directory. */
  readonly path: string;
  /** What is wrong. */
  readonly kind: LogFaultKind;
  /** File in the log's directory; empty if it is the directory. */
  readonly file: string;
  /** Bytes from the start of that file. */
  readonly offset: number;
  /** Sequence that belongs there; 0 if that is not known. */
  readonly expectedSequence: number;
  /** Next sequence that is there and sound; 0 if that is not known. */
  readonly nextSequence: number;

  /** Describes the damage. */
  constructor(path: string, damage: LogDamage) {
    const { kind, file, offset, expectedSequence, nextSequence } = damage;
    const place = file === "" ? "" : ` in "${file}" at offset ${offset}`;
    const expected = expectedSequence > 0 ? `expected sequence ${expectedSequence}, ` : "";
    const next = nextSequence > 0 ? `; the next sound one is ${nextSequence}` : "";
    super(
      `Cannot use the log "${path}": ${expected}found damage (${kind})${place}${next}; ` +
        `nothing was changed: restore it from a copy, or run "mt verify"`,
    );
    this.path = path;
    this.kind = kind;
    this.file = file;
    this.offset = offset;
    this.expectedSequence = expectedSequence;
    this.nextSequence = nextSequence;
  }
}

/**
 * Thrown when something could not be made durable: a channel's messages, or a store's values. What
 * was acknowledged is safe. A failed sync is never repeated: mend the disk, close what it belongs
 * to and open it again.
 */
export class DurabilityError extends Error {
  /** Name of the class. */
  override name = "DurabilityError";
  /** The directory of the log or the store. */
  readonly path: string;
  /** The operating system's error; 0 if it is damage that was found. */
  readonly errno: number;

  /** Says why. */
  constructor(path: string, errno: number, found = `operating system error ${errno}`) {
    super(`Cannot make "${path}" durable: found ${found}; mend the disk, close it, open it again`);
    this.path = path;
    this.errno = errno;
  }
}

/** Thrown when a store's file, or a value in it, is damaged. Use an older copy, or a replica. */
export class CorruptStoreError extends Error {
  /** Name of the class. */
  override name = "CorruptStoreError";
  /** The store's directory. */
  readonly path: string;
  /** Key of the value that is damaged; undefined when it is the store itself. */
  readonly key: string | undefined;

  /** Says what is wrong. Without a key, nothing of the store may be used. */
  constructor(path: string, found: string, key?: string) {
    const what = key === undefined ? `store "${path}"` : `key "${key}" of store "${path}"`;
    super(`Cannot read ${what}: found ${found}`);
    this.path = path;
    this.key = key;
  }
}

/** Thrown when a closed store is used. Open it again. */
export class StoreClosedError extends Error {
  /** Name of the class. */
  override name = "StoreClosedError";
  /** The store's directory. */
  readonly path: string;

  /** Names the store. */
  constructor(path: string) {
    super(`Cannot use store "${path}": found it closed`);
    this.path = path;
  }
}

/** Thrown when a file of instruments is damaged, or has lost some. Restore it: ids never change. */
export class CorruptInstrumentsError extends Error {
  /** Name of the class. */
  override name = "CorruptInstrumentsError";
  /** The file. */
  readonly path: string;

  /** Says what is wrong with the file. */
  constructor(path: string, found: string) {
    super(`Cannot read "${path}" as instruments: found ${found}`);
    this.path = path;
  }
}

/** Thrown when an engine or a feed cannot be restored from bytes. Use an older checkpoint. */
export class CorruptSnapshotError extends Error {
  /** Name of the class. */
  override name = "CorruptSnapshotError";

  /** Says what is wrong with them. */
  constructor(found: string) {
    super(`Cannot restore a state: found ${found}; use an older checkpoint`);
  }
}

/**
 * Thrown when what an engine has told, in its events channel, is not what it knows: one of the two
 * was lost, set back or exchanged.
 */
export class EventsMismatchError extends Error {
  /** Name of the class. */
  override name = "EventsMismatchError";
  /** Number of the last event that the engine has come to. */
  readonly expected: number;
  /** Number of the last one that the channel has. */
  readonly actual: number;

  /** Names the channel, and says what to do. */
  constructor(channel: string, expected: number, actual: number, advice: string) {
    super(
      `Cannot go on with channel "${channel}": expected its last event to be ${expected}, ` +
        `found ${actual}; ${advice}`,
    );
    this.expected = expected;
    this.actual = actual;
  }
}

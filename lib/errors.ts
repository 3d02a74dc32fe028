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

/**
 * Thrown when a file could not be made durable; a failed fsync is never retried. Close what it
 * belongs to and open it again: what is there then is what the disk has.
 */
export class DurabilityError extends Error {
  /** Name of the class. */
  override name = "DurabilityError";
  /** The file or directory. */
  readonly path: string;
  /** Error number of the operating system. */
  readonly errno: number;

  /** Names the error number. */
  constructor(path: string, errno: number) {
    super(
      `Cannot make "${path}" durable: found operating system error ${errno}; ` +
        `close it and open it again`,
    );
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

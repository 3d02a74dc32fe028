/**
 * The messages of a log, read without its channel: for tools, and to see what is left of a damaged
 * one.
 *
 * @module
 */

import { Assembly, FRAGMENT_BITS } from "../channel/fragments.ts";
import { Message } from "../channel/record.ts";
import { CorruptLogError, type LogDamage, SequenceGapError } from "../errors.ts";
import * as layout from "../native/_layout.ts";
import { toAbsolute } from "../native/path.ts";
import { closeHandle } from "../native/ring.ts";
import { type LogRecords, LogSteps, openVerifier, readFindings, skipTo } from "../native/verify.ts";

/** Which messages of a log are read. */
export interface ReadLogOptions {
  /** Sequence of the first one. Default: the oldest that the log has. */
  from?: number;
  /** Sequence of the last one. Default: to the end. */
  to?: number;
  /** Told of each damage, which is passed then. Without it, the first one ends the reading. */
  onDamage?: (damage: LogDamage) => void;
  /** Told of the sequences that a damage which was passed has taken, before those behind them. */
  onLost?: (lost: LostInterval) => void;
}

/** Sequences that a damaged log has lost. */
export interface LostInterval {
  /** First sequence lost. */
  from: number;
  /** Last sequence lost; undefined if it is not known where the log ended. */
  to: number | undefined;
}

/** What is left of a log, and what is not. */
export interface Salvage {
  /** Messages that were handed over. */
  messages: number;
  /** Records that verify: also those of the library, and parts of split messages. */
  records: number;
  /** Sequences that are lost, in order. */
  lost: LostInterval[];
  /** Sequences of messages that are incomplete, as some of their parts are lost. */
  incomplete: number[];
  /** Everything that does not verify. */
  findings: LogDamage[];
}

/** Walks over the records of a group, with one message. */
class RecordCursor {
  readonly #view: DataView<ArrayBuffer>;
  readonly #message: Message;
  readonly #assembly = new Assembly();
  readonly #alignment: number;
  /** Sequences of split messages of which a part is missing. */
  readonly incomplete: number[] = [];

  constructor(buffer: ArrayBuffer, alignment: number) {
    this.#view = new DataView(buffer);
    this.#message = new Message(this.#view);
    this.#alignment = alignment;
  }

  /** Some records are missing here: of a split message too, if one has begun. */
  break(): void {
    this.#assembly.reset();
  }

  /** Whether the first of these records is in the middle of a message. */
  isContinued({ count }: LogRecords): boolean {
    return count > 0 && this.#bitsAt(0) !== 0 && this.#bitsAt(0) !== layout.RECORD_FIRST_FRAGMENT;
  }

  #bitsAt(at: number): number {
    return this.#headAt(at).flags & FRAGMENT_BITS;
  }

  #headAt(at: number): { length: number; flags: number } {
    // The second word of a record: the length, and the flags behind it.
    const word = at + Float64Array.BYTES_PER_ELEMENT;
    return {
      length: this.#view.getUint32(word, true),
      flags: this.#view.getUint8(word + Uint32Array.BYTES_PER_ELEMENT),
    };
  }

  /** The messages that end in these records. Aborted records are none. */
  *messages({ sequence, count }: LogRecords): Generator<Message, void, void> {
    for (let at = 0, i = 0; i < count; i++) {
      const { length, flags } = this.#headAt(at);
      const start = at + layout.RECORD_HEADER_BYTES;
      const bytes = layout.RECORD_HEADER_BYTES + length + layout.RECORD_TRAILER_BYTES;
      at += Math.ceil(bytes / this.#alignment) * this.#alignment;
      if ((flags & (layout.RECORD_CONTROL | layout.RECORD_ABORTED)) !== 0) continue;
      const message = this.#read(sequence + i, start, length, flags);
      if (message !== undefined) yield message;
    }
  }

  #read(sequence: number, start: number, length: number, flags: number): Message | undefined {
    const message = this.#message;
    const stamp = (flags & layout.RECORD_TIMESTAMPED) === 0 ? 0 : layout.RECORD_TIMESTAMP_BYTES;
    message.sequence = sequence;
    message.flags = flags & (layout.RECORD_USER | layout.RECORD_CRITICAL);
    message.view = this.#view;
    message.offset = start + stamp;
    message.length = length - stamp;
    const bits = flags & FRAGMENT_BITS;
    if (bits === 0) return message;
    if (!this.#assembly.isOpen && bits === layout.RECORD_LAST_FRAGMENT) {
      this.incomplete.push(sequence);
    }
    const whole = this.#assembly.add(bits, message.payload);
    if (whole === undefined) return undefined;
    message.view = whole;
    message.offset = 0;
    message.length = whole.byteLength;
    return message;
  }
}

/**
 * Reads the messages of a log offline: no channel is needed, nothing is written, and its writer may
 * go on. Ends where the log ends: a tail that nobody was told of is not read.
 *
 * The message object and its bytes are used again for the next one.
 *
 * @throws {Deno.errors.NotFound} If there is no log.
 * @throws {SequenceGapError} If `from` is older than the log.
 * @throws {CorruptLogError} At the first damage on the way, unless `onDamage` is given.
 */
export function* readLog(
  directory: string,
  options: ReadLogOptions = {},
): Generator<Message, void, void> {
  const { from = 1, to = Infinity } = options;
  const path = toAbsolute(directory);
  if (!(Number.isSafeInteger(from) && from >= 1)) {
    throw new RangeError(`Cannot read "${path}": expected from to be a sequence, found ${from}`);
  }
  // A split message may begin in an earlier segment than that of its end.
  for (let back = 0;; back++) {
    const { handle, overview } = openVerifier(path);
    try {
      if (!hasLog(overview)) throw noLog(path);
      const { firstSequence } = overview;
      if (from !== 1 && from < firstSequence) {
        throw new SequenceGapError(overview.channel, from, firstSequence);
      }
      const isAtBegin = !skipTo(handle, from, back);
      const steps = new LogSteps(handle);
      const cursor = new RecordCursor(steps.buffer, overview.recordAlignment);
      const wanted = { ...options, from, to, mayBeSplit: isAtBegin };
      const read = readSteps(path, handle, steps, cursor, wanted);
      if ((yield* read) === "done") return;
    } finally {
      closeHandle(handle);
    }
  }
}

function* readSteps(
  path: string,
  handle: number,
  steps: LogSteps,
  cursor: RecordCursor,
  { from, to, mayBeSplit, onDamage, onLost }:
    & { from: number; to: number; mayBeSplit: boolean }
    & Pick<ReadLogOptions, "onDamage" | "onLost">,
): Generator<Message, "done" | "split", void> {
  let isFirst = !mayBeSplit;
  let [findings, next] = [0, 0];
  for (;;) {
    const step = steps.next();
    if (step === "end") return "done";
    if (step === "segment-end") continue;
    if (step === "finding") {
      const found = readFindings(handle, findings);
      findings += found.length;
      for (const damage of found) {
        if (damage.kind === "control-slot") continue; // Takes nothing away.
        if (onDamage === undefined) throw new CorruptLogError(path, damage);
        onDamage(damage);
      }
      continue;
    }
    if (step.sequence > to) return "done";
    if (step.sequence < next) continue; // A copy of what was there before.
    if (step.sequence > next && next > 0) {
      cursor.break();
      if (step.sequence > from) onLost?.({ from: Math.max(from, next), to: step.sequence - 1 });
    }
    next = step.sequence + step.count;
    if (isFirst && step.count > 0) {
      if (cursor.isContinued(step)) return "split";
      isFirst = false;
    }
    for (const message of cursor.messages(step)) {
      if (message.sequence > to) return "done";
      if (message.sequence >= from) yield message;
    }
  }
}

/** Whether there is a log at all. */
export function hasLog(
  { segments, soundSlots }: { segments: number; soundSlots: number },
): boolean {
  return segments > 0 || soundSlots > 0;
}

/** The error that says that there is none. */
export function noLog(path: string): Error {
  return new Deno.errors.NotFound(
    `Cannot read "${path}": found no log in it; its directory is <walDir>/<channel>`,
  );
}

/** How what is left is handed over. */
export interface SalvageOptions {
  /** Called with every message that is whole, in order; object and bytes are used again. */
  onMessage?: (message: Message) => void;
}

/**
 * Goes through a damaged log, hands over every message that is left, and says exactly what is lost.
 * Changes nothing. Records between damaged ones are found one by one, each by its checksum.
 *
 * @throws {Deno.errors.NotFound} If there is no log.
 */
export function salvageLog(directory: string, { onMessage }: SalvageOptions = {}): Salvage {
  const path = toAbsolute(directory);
  const { handle, overview } = openVerifier(path);
  try {
    if (!hasLog(overview)) throw noLog(path);
    const steps = new LogSteps(handle);
    const cursor = new RecordCursor(steps.buffer, overview.recordAlignment);
    const lost: LostInterval[] = [];
    let [messages, records, wanted] = [0, 0, overview.firstSequence];
    for (let step = steps.next(); step !== "end"; step = steps.next()) {
      if (typeof step === "string" || step.count === 0) continue;
      const { sequence, count } = step;
      if (sequence < wanted) continue; // A copy of what was there before.
      if (sequence > wanted && wanted > 0) {
        cursor.break();
        lost.push({ from: wanted, to: sequence - 1 });
      }
      records += count;
      wanted = sequence + count;
      for (const message of cursor.messages(step)) {
        messages++;
        onMessage?.(message);
      }
    }
    const findings = readFindings(handle);
    const last = lostAtEnd(findings, wanted);
    if (last !== undefined) lost.push(last);
    return { messages, records, lost, incomplete: cursor.incomplete, findings };
  } finally {
    closeHandle(handle);
  }
}

/** What is lost behind the last sound record, from `wanted` on. */
function lostAtEnd(findings: LogDamage[], wanted: number): LostInterval | undefined {
  const behind = findings.filter(({ kind, expectedSequence, nextSequence }) =>
    kind !== "control-slot" && expectedSequence > 0 &&
    (nextSequence > wanted || nextSequence === 0 && expectedSequence >= wanted)
  );
  if (behind.length === 0) return undefined;
  const ends = behind.map(({ nextSequence }) => nextSequence);
  return { from: wanted, to: ends.includes(0) ? undefined : Math.max(...ends) - 1 };
}

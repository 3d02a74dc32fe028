// Spoils records of a ring and reads them: what was sent before the damage arrives, nothing that
// was not sent ever does, and the damage is an error that says where it is. A process of its own,
// as in _sweep_header.ts.

import {
  type Channel,
  type Consumer,
  CorruptHeaderError,
  CorruptRecordError,
  createChannel,
  openChannel,
  openConsumer,
  openObserver,
  openProducer,
  SequenceGapError,
} from "../../mod.ts";
import { encodeRecord, FLAGS, patchBytes, readShape } from "../_format.ts";
import { pattern } from "../_support.ts";

/** What to spoil. */
interface RecordTask {
  directory: string;
  producers: "single" | "many";
  alignment: number;
  view: boolean;
  seed: number;
}

const task: RecordTask = JSON.parse(Deno.args[0]!);
const NAME = `records-${task.producers}-${task.alignment}-${task.view}`;
const OPTIONS = { ...task, sizeBytes: 4096, maxConsumers: 2 };
const path = `${task.directory}/${NAME}.ring`;
const LENGTHS = [5, 33, 21, 60, 0, 8, 100, 44];

/** Mulberry32: random numbers from 0 to 2^32 - 1 that are the same for the same seed. */
function* randomWords(seed: number): Generator<number, never, void> {
  for (let state = seed;;) {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    yield (word ^ (word >>> 14)) >>> 0;
  }
}

const random = randomWords(task.seed);

function randomBelow(limit: number): number {
  return random.next().value % limit;
}

/** Bytes from the start of one record to the next, and those of them that are verified. */
function strideOf(length: number, alignment = task.alignment): number {
  return Math.ceil((20 + length) / alignment) * alignment;
}

const file = (() => {
  using channel = createChannel(NAME, OPTIONS);
  const producer = openProducer(channel);
  for (const [i, length] of LENGTHS.entries()) producer.offer(pattern(length, i + 1));
  return Deno.readFileSync(path);
})();
const { headerBytes, salt } = readShape(file);
/** Where each record stands in the file, and behind them the first place that is free. */
const PLACES = LENGTHS.reduce((places, length) => {
  return [...places, places.at(-1)! + strideOf(length)];
}, [headerBytes]);

/** What a reader has come to: how many messages were right, and what stopped it. */
interface Reading {
  count: number;
  error: Error | undefined;
}

/** Reads until nothing comes; a word that went down is noticed at the 256th empty poll at last. */
function read(consumer: Consumer, checks = true): Reading {
  let count = 0;
  for (let empty = 0; empty < 600;) {
    try {
      const delivered = consumer.poll((message) => {
        const { sequence, payload } = message;
        count++;
        if (!checks) return;
        const expected = pattern(LENGTHS[sequence - 1] ?? NaN, sequence);
        const isRight = sequence === count && payload.length === expected.length &&
          payload.every((byte, i) => byte === expected[i]);
        if (!isRight) throw new TypeError(`Cannot be: received ${payload} as ${sequence}`);
      });
      if (delivered === 0) empty++;
    } catch (error) {
      const kinds = [CorruptRecordError, CorruptHeaderError, SequenceGapError];
      if (!kinds.some((kind) => error instanceof kind)) throw error;
      return { count, error: error as Error };
    }
  }
  return { count, error: undefined };
}

/** Opens the spoilt ring, reads it by every kind of reader, and puts it right again. */
function readSpoilt(check: (reading: Reading) => void, checks = true): void {
  const channel = openChannel(NAME, { directory: task.directory, prefault: false });
  const readers = [
    openConsumer(channel, { view: task.view, from: 1 }),
    openConsumer(channel, { onSlow: "drop", from: 1 }),
    openObserver(channel, { from: 1 }),
  ];
  apply();
  for (const reader of readers) check(read(reader, checks));
  openAnew(channel);
  channel.close();
  patchBytes(path, 0, file);
}

let apply = (): void => {};
let cases = 0;

/** Opening may refuse a ring with damage in it, by an error of its own. */
function openAnew(channel: Channel): void {
  const openings = [
    () => openProducer(channel).offer(pattern(9, 9)),
    () => openConsumer(channel, { name: "late", from: "earliest" }),
    () => openConsumer(channel, { name: "late", from: "latest" }),
    () => openObserver(channel, { from: 7 }),
  ];
  for (const open of openings) {
    try {
      open();
    } catch (error) {
      const kinds = [CorruptHeaderError, SequenceGapError, Deno.errors.Busy];
      if (!kinds.some((kind) => error instanceof kind)) throw error;
    }
  }
}

/** Checks that readers came as far as the first damaged record, and were told of that one. */
function expectDamage(first: number, what: string): void {
  cases++;
  readSpoilt(({ count, error }) => {
    const isTold = error instanceof CorruptRecordError && error.sequence === first + 1 &&
      error.offset === PLACES[first] && error.path === path;
    if (count === first && isTold) return;
    throw new Error(`${what}: expected ${first} messages and the damage, found ${count}, ${error}`);
  });
}

function expectNone(what: string): void {
  cases++;
  readSpoilt(({ count, error }) => {
    if (count === LENGTHS.length && error === undefined) return;
    throw new Error(`${what}: expected all messages, found ${count}, ${error}`);
  });
}

/** Every bit of two records. Zeros beyond the next multiple of 8 are not covered by anything. */
function flipBits(): void {
  for (const record of [0, 2]) {
    const [start, length] = [PLACES[record]!, LENGTHS[record]!];
    for (let bit = 0; bit < strideOf(length) * 8; bit++) {
      const offset = start + (bit >> 3);
      apply = () => patchBytes(path, offset, Uint8Array.of(file[offset]! ^ 1 << (bit & 7)));
      if (bit < strideOf(length, 8) * 8) expectDamage(record, `record ${record}, bit ${bit}`);
      else if (bit % 8 === 0) expectNone(`record ${record}, bit ${bit}`);
    }
  }
}

/** Several bytes anywhere in the records. */
function spoilBytes(): void {
  for (let round = 0; round < 300; round++) {
    const spoilt = Array.from({ length: 1 + randomBelow(5) }, () => {
      return headerBytes + randomBelow(PLACES.at(-1)! - headerBytes);
    });
    const masks = spoilt.map(() => 1 + randomBelow(255));
    const bytes = file.slice();
    spoilt.forEach((offset, i) => bytes[offset] = file[offset]! ^ masks[i]!);
    apply = () => patchBytes(path, headerBytes, bytes.subarray(headerBytes));
    const damaged = LENGTHS.findIndex((length, record) =>
      spoilt.some((at) =>
        at >= PLACES[record]! && at < PLACES[record]! + strideOf(length, 8) &&
        bytes[at] !== file[at]
      )
    );
    const what = `bytes ${spoilt} by ${masks} (seed ${task.seed}, round ${round})`;
    if (damaged < 0) expectNone(what);
    else expectDamage(damaged, what);
  }
}

/** Lengths that no record can have, with the checksum of the record as it was. */
function forgeLengths(): void {
  const lengths = [0xffff_ffff, 0x8000_0000, 0x7fff_ffff, 65537, 65536, 8192, 4096, 4095, 513, 512];
  for (const length of [...lengths, 481, 480, 479, 22, 20, 1, 0]) {
    apply = () => patchBytes(path, PLACES[2]! + 8, new Uint8Array(Uint32Array.of(length).buffer));
    expectDamage(2, `length ${length}`);
  }
  for (let round = 0; round < 200; round++) {
    const words = LENGTHS.map(() => random.next().value >>> randomBelow(32));
    const first = LENGTHS.findIndex((length, i) => length !== words[i]);
    apply = () => {
      for (const [i, word] of words.entries()) {
        patchBytes(path, PLACES[i]! + 8, new Uint8Array(Uint32Array.of(word).buffer));
      }
    };
    expectDamage(first, `lengths ${words} (seed ${task.seed}, round ${round})`);
  }
}

/** Records with a right checksum, from a peer that knows the salt. They must do no harm. */
function forgeRecords(): void {
  for (let flags = 0; flags < 256; flags++) {
    for (const length of [0, 4, 8, 21]) {
      const record = { sequence: 3, flags, payload: pattern(length, 1) };
      const forged = encodeRecord(record, salt, task.alignment);
      apply = () => patchBytes(path, PLACES[2]!, forged);
      cases++;
      const isStampMissing = (flags & FLAGS.timestamped) !== 0 && length < 8;
      readSpoilt(({ count, error }) => {
        if (count < 2) throw new Error(`flags ${flags}, ${length} bytes: found ${count}, ${error}`);
        if (!isStampMissing) return;
        if (error instanceof CorruptRecordError && error.sequence === 3) return;
        throw new Error(`flags ${flags}, ${length} bytes: expected damage, found ${error}`);
      }, false);
    }
  }
}

for (const spoil of [flipBits, spoilBytes, forgeLengths, forgeRecords]) spoil();
Deno.removeSync(path);
console.log(JSON.stringify({ cases }));

/**
 * Messages that follow from their place and from who wrote them, and the account of a log that was
 * written by one life after another: each killed, or its power cut.
 *
 * @module
 */

import {
  type Channel,
  type ChannelOptions,
  type Message,
  openConsumer,
  openProducer,
} from "../../mod.ts";

/** Bytes at a message's front: sequence of its first record, and the life that wrote it. */
const HEAD_BYTES = 16;

/** Reading what there is takes no longer, or hangs. */
const READ_MS = 60_000;

/** Options of the channels that are killed: everything is small, so that much happens. */
export const WAL_OPTIONS: ChannelOptions = {
  sizeBytes: 64 * 1024,
  segmentBytes: 256 * 1024,
  durability: "disk",
  snapshotIntervalMs: 5,
  maxConsumers: 4,
};

/** Length of the message whose first record has that sequence; one of 40 is long, or all are. */
function lengthAt(first: number, isLong = false): number {
  const hash = Math.imul(first + 1, 0x9e3779b1) >>> 8;
  return isLong || hash % 40 === 0 ? 9000 + hash % 15_000 : HEAD_BYTES + hash % 500;
}

/** The message whose first record has that sequence. */
export function messageAt(first: number, life: number, isLong = false): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(lengthAt(first, isLong));
  const view = new DataView(bytes.buffer);
  view.setFloat64(0, first, true);
  view.setFloat64(8, life, true);
  for (let i = HEAD_BYTES; i < bytes.length; i++) bytes[i] = filler(first, life, i);
  return bytes;
}

function filler(first: number, life: number, index: number): number {
  return first * 7 + life * 13 + index * 31 & 0xff;
}

/** Records that a message takes. */
export function recordsOf(length: number, maxRecordBytes: number): number {
  return Math.max(1, Math.ceil(length / maxRecordBytes));
}

/** What a life has told: the sequence that it began with, and the last one acknowledged to it. */
export interface Life {
  id: number;
  begin: number;
  acked: number;
}

/** What was read of a log: nothing acknowledged missing, nothing twice, nothing invented. */
export class WalLedger {
  /** Last sequence read. */
  last = 0;
  /** Messages read. */
  count = 0;
  /** The sequences that they begin with. */
  readonly firsts = new Set<number>();
  /** First sequence that the log has; what is before it was cut. */
  oldest = 1;
  #life = 0;
  readonly #lives: Life[];

  /** `lives` is what is told of them, and grows. */
  constructor(lives: Life[]) {
    this.#lives = lives;
  }

  /**
   * Takes the next message in.
   *
   * @throws {Error} If it is not one that may come here.
   */
  accept({ view, offset, length, sequence }: Message): void {
    const first = view.getFloat64(offset, true);
    const id = view.getFloat64(offset + 8, true);
    const what = `message ${sequence} (life ${id}, first record ${first}, ${length} bytes)`;
    if (length !== lengthAt(first) && length !== lengthAt(first, true)) {
      throw new Error(`${what} has a wrong length`);
    }
    for (let i = HEAD_BYTES; i < length; i++) {
      if (view.getUint8(offset + i) !== filler(first, id, i)) throw new Error(`${what} is wrong`);
    }
    if (this.count === 0 && this.oldest > 1) this.#begin(first);
    if (first <= this.last) throw new Error(`${what} came after ${this.last}`);
    if (sequence < first) throw new Error(`${what} ends before it begins`);
    if (id < this.#life) throw new Error(`${what} came after one of life ${this.#life}`);
    this.#life = id;
    for (let missing = this.last + 1; missing < first; missing++) this.#checkSkip(missing);
    this.last = sequence;
    this.count++;
    this.firsts.add(first);
  }

  /** What was cut is not there; of a message that was cut in two, neither half. */
  #begin(first: number): void {
    if (first > this.oldest + 8) throw new Error(`${first} came first, expected ${this.oldest}`);
    this.last = first - 1;
  }

  /** A sequence without a message: of a claim that its life did not end, so never acknowledged. */
  #checkSkip(sequence: number): void {
    for (const { id, begin, acked } of this.#lives) {
      if (sequence < begin || sequence > acked) continue;
      throw new Error(`sequence ${sequence} is lost: life ${id} began at ${begin}, acked ${acked}`);
    }
  }

  /** Checks that nothing acknowledged lies behind the end. */
  checkEnd(): void {
    for (const { id, acked } of this.#lives) {
      if (acked <= this.last) continue;
      throw new Error(
        `sequence ${acked} of life ${id} was acknowledged, the log ends ${this.last}`,
      );
    }
  }

  /**
   * Goes on in a channel that nobody else sends to, as one more life, and reads up to there. A log
   * may end within a message whose rest was not acknowledged: what follows shows that it is over.
   */
  readOn(channel: Channel): void {
    const from = this.count === 0 ? "earliest" : this.last + 1;
    using consumer = openConsumer(channel, { from, onSlow: "spill" });
    const end = this.#goOn(channel);
    while (this.last < end) {
      const timeoutMs = READ_MS;
      const count = consumer.pollWait((message) => this.accept(message), { timeoutMs });
      if (count === 0) throw new Error(`expected message ${end}, found ${this.last} as the last`);
    }
    this.checkEnd();
  }

  #goOn(channel: Channel): number {
    using producer = openProducer(channel, {});
    const id = Math.max(0, ...this.#lives.map(({ id }) => id)) + 1;
    const begin = channel.stats().nextSequence;
    const message = messageAt(begin, id);
    const acked = producer.write(message);
    if (acked !== begin + recordsOf(message.length, producer.maxRecordBytes) - 1) {
      throw new Error(`expected sequence ${begin}, found ${acked}`);
    }
    producer.waitDurable(acked);
    this.#lives.push({ id, begin, acked });
    return acked;
  }
}

/**
 * What the targets of rings share: a ring that is made once, and everything that one can do with a
 * spoilt one.
 *
 * @module
 */

import {
  BACK_PRESSURED,
  type Channel,
  type Consumer,
  createChannel,
  openChannel,
  openConsumer,
  openObserver,
  openProducer,
  type Producer,
  verifyRing,
} from "../../mod.ts";
import { LatencyHistogram, Watch } from "../../lib/observability/mod.ts";
import { crc32c, encodeRecord, IDENTITY, mask, readShape } from "../_format.ts";
import { encode } from "../_support.ts";
import { isRefusal, must, outcomeOf } from "./_target.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Messages that a ring holds before it is spoilt. */
const MESSAGES = 100;

/** Polls of a reader until it is enough: a header may make it look for long, but not for ever. */
const POLLS_MAX = 40;

/** Messages that are more than a ring holds. */
const MANY = 70;

/** Who uses a channel. */
export interface Users {
  channel: Channel;
  producers: Producer[];
  consumers: Consumer[];
}

/** A small ring in a file, with the bytes of its sound state. */
export class SpoilableRing {
  readonly path: string;
  /** The file as it was before anything was spoilt. */
  readonly sound: Bytes;
  /** What came of the steps, each kind once. */
  readonly outcomes = new Set<string>();
  readonly #name: string;
  readonly #directory: string;
  readonly #isMany: boolean;
  /** Every message that was ever sent. Nothing else may arrive from a ring that is not forged. */
  readonly #sent = new Set<string>();
  #sentCount = 0;

  constructor(directory: string, producers: "single" | "many") {
    this.#directory = directory;
    this.#name = producers;
    this.#isMany = producers === "many";
    this.path = `${directory}/${producers}.ring`;
    const options = { directory, sizeBytes: 4096, maxConsumers: 2, producers, timestamps: true };
    using channel = createChannel(this.#name, options);
    using producer = openProducer(channel);
    for (let i = 0; i < MESSAGES - 20; i++) producer.offer(this.#nextMessage());
    openConsumer(channel, { name: "kept", from: 75 }).close();
    for (let i = 0; i < 20; i++) producer.offer(this.#nextMessage());
    this.sound = Deno.readFileSync(this.path);
  }

  /** Bytes before the data. */
  get headerBytes(): number {
    return readShape(this.sound).headerBytes;
  }

  /** Takes a step. An error of ours is an answer. */
  attempt<T>(step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.outcomes.add(outcomeOf(error));
      return undefined;
    }
  }

  /** Opens it and everything that one can open. */
  enter(): Users | undefined {
    const channel = this.attempt(() =>
      openChannel(this.#name, { directory: this.#directory, prefault: false })
    );
    if (channel === undefined) return undefined;
    const open = <T>(steps: (() => T)[]) =>
      steps.map((step) => this.attempt(step)).filter((opened) => opened !== undefined);
    const consumers = open([
      () => openConsumer(channel, { name: "kept" }),
      () => openConsumer(channel, { onSlow: "drop", from: "earliest" }),
      () => openObserver(channel, { from: "earliest" }),
      () => openObserver(channel, { from: 90 }),
    ]);
    const producers = open(
      Array.from({ length: this.#isMany ? 2 : 1 }, () => () => openProducer(channel)),
    );
    return { channel, producers, consumers };
  }

  /** Does with it what one can do. */
  use({ channel, producers, consumers }: Users, { isForged = false } = {}): void {
    this.look(channel);
    for (const producer of producers) {
      this.attempt(() => producer.gating());
      this.#send(producer, 3);
    }
    const claim = this.attempt(() => producers[1]?.tryClaim(7));
    for (const consumer of consumers) {
      this.attempt(() => consumer.pollWait(() => {}, { limit: 1, timeoutMs: 0 }));
      this.attempt(() => consumer.ack());
      this.#drain(consumer, isForged);
    }
    if (producers[0] !== undefined) this.#send(producers[0], MANY);
    this.attempt(() => claim?.abort());
    for (const consumer of consumers) this.#drain(consumer, isForged);
    this.look(channel);
  }

  /** Looks at everything that there is to see, from inside and from outside. */
  look(channel?: Channel): void {
    const stats = this.attempt(() => channel?.stats());
    for (const peer of [...stats?.producers ?? [], ...stats?.consumers ?? []]) {
      for (const value of Object.values(peer)) {
        must(value !== undefined && !Number.isNaN(value), "a figure that is none");
      }
    }
    for (const index of [0, 1]) {
      this.attempt(() => channel?.latency(index, [0, 0.5, 1]));
      const counts = this.attempt(() => channel?.histogram("latency", index));
      if (counts === undefined) continue;
      const { meanNs, minNs, maxNs } = new LatencyHistogram(counts);
      must(meanNs >= 0 && minNs >= 0 && maxNs >= 0, "a histogram of no times");
    }
    for (const { kind } of this.attempt(() => channel?.history()) ?? []) {
      must(kind !== undefined, "an entry of the history without a kind");
    }
    this.attempt(() => void verifyRing(this.path));
    new Watch({ directory: this.#directory }).look();
  }

  /** Writes bytes into the file, over what is there, and gives it their size. */
  write(bytes: Bytes, from = 0): void {
    using file = Deno.openSync(this.path, { write: true });
    file.truncateSync(bytes.length);
    file.seekSync(from, Deno.SeekMode.Start);
    file.writeSync(bytes.subarray(from));
  }

  /** Makes it sound again, and forgets what came. */
  restore(): void {
    this.write(this.sound);
    this.outcomes.clear();
    this.#sent.clear();
    for (this.#sentCount = 0; this.#sentCount < MESSAGES;) this.#nextMessage();
  }

  /** What came, in a word. */
  outcome(): string {
    return [...this.outcomes].sort().slice(0, 8).join(" | ");
  }

  #nextMessage(): Bytes {
    const text = `message ${++this.#sentCount}`;
    this.#sent.add(text);
    return encode(text);
  }

  #send(producer: Producer, count: number): void {
    for (let i = 0; i < count; i++) {
      const sequence = this.attempt(() => producer.offer(this.#nextMessage()));
      if (sequence === undefined) return;
      must(sequence > 0 || sequence === BACK_PRESSURED, `sent as ${sequence}`);
    }
    this.attempt(() => producer.offerBatch([this.#nextMessage(), this.#nextMessage()]));
    this.attempt(() => producer.tryClaim(9)?.abort());
    this.attempt(() => producer.write(this.#nextMessage(), { timeoutMs: 0 }));
  }

  #drain(consumer: Consumer, isForged: boolean): void {
    for (let i = 0; i < POLLS_MAX; i++) {
      const count = this.attempt(() =>
        consumer.poll(({ text, sequence, latencyNs }) => {
          must(isForged || this.#sent.has(text), `received "${text}"`);
          must(sequence > 0 && latencyNs >= 0, `${sequence} after ${latencyNs} ns`);
        }, 7)
      );
      if (count === undefined || count === 0) return;
    }
  }
}

/** Makes the checksum of an identity page right again. */
export function sealIdentity(bytes: Bytes): void {
  if (bytes.length < IDENTITY.size) return;
  const view = new DataView(bytes.buffer);
  view.setUint32(IDENTITY.crc, mask(crc32c(bytes.subarray(0, IDENTITY.crc))), true);
}

/**
 * Gives every place where a record may begin and has a length that fits a right checksum, as a peer
 * could that knows the salt.
 */
export function sealRecords(bytes: Bytes, sound: Bytes): void {
  const { headerBytes, alignment, salt } = readShape(sound);
  const view = new DataView(bytes.buffer);
  for (let at = headerBytes; at + alignment <= bytes.length; at += alignment) {
    const length = view.getUint32(at + 8, true);
    if (length > 256 || at + 20 + length > bytes.length) continue;
    const sequence = Number(view.getBigUint64(at, true) & 0x1f_ffff_ffff_ffffn);
    const payload = bytes.slice(at + 16, at + 16 + length);
    const record = encodeRecord({ sequence, flags: bytes[at + 12]!, payload }, salt, alignment);
    bytes.set(record.subarray(16, Math.min(record.length, bytes.length - at)), at + 16);
  }
}

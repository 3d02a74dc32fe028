/**
 * The way from the normaliser into the channel: records are written in the ring's own memory.
 *
 * @module
 */

import { BACK_PRESSURED, type Claim, type Producer } from "../../mod.ts";
import type { RecordSink } from "../../lib/market/mod.ts";

/** Bytes kept at first for records that found no room. Arbitrary; doubled when too small. */
const KEPT_BYTES = 64 * 1024;

/**
 * A sink that loses nothing: where the ring is full, it keeps the rest of the message, to be sent
 * by {@linkcode RingSink.catchUp} before the next one.
 *
 * Not by a blocking write: a collector that waits has still to hear that it shall end.
 */
export class RingSink implements RecordSink {
  /** Memory of the last claim. */
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Where the last claim starts in it. */
  offset = 0;
  /** Bytes of all records. */
  bytes = 0;
  /** Sequence of the last record that was published. */
  sequence = 0;
  readonly #producer: Producer;
  readonly #onRecord: (view: DataView, offset: number) => void;
  #claim: Claim | undefined;
  #kept = new DataView(new ArrayBuffer(KEPT_BYTES));
  #keptBytes = 0;
  #keptLengths: number[] = [];

  /** Publishes into the producer's channel, and shows each record before. */
  constructor(producer: Producer, onRecord: (view: DataView, offset: number) => void) {
    this.#producer = producer;
    this.#onRecord = onRecord;
  }

  /** Reserves room in the ring, or beside it; never refuses. */
  claim(sizeBytes: number): boolean {
    this.bytes += sizeBytes;
    const claim = this.isBehind ? undefined : this.#producer.tryClaim(sizeBytes);
    this.#claim = claim;
    if (claim === undefined) this.#keep(sizeBytes);
    else {
      this.view = claim.view;
      this.offset = claim.offset;
    }
    return true;
  }

  #keep(sizeBytes: number): void {
    if (this.#keptBytes + sizeBytes > this.#kept.byteLength) {
      const larger = new Uint8Array(2 * this.#kept.byteLength);
      larger.set(new Uint8Array(this.#kept.buffer));
      this.#kept = new DataView(larger.buffer);
    }
    this.view = this.#kept;
    this.offset = this.#keptBytes;
    this.#keptBytes += sizeBytes;
    this.#keptLengths.push(sizeBytes);
  }

  /** Makes the record visible, or leaves it to {@linkcode RingSink.catchUp}. */
  publish(): void {
    this.#onRecord(this.view, this.offset);
    if (this.#claim !== undefined) this.sequence = this.#claim.publish();
  }

  /** Whether records wait for room. */
  get isBehind(): boolean {
    return this.#keptLengths.length > 0;
  }

  /** Sends the records that wait, as room comes. */
  async catchUp(): Promise<void> {
    let at = 0;
    for (const length of this.#keptLengths) {
      const record = new Uint8Array(this.#kept.buffer, at, length);
      for (;;) {
        const sequence = this.#producer.offer(record);
        if (sequence !== BACK_PRESSURED) {
          this.sequence = sequence;
          break;
        }
        await this.#producer.ready();
      }
      at += length;
    }
    this.#keptBytes = 0;
    this.#keptLengths = [];
  }
}

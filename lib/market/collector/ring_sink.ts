/**
 * The way from the normaliser into the channel: records are written in the ring's own memory.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import type { Claim } from "../../channel/claim.ts";
import type { Producer } from "../../channel/producer.ts";
import { WAL_FULL } from "../../channel/record.ts";
import type { RecordSink } from "../binance/binance.ts";

/** Bytes kept at first for records that found no room. Arbitrary; doubled when too small. */
const KEPT_BYTES = 64 * 1024;

/** Between two looks whether a log has room again, in milliseconds. Arbitrary. */
const WAL_FULL_MS = 20;

/**
 * A sink that loses nothing: where the ring is full, it keeps the rest of the message, to be sent
 * by {@linkcode RingSink.catchUp} before the next one.
 *
 * Not by a blocking write: a collector that waits has still to hear that it shall end. Whoever has
 * the sink asks {@linkcode RingSink.isBehind} and brings nothing more meanwhile.
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
  readonly #accepts: (view: DataView, offset: number) => boolean;
  #claim: Claim | undefined;
  #kept = new DataView(new ArrayBuffer(KEPT_BYTES));
  #keptBytes = 0;
  #keptLengths: number[] = [];
  #catchingUp: Promise<void> | undefined;

  /**
   * Publishes into the producer's channel.
   *
   * @param accepts Is shown each record before; one that it refuses is given back. It costs a
   * sequence, which consumers skip.
   */
  constructor(producer: Producer, accepts: (view: DataView, offset: number) => boolean) {
    this.#producer = producer;
    this.#accepts = accepts;
  }

  /** Reserves room in the ring, or beside it; never refuses. */
  claim(sizeBytes: number): boolean {
    const claim = this.isBehind ? undefined : this.#producer.tryClaim(sizeBytes);
    this.#claim = claim;
    if (claim === undefined) this.#keep(sizeBytes);
    else {
      this.view = claim.view;
      this.offset = claim.offset;
    }
    this.bytes += sizeBytes;
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
    const isAccepted = this.#accepts(this.view, this.offset);
    if (this.#claim !== undefined) {
      if (isAccepted) this.sequence = this.#claim.publish();
      else this.#claim.abort();
    } else if (!isAccepted) this.#keptBytes -= this.#keptLengths.pop()!;
  }

  /** Whether records wait for room. */
  get isBehind(): boolean {
    return this.#keptLengths.length > 0;
  }

  /**
   * Sends the records that wait, as room comes, and those that are added meanwhile.
   *
   * @throws {ChannelClosedError} If the producer was closed before there was room.
   */
  catchUp(): Promise<void> {
    return this.#catchingUp ??= this.#sendKept().finally(() => this.#catchingUp = undefined);
  }

  async #sendKept(): Promise<void> {
    let at = 0;
    for (const length of this.#keptLengths) {
      await this.#sendOne(at, length);
      at += length;
    }
    this.#keptBytes = 0;
    this.#keptLengths = [];
  }

  async #sendOne(at: number, length: number): Promise<void> {
    for (;;) {
      const sequence = this.#producer.offer(new Uint8Array(this.#kept.buffer, at, length));
      if (sequence > 0) {
        this.sequence = sequence;
        return;
      }
      // Nobody is woken when a log has room again, and the ring has some all the time.
      if (sequence === WAL_FULL) await setTimeout(WAL_FULL_MS);
      else await this.#producer.ready();
    }
  }
}

/**
 * Events on their way from the engine to their channel.
 *
 * @module
 */

import type { Channel } from "../../channel/channel.ts";
import type { Producer } from "../../channel/producer.ts";
import { WAL_FULL } from "../../channel/record.ts";
import * as layout from "../../native/_layout.ts";
import { monotonicNs } from "../../native/clock.ts";
import { EngineEvent, KIND_TRADED, offsetsOf } from "../orders.ts";

const SIZE = EngineEvent.sizeBytes;
const { engineTimeNs: ENGINE_TIME_AT, kind: KIND_AT } = offsetsOf(EngineEvent);

/** Events that become visible in one step, and cost one call. Arbitrary: 40 KB. */
const BATCH_EVENTS = 256;

/** Events that there is room for at first; it doubles for a request that causes more. */
const CAPACITY_MIN = 1024;

/** Milliseconds until a log without room is tried again. */
const RETRY_MS = 10;

/**
 * Collects the events of some requests and publishes them in order, each once. Those that were
 * published before a crash are made again by a recovering engine, and dropped here.
 */
export class EventOutbox {
  readonly #producer: Producer;
  readonly #batchEvents: number;
  #bytes = new Uint8Array(CAPACITY_MIN * SIZE);
  #view = new DataView(this.#bytes.buffer);
  /** Where the engine writes its events: always at the same place. */
  #source: Uint8Array | undefined;
  #count = 0;
  /** Number of the last event that was put in. */
  #last = 0;
  #published: number;
  /** Trades among the events that were not out yet. */
  trades = 0;
  #waiters: { number: number; resolve: () => void }[] = [];

  /** Takes the events channel, and its producer. */
  constructor(channel: Channel, producer: Producer) {
    this.#producer = producer;
    this.#published = channel.stats().nextSequence - 1;
    const stamp = channel.timestamps ? layout.RECORD_TIMESTAMP_BYTES : 0;
    const bytes = layout.RECORD_HEADER_BYTES + stamp + SIZE + layout.RECORD_TRAILER_BYTES;
    const recordBytes = Math.ceil(bytes / channel.alignment) * channel.alignment;
    const most = Math.floor(channel.sizeBytes / 2 / recordBytes); // Half the ring.
    this.#batchEvents = Math.max(1, Math.min(BATCH_EVENTS, most));
  }

  /** Number of the last event that the channel has. */
  get published(): number {
    return this.#published;
  }

  /** Events that wait. */
  get count(): number {
    return this.#count;
  }

  /** Says where an engine begins: with the event behind this one. */
  begin(lastEventNumber: number): void {
    this.#last = lastEventNumber;
  }

  /** Takes the engine's next event. */
  add(view: DataView<ArrayBuffer>): void {
    if (++this.#last <= this.#published) return;
    if (view.getUint8(KIND_AT) === KIND_TRADED) this.trades++;
    this.#source ??= new Uint8Array(view.buffer, view.byteOffset, SIZE);
    const at = this.#count * SIZE;
    if (at === this.#bytes.length) this.#grow();
    this.#bytes.set(this.#source, at);
    this.#count++;
  }

  #grow(): void {
    const bytes = new Uint8Array(this.#bytes.length * 2);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  /**
   * Publishes all that wait. Waits for room, without blocking the thread, as long as it takes.
   *
   * @throws {DurabilityError} If the channel's log has failed.
   */
  async flush(): Promise<void> {
    for (let done = 0; done < this.#count;) {
      const end = Math.min(done + this.#batchEvents, this.#count);
      const now = monotonicNs();
      for (let i = done; i < end; i++) {
        this.#view.setFloat64(i * SIZE + ENGINE_TIME_AT, now, true);
      }
      const bytes = this.#bytes.subarray(done * SIZE, end * SIZE);
      const sequence = this.#producer.offerBatch({ bytes, messageBytes: SIZE });
      if (sequence > 0) {
        this.#published = sequence;
        done = end;
      } else if (sequence === WAL_FULL) {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      } else {
        await this.#producer.ready();
      }
    }
    this.#count = 0;
    this.#tellWaiters();
  }

  #tellWaiters(): void {
    if (this.#waiters.length === 0) return;
    const isDone = ({ number }: { number: number }) => number <= this.#published;
    for (const { resolve } of this.#waiters.filter(isDone)) resolve();
    this.#waiters = this.#waiters.filter((waiter) => !isDone(waiter));
  }

  /** Waits until an event is published, and as durable as its channel promises. */
  async durable(number: number): Promise<void> {
    if (number === 0) return;
    if (number > this.#published) {
      await new Promise<void>((resolve) => this.#waiters.push({ number, resolve }));
    }
    await this.#producer.durable(number);
  }
}

/**
 * Consumers: the receiving end of a channel.
 *
 * @module
 */

import {
  ChannelClosedError,
  CorruptHeaderError,
  CorruptLogError,
  CorruptRecordError,
  RingTruncatedError,
  SequenceGapError,
} from "../errors.ts";
import * as layout from "../native/_layout.ts";
import { Detail, failure } from "../native/failure.ts";
import { type Native, native } from "../native/library.ts";
import { closeHandle, readFault } from "../native/ring.ts";
import type { Channel, ChannelMember } from "./channel.ts";
import type { ConsumerOptions, Gap, PollWaitOptions } from "./consumer_options.ts";
import { ConsumerWait } from "./consumer_wait.ts";
import { DeliveryBatch } from "./delivery.ts";
import type { Message } from "./record.ts";
import { type BlockingWait, blockingWait, checkTimeout, POOL_WAIT_MS } from "./wait_strategy.ts";

/** Messages that one poll delivers unless told otherwise. */
const DEFAULT_LIMIT = 256;

/** The receiving end of a channel. Made by {@linkcode openConsumer}. Thread: its isolate's only. */
export class Consumer implements AsyncIterable<Message>, Disposable, ChannelMember {
  /** Name of the channel. */
  readonly channelName: string;
  /** The consumer's own name; empty if it has none. */
  readonly name: string;
  readonly #native: Native;
  readonly #handle: number;
  readonly #channel: Channel;
  readonly #wait: ConsumerWait;
  readonly #blocking: BlockingWait;
  readonly #isManual: boolean;
  readonly #isView: boolean;
  readonly #onGap: ((gap: Gap) => void) | undefined;
  readonly #batch: DeliveryBatch;
  /** Last sequence that was handed out, and last one whose handler has returned. */
  #lastDelivered = 0;
  #lastDone = 0;
  #lostCount = 0;
  #isBusy = false;
  #isWaiting = false;
  #isOpen = true;

  /** Takes an open handle over; see {@linkcode openConsumer}. */
  constructor(channel: Channel, handle: number, options: ConsumerOptions) {
    this.#native = native();
    this.#handle = handle;
    this.#channel = channel;
    this.channelName = channel.name;
    this.name = options.name ?? "";
    const strategy = options.wait ?? "adaptive";
    this.#wait = new ConsumerWait(handle, strategy, channel.isReadOnly);
    this.#blocking = blockingWait(strategy);
    this.#isManual = options.ack === "manual";
    this.#isView = options.view ?? false;
    this.#onGap = options.onGap;
    const recordBytes = Math.min(channel.sizeBytes, layout.RECORD_PAYLOAD_MAX);
    this.#batch = new DeliveryBatch(recordBytes, this.#isView ? channel.data : undefined);
    this.#lastDone = this.#lastDelivered = this.cursor;
  }

  /** Whether it has not been closed. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Last sequence acknowledged; 0 before the first.
   *
   * @throws {ChannelClosedError} If the consumer was closed.
   */
  get cursor(): number {
    const sequence = this.#native.mt_consumer_cursor(this.#handle);
    return sequence >= 0 ? sequence : this.#refuse(sequence);
  }

  /** Last sequence that was handed out: what a state contains that applies each at once. */
  get delivered(): number {
    return this.#lastDelivered;
  }

  /** @ignore Its channel. Not for applications. */
  get channel(): Channel {
    return this.#channel;
  }

  /** Messages that this consumer has lost since it was opened. Always 0 with `onSlow: "block"`. */
  get lostCount(): number {
    return this.#lostCount;
  }

  /**
   * Delivers what is there, without waiting.
   *
   * If the handler throws, its message is not acknowledged, the error goes on to the caller, and
   * the next poll begins with that message again.
   *
   * Cost: one FFI call for the batch and one to acknowledge it; no allocation, no system call, but
   * a wake-up when a producer sleeps.
   *
   * @param handler Called with each message; both it and its bytes are used again afterwards.
   * @param limit Messages at most.
   * @returns How many were delivered: 0 when there is nothing.
   * @throws {ChannelClosedError} If the consumer was closed.
   * @throws {CorruptRecordError} If the next record is damaged.
   * @throws {RingTruncatedError} If somebody truncated the ring file.
   */
  poll(handler: (message: Message) => void, limit: number = DEFAULT_LIMIT): number {
    for (;;) {
      const count = this.#fill(limit);
      const delivered = count > 0 ? this.#deliver(handler, count) : 0;
      // The batch may have ended in the middle of a split message, all of which is there.
      if (count === 0 || delivered > 0 || !this.#batch.isSplit) return delivered;
    }
  }

  /**
   * Delivers what is there, and waits by the consumer's strategy while there is nothing. Blocks the
   * thread meanwhile: for Workers and processes that do nothing else.
   *
   * @returns How many were delivered: 0 when the time was over or a signal arrived.
   */
  pollWait(
    handler: (message: Message) => void,
    { limit = DEFAULT_LIMIT, timeoutMs = Infinity }: PollWaitOptions = {},
  ): number {
    const { spins, sleeps } = this.#blocking;
    const wholeMs = checkTimeout(timeoutMs);
    const end = timeoutMs === Infinity ? Infinity : performance.now() + wholeMs;
    for (let first = true;; first = false) {
      const restMs = first ? wholeMs : Math.max(0, Math.ceil(end - performance.now()));
      // A read-only mapping has no word to sleep on: looks all the time there.
      const sleepMs = sleeps && !this.#channel.isReadOnly ? Math.min(restMs, POOL_WAIT_MS) : 0;
      const count = this.#fillParked(limit, spins, sleepMs);
      const delivered = count > 0 ? this.#deliver(handler, count) : 0;
      if (delivered > 0 || !this.#isOpen) return delivered;
      if (count > 0 && this.#batch.isSplit) continue; // The rest of a split message is there.
      if (count < 0 || performance.now() >= end) return 0;
    }
  }

  /**
   * Waits, without blocking the thread, until a poll has something to deliver.
   *
   * Sleeps on one of Deno's 32 pool threads, the same one for all consumers of the isolate. Uses no
   * processor time. Keeps the process alive.
   *
   * @returns False if nothing arrived in time, or the consumer was closed.
   * @throws {TypeError} If the consumer waits already.
   */
  async wait({ timeoutMs = Infinity }: { timeoutMs?: number } = {}): Promise<boolean> {
    const end = performance.now() + checkTimeout(timeoutMs);
    if (this.#isWaiting) {
      throw new TypeError(`Cannot wait for channel "${this.channelName}": found a wait under way`);
    }
    this.#isWaiting = true;
    try {
      for (let turn = 0; this.#isOpen; turn++) {
        const count = this.#peek();
        if (count !== 0) return true; // A message; or an error, which the next poll throws.
        const restMs = end - performance.now();
        if (restMs <= 0) return false;
        await this.#wait.step(turn, restMs);
      }
      return false;
    } finally {
      this.#isWaiting = false;
    }
  }

  /**
   * Delivers messages for ever: `for await (const message of consumer)`.
   *
   * A message counts as handled when the loop comes back for the next one; leaving the loop by
   * `break` or an error leaves the current one unacknowledged (call {@linkcode Consumer.ack} before
   * `break`). Ends when the consumer is closed.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, void> {
    const batch = this.#batch;
    while (await this.wait()) {
      const count = this.#fill(DEFAULT_LIMIT);
      if (count === 0) continue;
      this.#isBusy = true;
      let i = 0;
      try {
        for (let at = 0; i < count && this.#isOpen; i++, at = batch.next(at)) {
          const message = batch.read(at);
          if (message === undefined) continue;
          const { sequence } = message;
          this.#lastDelivered = sequence;
          yield message;
          this.#lastDone = sequence;
        }
      } finally {
        this.#finish(i === count);
      }
    }
  }

  /**
   * Acknowledges messages: their room goes back to the producers, and a consumer of this name would
   * not be given them again.
   *
   * @param sequence Last one that is finished. Default: everything delivered so far.
   * @throws {RangeError} If it was not delivered yet.
   */
  ack(sequence: number = this.#lastDelivered): void {
    if (this.#isOpen && !(Number.isInteger(sequence) && sequence <= this.#lastDelivered)) {
      throw new RangeError(
        `Cannot acknowledge sequence ${sequence} of channel "${this.channelName}": ` +
          `expected one that was delivered, at most ${this.#lastDelivered}`,
      );
    }
    const { mt_consumer_ack, mt_consumer_ack_all } = this.#native;
    // All that was read, so that aborted records behind the last message are done as well.
    const isAll = sequence === this.#lastDelivered && !this.#isBusy && !this.#batch.isSplit;
    const status = isAll
      ? mt_consumer_ack_all(this.#handle)
      : mt_consumer_ack(this.#handle, Math.max(0, sequence));
    if (status !== layout.OK) this.#refuse(status);
  }

  /**
   * Makes the channel's log keep everything from a sequence on for this consumer, whatever it
   * acknowledges: what it would need after a crash. A checkpoint does this by itself.
   *
   * @throws {TypeError} If the consumer has no name, so that nothing would be known of it later.
   */
  keep(sequence: number): void {
    if (this.name === "") {
      throw new TypeError(
        `Cannot keep messages for a consumer of "${this.channelName}" as it ` +
          `has no name`,
      );
    }
    const status = this.#native.mt_consumer_keep(this.#handle, sequence);
    if (status !== layout.OK) this.#refuse(status);
  }

  /**
   * Gives the place up. Waits and loops end. May be repeated, and called by a handler, whose
   * message is not acknowledged then.
   */
  close(): void {
    if (!this.#isOpen) return;
    if (this.#isBusy && !this.#isManual) {
      this.#native.mt_consumer_ack(this.#handle, this.#lastDone);
    }
    this.#isOpen = false;
    this.#channel.release(this);
    this.#wait.cancel();
    closeHandle(this.#handle);
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Fills the buffer with the next batch. */
  #fill(limit: number): number {
    if (this.#isBusy) this.#refuseReentry();
    const { mt_consumer_poll, mt_consumer_poll_in_place } = this.#native;
    const poll = this.#isView ? mt_consumer_poll_in_place : mt_consumer_poll;
    const { bytes } = this.#batch;
    const count = poll(this.#handle, bytes, bytes.length, limit);
    return count >= 0 ? count : this.#check(count, limit);
  }

  /** The same after waiting; below 0 when a signal came. */
  #fillParked(limit: number, spins: number, sleepMs: number): number {
    if (this.#isBusy) this.#refuseReentry();
    const handle = this.#handle;
    if (this.#isView) {
      const status = this.#native.mt_consumer_park(handle, spins, sleepMs);
      return status === layout.INTERRUPTED ? status : this.#fill(limit);
    }
    const { bytes } = this.#batch;
    const { mt_consumer_poll_parked } = this.#native;
    const count = mt_consumer_poll_parked(handle, bytes, bytes.length, limit, spins, sleepMs);
    return count >= 0 || count === layout.INTERRUPTED ? count : this.#check(count, limit);
  }

  /** Looks whether there is a batch, and leaves it for the next poll. */
  #peek(): number {
    if (this.#isBusy) this.#refuseReentry();
    const status = this.#native.mt_consumer_peek(this.#handle);
    return status === layout.CLOSED ? 0 : status;
  }

  #check(status: number, limit: number): number {
    if (status >= 0) return status;
    if (status === layout.LAPPED) {
      this.#skipGap();
      return this.#fill(limit);
    }
    return this.#refuse(status);
  }

  #deliver(handler: (message: Message) => void, count: number): number {
    const batch = this.#batch;
    this.#isBusy = true;
    let delivered = 0;
    let i = 0;
    try {
      for (let at = 0; i < count && this.#isOpen; i++, at = batch.next(at)) {
        const message = batch.read(at);
        if (message === undefined) continue;
        const { sequence } = message;
        this.#lastDelivered = sequence;
        handler(message);
        this.#lastDone = sequence;
        delivered++;
      }
    } finally {
      this.#finish(i === count);
    }
    return delivered;
  }

  /** Acknowledges what was handled; what was not comes again with the next poll. */
  #finish(isWhole: boolean): void {
    this.#isBusy = false;
    if (!this.#isOpen) return;
    const { mt_consumer_ack, mt_consumer_ack_all, mt_consumer_rewind } = this.#native;
    let status: number = layout.OK;
    if (!this.#isManual) {
      status = isWhole && !this.#batch.isSplit
        ? mt_consumer_ack_all(this.#handle)
        : mt_consumer_ack(this.#handle, this.#lastDone);
    }
    if (status === layout.OK && !isWhole) {
      this.#batch.reset();
      this.#lastDelivered = this.#lastDone;
      status = mt_consumer_rewind(this.#handle, this.#lastDone);
    }
    if (status !== layout.OK) this.#refuse(status);
  }

  #skipGap(): void {
    const detail = new Detail();
    const status = this.#native.mt_consumer_skip_gap(this.#handle, detail.bytes);
    if (status === layout.SEQUENCE_GONE) {
      throw new SequenceGapError(this.channelName, detail.expected, detail.actual);
    }
    if (status !== layout.OK) this.#refuse(status);
    const gap = { from: detail.expected, to: detail.actual - 1 };
    this.#batch.reset();
    this.#lostCount += gap.to - gap.from + 1;
    this.#lastDone = this.#lastDelivered = gap.to;
    this.#onGap?.(gap);
  }

  #logDetail(): Detail {
    const detail = new Detail();
    this.#native.mt_consumer_log_detail(this.#handle, detail.bytes);
    return detail;
  }

  #logFailure(status: number): Error {
    const detail = this.#logDetail();
    return status === layout.CORRUPT_LOG
      ? new CorruptLogError(this.#channel.logDirectory ?? "", detail.damage)
      : new SequenceGapError(this.channelName, detail.expected, detail.actual);
  }

  #refuseReentry(): never {
    throw new TypeError(
      `Cannot poll channel "${this.channelName}": found its consumer inside a handler`,
    );
  }

  #refuse(status: number): never {
    const path = this.#channel.bufferFile;
    const context = { action: "read", path, channel: this.channelName };
    switch (status) {
      case layout.CLOSED:
        throw new ChannelClosedError(this.channelName, "a consumer");
      case layout.TRUNCATED:
        throw new RingTruncatedError(path);
      case layout.CORRUPT_HEADER:
        throw new CorruptHeaderError(path, "a header word that no sound peer writes");
      case layout.CORRUPT_RECORD:
        throw new CorruptRecordError(path, readFault(this.#handle));
      case layout.CORRUPT_LOG:
      case layout.SEQUENCE_GONE:
        throw this.#logFailure(status);
      default:
        throw failure(status, context, this.#logDetail());
    }
  }
}

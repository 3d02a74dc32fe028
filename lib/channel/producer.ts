/**
 * Producers: the sending end of a channel.
 *
 * @module
 */

import {
  ChannelClosedError,
  CorruptHeaderError,
  DeadlockError,
  RingTruncatedError,
} from "../errors.ts";
import * as layout from "../native/_layout.ts";
import { Detail, failure } from "../native/failure.ts";
import { type Native, native } from "../native/library.ts";
import { closeHandle, type Peer, readGating } from "../native/ring.ts";
import type { Channel, ChannelMember } from "./channel.ts";
import {
  type BlockingWait,
  blockingWait,
  checkTimeout,
  POOL_WAIT_MS,
  type WaitStrategy,
} from "./wait_strategy.ts";

const { BACK_PRESSURED } = layout;

/** How a producer is opened. */
export interface ProducerOptions {
  /** Shown to people, and in the error of whoever finds the place taken. Default: none. */
  name?: string;
  /** How `write` waits for room. Default: `adaptive`. */
  wait?: WaitStrategy;
  /**
   * Let claims be written in the ring's own memory. Needs unscoped `--allow-ffi`. Default: false,
   * where a claim is filled in a buffer of the producer's and copied.
   */
  view?: boolean;
}

/** Messages that become visible in one step: an array, or one length cut out of one buffer. */
export type Batch = readonly Uint8Array[] | {
  /** The messages, one after the other. */
  bytes: Uint8Array;
  /** Bytes of each. */
  messageBytes: number;
};

/** How long a blocking call waits. */
export interface WriteOptions {
  /** Milliseconds. Default: as long as it takes. */
  timeoutMs?: number;
  /** Bits of {@linkcode MESSAGE_FLAGS}. Default: 0. */
  flags?: number;
}

/**
 * Room for one message in the ring, to be filled and then published or aborted.
 *
 * The object is used again: it is good until `publish` or `abort`.
 */
export class Claim {
  /** What the message's bytes lie in. */
  view: DataView<ArrayBuffer>;
  /** Where they begin there. */
  offset = 0;
  /** Bytes of the message. */
  length = 0;
  readonly #producer: Producer;

  /** Made by a producer, once. */
  constructor(producer: Producer, view: DataView<ArrayBuffer>) {
    this.#producer = producer;
    this.view = view;
  }

  /** The message's bytes, to be written. Costs an object; `view` and `offset` cost none. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.view.buffer, this.offset, this.length);
  }

  /** Makes the message visible. Returns its sequence. */
  publish(flags = 0): number {
    return this.#producer.publishClaim(flags);
  }

  /** Gives the room back. A sequence is used up by it, and skipped by all consumers. */
  abort(): void {
    this.#producer.abortClaim();
  }
}

/** An attempt to send costs about as much as this many looks of a consumer. */
const SPINS_PER_ATTEMPT = 10;

/** The sending end of a channel. Made by {@linkcode openProducer}. Thread: its isolate's only. */
export class Producer implements Disposable, ChannelMember {
  /** Name of the channel. */
  readonly channelName: string;
  /** Longest message in bytes; longer than {@linkcode Producer.maxRecordBytes} is split. */
  readonly maxMessageBytes: number;
  /** Longest message that is one record, in bytes. */
  readonly maxRecordBytes: number;
  readonly #native: Native;
  readonly #handle: number;
  readonly #channel: Channel;
  readonly #wait: BlockingWait;
  readonly #isView: boolean;
  readonly #claim: Claim;
  #scratch: Uint8Array<ArrayBuffer>;
  #lengths = new Uint32Array(0);
  #isOpen = true;

  /** Takes an open handle over; see {@linkcode openProducer}. */
  constructor(channel: Channel, handle: number, options: ProducerOptions) {
    this.#native = native();
    this.#handle = handle;
    this.#channel = channel;
    this.channelName = channel.name;
    this.#wait = blockingWait(options.wait ?? "adaptive");
    this.#isView = options.view ?? false;
    this.maxRecordBytes = this.#native.mt_producer_payload_max(handle);
    this.maxMessageBytes = this.#native.mt_producer_message_max(handle);
    this.#scratch = new Uint8Array(this.#isView ? 0 : this.maxRecordBytes);
    this.#claim = new Claim(this, new DataView(this.#isView ? channel.data : this.#scratch.buffer));
  }

  /** Whether it has not been closed. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Offers a message without waiting.
   *
   * The message is copied, so `payload` may be used again at once. Visible to consumers on return.
   * Never retries: choose a {@linkcode WaitStrategy} and call {@linkcode Producer.write} for that.
   *
   * Cost: one FFI call, no system call, no allocation; a wake-up when somebody sleeps.
   *
   * @param payload Message bytes, 0 to `maxMessageBytes`.
   * @param flags Bits of {@linkcode MESSAGE_FLAGS}.
   * @returns The message's sequence, or `BACK_PRESSURED` (-2: retry later).
   * @throws {RangeError} If the payload is longer than `maxMessageBytes`.
   * @throws {ChannelClosedError} If the producer was closed.
   * @throws {RingTruncatedError} If somebody truncated the ring file.
   */
  offer(payload: Uint8Array, flags = 0): number {
    const result = this.#native.mt_producer_offer(this.#handle, payload, payload.length, flags);
    return result > 0 || result === BACK_PRESSURED ? result : this.#refuse(result, payload.length);
  }

  /**
   * Offers several messages, visible in one step, without waiting. All of them or none.
   *
   * Cost: one FFI call for the batch; an array is copied together first.
   *
   * @returns The sequence of the last message, or `BACK_PRESSURED` (-2: retry later).
   * @throws {RangeError} If the batch has no message, one longer than `maxRecordBytes`, or takes
   *     more than half the ring.
   */
  offerBatch(batch: Batch): number {
    if (Array.isArray(batch)) return this.#offerArray(batch);
    const { bytes, messageBytes } = batch as Exclude<Batch, readonly Uint8Array[]>;
    const count = bytes.length / messageBytes;
    if (!Number.isInteger(count) || count === 0) {
      throw new RangeError(
        `Cannot offer ${bytes.length} bytes as messages of ${messageBytes}: expected a multiple`,
      );
    }
    const { mt_producer_offer_equal } = this.#native;
    const result = mt_producer_offer_equal(this.#handle, bytes, messageBytes, count);
    return result > 0 || result === BACK_PRESSURED ? result : this.#refuse(result, bytes.length);
  }

  #offerArray(messages: readonly Uint8Array[]): number {
    let size = 0;
    for (const message of messages) size += message.length;
    if (this.#lengths.length < messages.length) this.#lengths = new Uint32Array(messages.length);
    // Not the buffer of claims: one may be open.
    const packed = new Uint8Array(size);
    let at = 0;
    messages.forEach((message, i) => {
      packed.set(message, at);
      this.#lengths[i] = message.length;
      at += message.length;
    });
    const { mt_producer_offer_batch } = this.#native;
    const result = mt_producer_offer_batch(this.#handle, packed, this.#lengths, messages.length);
    return result > 0 || result === BACK_PRESSURED ? result : this.#refuse(result, size);
  }

  /**
   * Sends a message, waiting for room by the producer's strategy. Blocks the thread meanwhile: a
   * service that also does other things awaits {@linkcode Producer.ready} and calls `offer`.
   *
   * @returns The message's sequence.
   * @throws {Deno.errors.TimedOut} If there was no room in time; it names the slowest consumer.
   * @throws {DeadlockError} If only a consumer of this thread could make room.
   */
  write(payload: Uint8Array, { timeoutMs = Infinity, flags = 0 }: WriteOptions = {}): number {
    const sequence = this.offer(payload, flags);
    if (sequence > 0) return sequence;
    return this.#retry(() => this.offer(payload, flags), timeoutMs);
  }

  /**
   * Sends several messages, visible in one step, waiting for room by the producer's strategy.
   *
   * @returns The sequence of the last message.
   */
  writeBatch(batch: Batch, { timeoutMs = Infinity }: { timeoutMs?: number } = {}): number {
    const sequence = this.offerBatch(batch);
    if (sequence > 0) return sequence;
    return this.#retry(() => this.offerBatch(batch), timeoutMs);
  }

  #retry(attempt: () => number, timeoutMs: number): number {
    const wholeMs = checkTimeout(timeoutMs);
    const end = timeoutMs === Infinity ? Infinity : performance.now() + wholeMs;
    // A consumer that keeps up frees room within microseconds: a sleeper tries some times first.
    const sleepsFrom = this.#wait.sleeps ? this.#wait.spins / SPINS_PER_ATTEMPT : Infinity;
    for (let attempts = 0;; attempts++) {
      const sequence = attempt();
      if (sequence > 0) return sequence;
      const restMs = end - performance.now();
      if (restMs <= 0) this.#refuseTimeout(timeoutMs);
      if (attempts >= sleepsFrom) this.#park(restMs);
      else if (attempts === 0) this.#park(0); // Finds a deadlock, whatever the strategy.
    }
  }

  /** Sleeps until there is room; the next attempt tells. */
  #park(timeoutMs: number): void {
    const sliceMs = Math.min(Math.ceil(timeoutMs), POOL_WAIT_MS);
    const status = this.#native.mt_producer_park(this.#handle, sliceMs);
    if (status === layout.OK || status === layout.TIMED_OUT || status === layout.INTERRUPTED) {
      return;
    }
    if (status === layout.WOULD_DEADLOCK) {
      throw new DeadlockError(this.channelName, this.gating()?.name ?? "");
    }
    this.#refuse(status, 0);
  }

  #refuseTimeout(timeoutMs: number): never {
    const slowest = this.gating();
    const who = slowest === undefined
      ? "no consumer in the way"
      : `consumer "${slowest.name}" (process ${slowest.pid}) ` +
        `${slowest.lagMessages} messages behind`;
    throw new Deno.errors.TimedOut(
      `Cannot write to channel "${this.channelName}" within ${timeoutMs} ms: found ${who}`,
    );
  }

  /**
   * Waits without blocking the thread until there is room for what was back-pressured last.
   *
   * Occupies one of Deno's 32 pool threads meanwhile.
   *
   * @returns False if there was no room in time, or the producer was closed.
   */
  async ready({ timeoutMs = Infinity }: { timeoutMs?: number } = {}): Promise<boolean> {
    const end = performance.now() + checkTimeout(timeoutMs);
    while (this.#isOpen) {
      const sliceMs = Math.max(0, Math.min(Math.ceil(end - performance.now()), POOL_WAIT_MS));
      const status = await this.#native.mt_producer_wait(this.#handle, sliceMs);
      if (status === layout.OK) return true;
      if (status === layout.CLOSED) return false;
      if (status !== layout.TIMED_OUT && status !== layout.INTERRUPTED) this.#refuse(status, 0);
      if (performance.now() >= end) return false;
    }
    return false;
  }

  /**
   * Reserves room for a message, to be written in place; nobody sees it before it is published.
   * One claim at a time. Consumers wait for it, so publish or abort it soon.
   *
   * @param length Bytes of the message, 0 to `maxRecordBytes`.
   * @returns The claim, or `undefined` when the ring is full.
   * @throws {TypeError} If a claim is open.
   */
  tryClaim(length: number): Claim | undefined {
    const offset = this.#native.mt_producer_try_claim(this.#handle, length);
    if (offset < 0) {
      if (offset === BACK_PRESSURED) return undefined;
      this.#refuse(offset, length);
    }
    this.#claim.offset = this.#isView ? offset : 0;
    this.#claim.length = length;
    return this.#claim;
  }

  /** @ignore Part of {@linkcode Claim.publish}. */
  publishClaim(flags: number): number {
    const source = this.#isView ? null : this.#scratch;
    const result = this.#native.mt_producer_publish(this.#handle, source, flags);
    return result > 0 ? result : this.#refuse(result, 0);
  }

  /** @ignore Part of {@linkcode Claim.abort}. */
  abortClaim(): void {
    const status = this.#native.mt_producer_abort(this.#handle);
    if (status !== layout.OK) this.#refuse(status, 0);
  }

  /** Returns the consumer that holds this producer back most: its name, its process, its lag. */
  gating(): Peer | undefined {
    return this.#isOpen ? readGating(this.#handle) : undefined;
  }

  /** Gives the place up. An open claim is aborted. May be repeated. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#channel.release(this);
    closeHandle(this.#handle);
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.close();
  }

  #refuse(status: number, length: number): never {
    const path = this.#channel.bufferFile;
    switch (status) {
      case layout.CLOSED:
        throw new ChannelClosedError(this.channelName, "a producer");
      case layout.TRUNCATED:
        throw new RingTruncatedError(path);
      case layout.CORRUPT_HEADER:
        throw new CorruptHeaderError(path, "a header word that no sound peer writes");
      case layout.TOO_LONG:
        throw new RangeError(
          `Cannot send ${length} bytes through channel "${this.channelName}": expected at most ` +
            `${this.maxMessageBytes} in a message, ${this.maxRecordBytes} in one of a batch or ` +
            `a claim, and half the ring in a batch`,
        );
      case layout.CLAIM_OPEN:
        throw new TypeError(
          `Cannot use the producer of channel "${this.channelName}": found a claim open; ` +
            `publish or abort it first`,
        );
      case layout.NO_CLAIM:
        throw new TypeError(
          `Cannot finish a claim of channel "${this.channelName}": found none open`,
        );
      default:
        throw failure(
          status,
          { action: "write", path, channel: this.channelName },
          new Detail(),
        );
    }
  }
}

/**
 * Opens a producer.
 *
 * @throws {Deno.errors.Busy} If the channel takes a single producer and has one; it names it.
 */
export function openProducer(channel: Channel, options: ProducerOptions = {}): Producer {
  const name = new TextEncoder().encode(options.name ?? "");
  const detail = new Detail();
  const { mt_producer_open } = native();
  // Refuse a wrong strategy and a missing permission before anything is taken.
  blockingWait(options.wait ?? "adaptive");
  if (options.view) void channel.data;
  const handle = mt_producer_open(channel.handle, name, name.length, detail.bytes);
  if (handle < 0) {
    const context = { action: "write to", path: channel.bufferFile, channel: channel.name };
    throw failure(handle, context, detail);
  }
  const producer = new Producer(channel, handle, options);
  channel.adopt(producer);
  return producer;
}

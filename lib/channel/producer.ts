/**
 * Producers: the sending end of a channel.
 *
 * @module
 */

import {
  ChannelClosedError,
  CorruptHeaderError,
  DeadlockError,
  DurabilityError,
  RingTruncatedError,
} from "../errors.ts";
import * as layout from "../native/_layout.ts";
import { Detail, failure, shownText } from "../native/failure.ts";
import { type Native, native } from "../native/library.ts";
import { readDurability } from "../native/log.ts";
import { type Peer, readGating } from "../native/peers.ts";
import { closeHandle } from "../native/ring.ts";
import type { Channel, ChannelMember } from "./channel.ts";
import { Claim, type ClaimOwner } from "./claim.ts";
import { CommitWait } from "./commit_wait.ts";
import type { Batch, ProducerOptions, WriteOptions } from "./producer_options.ts";
import { type BlockingWait, blockingWait, checkTimeout, POOL_WAIT_MS } from "./wait_strategy.ts";

const { BACK_PRESSURED, RECORD_CRITICAL, WAL_FULL } = layout;

/** An attempt to send costs about as much as this many looks of a consumer. */
const SPINS_PER_ATTEMPT = 10;

/** How durable a message is: `memory` survives the process, `disk` the host. */
export type Level = "memory" | "disk";

/** The sending end of a channel. Made by {@linkcode openProducer}. Thread: its isolate's only. */
export class Producer implements ClaimOwner, Disposable, ChannelMember {
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
  readonly #commits: CommitWait;
  /** Last message that wants the disk although its channel does not. */
  #lastCritical = 0;
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
    this.#commits = new CommitWait(handle, (status) => this.#refuse(status, 0));
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
   * @returns The message's sequence, or `BACK_PRESSURED` (-2: retry later), or `WAL_FULL` (-33: the
   *     log has no room; retry when its disk has, or its consumers have moved on).
   * @throws {RangeError} If the payload is longer than `maxMessageBytes`.
   * @throws {ChannelClosedError} If the producer was closed.
   * @throws {RingTruncatedError} If somebody truncated the ring file.
   * @throws {DurabilityError} If the channel's log has failed.
   */
  offer(payload: Uint8Array, flags = 0): number {
    const result = this.#native.mt_producer_offer(this.#handle, payload, payload.length, flags);
    if (result <= 0) return this.#expected(result, payload.length);
    if ((flags & RECORD_CRITICAL) !== 0) this.#lastCritical = result;
    return result;
  }

  /** Passes on what a caller has to expect; throws the rest. */
  #expected(result: number, length: number): number {
    return result === BACK_PRESSURED || result === WAL_FULL ? result : this.#refuse(result, length);
  }

  /**
   * Offers several messages, visible in one step, without waiting. All of them or none.
   *
   * Cost: one FFI call for the batch; an array is copied together first.
   *
   * @returns The sequence of the last message, or `BACK_PRESSURED` or `WAL_FULL`, as `offer`.
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
    return result > 0 ? result : this.#expected(result, bytes.length);
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
    return result > 0 ? result : this.#expected(result, size);
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
      throw new DeadlockError(this.channelName, shownText(this.gating()?.name ?? ""));
    }
    this.#refuse(status, 0);
  }

  #refuseTimeout(timeoutMs: number): never {
    const slowest = this.gating();
    const isFull = this.#channel.logDirectory !== undefined &&
      readDurability(this.#channel.handle).state === "full";
    const who = isFull
      ? `no room for its log "${this.#channel.logDirectory}"`
      : slowest === undefined
      ? "no consumer in the way"
      : `consumer "${shownText(slowest.name)}" (process ${slowest.pid}) ` +
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
   * Waits, without blocking the thread, until a message is as durable as its channel promises:
   * on a channel with `durability: "disk"`, and for messages up to the last one with the flag
   * `critical`, until `fdatasync` has returned for it; else not at all.
   *
   * Any number may wait at once; together they occupy one of Deno's 32 pool threads.
   *
   * @param sequence What `offer` or `write` has returned.
   * @returns The level that it has reached: `disk` survives the host, `memory` the process.
   * @throws {DurabilityError} If the log has failed. The message may or may not be on the disk.
   * @throws {Deno.errors.TimedOut} If it was not durable in time.
   * @throws {ChannelClosedError} If the producer was closed.
   */
  async durable(
    sequence: number,
    { timeoutMs = Infinity }: { timeoutMs?: number } = {},
  ): Promise<Level> {
    if (!this.#wantsDisk(sequence)) return "memory";
    if (!await this.#commits.until(sequence, timeoutMs)) this.#refuseLate(sequence, timeoutMs);
    return "disk";
  }

  /** The same, blocking the thread by the producer's strategy. */
  waitDurable(sequence: number, { timeoutMs = Infinity }: { timeoutMs?: number } = {}): Level {
    if (!this.#wantsDisk(sequence)) return "memory";
    const isDurable = this.#commits.untilBlocking(sequence, timeoutMs, this.#wait);
    if (!isDurable) this.#refuseLate(sequence, timeoutMs);
    return "disk";
  }

  #wantsDisk(sequence: number): boolean {
    if (!(Number.isSafeInteger(sequence) && sequence > 0)) {
      throw new RangeError(`Cannot wait for sequence ${sequence}: expected one that was published`);
    }
    if (!this.#isOpen) throw new ChannelClosedError(this.channelName, "a producer");
    if (this.#channel.logDirectory === undefined) return false;
    return this.#channel.durability === "disk" || sequence <= this.#lastCritical;
  }

  #refuseLate(sequence: number, timeoutMs: number): never {
    const { state, durable } = readDurability(this.#channel.handle);
    throw new Deno.errors.TimedOut(
      `Cannot make sequence ${sequence} of channel "${this.channelName}" durable within ` +
        `${timeoutMs} ms: found ${durable} durable and the log's writer ${state}`,
    );
  }

  /**
   * Reserves room for a message, to be written in place; nobody sees it before it is published.
   * One claim at a time. Consumers wait for it, so publish or abort it soon.
   *
   * @param length Bytes of the message, 0 to `maxRecordBytes`.
   * @returns The claim, or `undefined` when the ring, or the log's disk, is full.
   * @throws {TypeError} If a claim is open.
   */
  tryClaim(length: number): Claim | undefined {
    const offset = this.#native.mt_producer_try_claim(this.#handle, length);
    if (offset < 0) {
      this.#expected(offset, length);
      return undefined;
    }
    this.#claim.offset = this.#isView ? offset : 0;
    this.#claim.length = length;
    return this.#claim;
  }

  /** @ignore Part of {@linkcode Claim.publish}. */
  publishClaim(flags: number): number {
    const source = this.#isView ? null : this.#scratch;
    const result = this.#native.mt_producer_publish(this.#handle, source, flags);
    if (result <= 0) this.#refuse(result, 0);
    if ((flags & RECORD_CRITICAL) !== 0) this.#lastCritical = result;
    return result;
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
    this.#commits.close();
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.close();
  }

  #refuse(status: number, length: number): never {
    const path = this.#channel.bufferFile;
    switch (status) {
      case layout.WAL_FAILED: {
        const { errno, fault } = readDurability(this.#channel.handle);
        const found = errno === 0 ? `damage (${fault ?? "record"})` : undefined;
        throw new DurabilityError(this.#channel.logDirectory ?? path, errno, found);
      }
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

/**
 * Order intake: requests of all connections into `gateway.orders`, and acknowledgements when they
 * are as durable as the channel promises.
 *
 * @module
 */

import type { Level, Producer } from "../../channel/producer.ts";
import { BACK_PRESSURED, WAL_FULL } from "../../channel/record.ts";
import { ChannelClosedError, DurabilityError } from "../../errors.ts";
import type { Refusal } from "./refusal.ts";

/** Result of an offer when the log has failed, which only a mended disk and a restart change. */
const LOG_FAILED = -1;

/** When a client should try again that met a full ring: some group commits. */
const RING_RETRY_MS = 10;
/** When it should where the disk is full or broken: somebody has to do something first. */
const DISK_RETRY_MS = 1000;
/** Milliseconds between two looks whether there is room on the disk again. */
const DISK_LOOK_MS = 100;

/** Orders that one connection has sent in one piece: they share a wait. */
export class AckBatch {
  readonly clientSequences: number[] = [];
  readonly sequences: number[] = [];
  /** When they were published, by `monotonicNs()`. */
  readonly publishedNs: number[] = [];
}

/** Who sent them. */
export interface AckReceiver {
  /** Orders are durable. */
  acknowledge(batch: AckBatch, level: Level): void;
  /** It is not known whether they are, and never will be by this process. */
  fail(refusal: Refusal): void;
}

/** The way of orders into the channel. */
export class OrderIntake {
  readonly #producer: Producer;
  readonly #queue: { batch: AckBatch; receiver: AckReceiver }[] = [];
  #running: Promise<void> | undefined;
  #room: Promise<unknown> | undefined;
  #failure: DurabilityError | undefined;
  readonly #onAcknowledged: (batch: AckBatch) => void;
  #acknowledgedCount = 0;

  /** Publishes by `producer`. `onAcknowledged` is told of each batch when it was acknowledged. */
  constructor(producer: Producer, onAcknowledged: (batch: AckBatch) => void) {
    this.#producer = producer;
    this.#onAcknowledged = onAcknowledged;
  }

  /** Orders that were acknowledged. */
  get acknowledgedCount(): number {
    return this.#acknowledgedCount;
  }

  /** Publishes an order. Returns its sequence, or a negative code for {@linkcode refusalOf}. */
  offer(order: Uint8Array): number {
    try {
      return this.#producer.offer(order);
    } catch (error) {
      if (!(error instanceof DurabilityError)) throw error;
      this.#failure = error;
      return LOG_FAILED;
    }
  }

  /** Says what an {@linkcode OrderIntake.offer} has met. */
  refusalOf(code: number): { refusal: Refusal; retryAfterMs: number } {
    const retryAfterMs = code === BACK_PRESSURED ? RING_RETRY_MS : DISK_RETRY_MS;
    return { refusal: this.#describe(code), retryAfterMs };
  }

  #describe(code: number): Refusal {
    if (code === WAL_FULL) {
      return { reason: "wal_full", text: "order: expected room on the disk, found none" };
    }
    if (code !== BACK_PRESSURED) return this.#describeFailure();
    const gating = this.#producer.gating();
    const who = gating === undefined ? "" : ` as "${gating.name}" is behind`;
    return { reason: "back_pressured", text: `order: expected room in the ring, found none${who}` };
  }

  #describeFailure(): Refusal {
    const errno = this.#failure?.errno ?? 0;
    const text = `order: expected a log that can be written, found that it failed (${errno})`;
    return { reason: "log_failed", text };
  }

  /** Waits until an order may fit that did not, or for a while. All who wait share one wait. */
  async room(code: number): Promise<void> {
    this.#room ??= this.#awaitRoom(code).finally(() => this.#room = undefined);
    await this.#room;
  }

  async #awaitRoom(code: number): Promise<void> {
    try {
      if (code === BACK_PRESSURED) await this.#producer.ready({ timeoutMs: DISK_RETRY_MS });
      else await new Promise((resolve) => setTimeout(resolve, DISK_LOOK_MS));
    } catch (error) {
      if (!(error instanceof DurabilityError)) throw error; // The next offer tells.
    }
  }

  /** Has orders acknowledged when they are durable, in the order in which they were published. */
  acknowledge(batch: AckBatch, receiver: AckReceiver): void {
    this.#queue.push({ batch, receiver });
    this.#running ??= this.#run().finally(() => this.#running = undefined);
  }

  async #run(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const { batch, receiver } = next;
      try {
        receiver.acknowledge(batch, await this.durable(batch.sequences.at(-1)!));
        this.#acknowledgedCount += batch.sequences.length;
        this.#onAcknowledged(batch);
      } catch (error) {
        if (error instanceof ChannelClosedError) return; // The gateway has stopped waiting.
        if (!(error instanceof DurabilityError)) throw error;
        receiver.fail(this.#describeFailure());
      }
    }
  }

  /**
   * Waits until a request is as durable as the channel promises, whoever has published it.
   *
   * @throws {DurabilityError} If it never will be.
   */
  async durable(sequence: number): Promise<Level> {
    try {
      return await this.#producer.durable(sequence);
    } catch (error) {
      if (error instanceof DurabilityError) this.#failure = error;
      throw error;
    }
  }

  /** Waits until everything published was acknowledged. */
  async idle(): Promise<void> {
    await this.#running;
  }
}

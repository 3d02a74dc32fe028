/**
 * How a producer waits until its messages are durable.
 *
 * @module
 */

import * as layout from "../native/_layout.ts";
import { type Native, native } from "../native/library.ts";
import { CommitQueue, type CommitWaiter } from "./commit_queue.ts";
import { type BlockingWait, checkTimeout, nextTurn, POOL_WAIT_MS } from "./wait_strategy.ts";

/** Turns of the event loop that are tried before sleeping: some 250 us, more than a fast sync. */
const TURNS = 128;

/** Looks in each turn: so many that the native side offers the core to the log's writer once. */
const LOOKS_PER_TURN = 32;

/** The waiting of one producer: one native call sleeps for all who wait. */
export class CommitWait {
  readonly #native: Native = native();
  readonly #handle: number;
  readonly #refuse: (status: number) => never;
  readonly #queue = new CommitQueue();
  #isRunning = false;
  /** What the native call under way sleeps for; 0 while none is. */
  #asleepFor = 0;

  /** Waits for an open producer; `refuse` throws what a status stands for. */
  constructor(handle: number, refuse: (status: number) => never) {
    this.#handle = handle;
    this.#refuse = refuse;
  }

  /** Waits for a sequence. False if it was not durable in time. */
  async until(sequence: number, timeoutMs: number): Promise<boolean> {
    if (this.#isDurable(sequence)) return true;
    const wholeMs = checkTimeout(timeoutMs);
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const waiter: CommitWaiter = { sequence, resolve, reject };
    this.#queue.add(waiter);
    if (!this.#isRunning) void this.#run();
    else if (sequence < this.#asleepFor) {
      this.#wantDurable(sequence);
      this.#serve(); // What was durable before the sleeper knew wakes nobody.
    }
    if (timeoutMs === Infinity) return await promise;
    const timer = setTimeout(() => {
      if (this.#queue.remove(waiter)) resolve(false);
    }, wholeMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The same, blocking the thread. */
  untilBlocking(sequence: number, timeoutMs: number, wait: BlockingWait): boolean {
    const wholeMs = checkTimeout(timeoutMs);
    const end = timeoutMs === Infinity ? Infinity : performance.now() + wholeMs;
    for (let first = true;; first = false) {
      const restMs = first ? wholeMs : Math.max(0, Math.ceil(end - performance.now()));
      const sliceMs = wait.sleeps ? Math.min(restMs, POOL_WAIT_MS) : 0;
      const { mt_producer_await_durable } = this.#native;
      const status = mt_producer_await_durable(this.#handle, sequence, wait.spins, sliceMs);
      if (status === layout.OK) return true;
      this.#check(status);
      if (performance.now() >= end) return false;
    }
  }

  /** Ends all waits: the producer was closed. */
  close(): void {
    this.#failAll(layout.CLOSED);
  }

  #isDurable(sequence: number): boolean {
    const durable = this.#native.mt_producer_durable(this.#handle);
    return durable >= 0 ? durable >= sequence : this.#refuse(durable);
  }

  #check(status: number): void {
    const isWaiting = status === layout.TIMED_OUT || status === layout.INTERRUPTED;
    if (status !== layout.OK && !isWaiting) this.#refuse(status);
  }

  /** Tells those whose messages are durable. */
  #serve(): void {
    const durable = this.#native.mt_producer_durable(this.#handle);
    if (durable < 0) return this.#failAll(durable);
    for (let waiter; (waiter = this.#queue.take(durable)) !== undefined;) waiter.resolve(true);
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let turn = 0; this.#queue.size > 0;) {
      this.#serve();
      const { lowest } = this.#queue;
      if (lowest === Infinity) {
        turn = 0;
        await nextTurn(); // Those who were told may have more.
      } else if (turn++ < TURNS) {
        this.#native.mt_producer_await_durable(this.#handle, lowest, LOOKS_PER_TURN, 0);
        await nextTurn();
      } else if (await this.#sleep(lowest)) turn = 0;
    }
    this.#isRunning = false;
  }

  /** Sleeps until the sequence is durable, or a lower one that is waited for meanwhile. */
  async #sleep(sequence: number): Promise<boolean> {
    this.#wantDurable(sequence);
    const status = await this.#native.mt_producer_durable_wait(this.#handle, POOL_WAIT_MS);
    this.#asleepFor = 0;
    const isWaiting = status === layout.TIMED_OUT || status === layout.INTERRUPTED;
    if (status !== layout.OK && !isWaiting) this.#failAll(status);
    return status === layout.OK;
  }

  #wantDurable(sequence: number): void {
    this.#asleepFor = sequence;
    this.#native.mt_producer_want_durable(this.#handle, sequence);
  }

  #failAll(status: number): void {
    if (this.#queue.size === 0) return;
    let reason: unknown;
    try {
      this.#refuse(status);
    } catch (error) {
      reason = error;
    }
    for (let waiter; (waiter = this.#queue.take(Infinity)) !== undefined;) waiter.reject(reason);
  }
}

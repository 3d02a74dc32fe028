/**
 * How a producer waits until its messages are durable.
 *
 * @module
 */

import * as layout from "../native/_layout.ts";
import { type Native, native } from "../native/library.ts";
import { type BlockingWait, checkTimeout, nextTurn, POOL_WAIT_MS } from "./wait_strategy.ts";

/** Turns of the event loop that are tried before sleeping: some 250 us, more than a fast sync. */
const TURNS = 128;

/** Looks in each turn: so many that the native side offers the core to the log's writer once. */
const LOOKS_PER_TURN = 32;

/** Somebody who waits. */
interface Waiter {
  sequence: number;
  settle: (isDurable: boolean) => void;
  reject: (error: unknown) => void;
}

/** The waiting of one producer: one native call sleeps for all who wait. */
export class CommitWait {
  readonly #native: Native = native();
  readonly #handle: number;
  readonly #refuse: (status: number) => never;
  readonly #waiters = new Set<Waiter>();
  #isRunning = false;

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
    const waiter: Waiter = { sequence, settle: resolve, reject };
    this.#waiters.add(waiter);
    if (!this.#isRunning) void this.#run();
    if (timeoutMs === Infinity) return await promise;
    const timer = setTimeout(() => this.#settle(waiter, false), wholeMs);
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

  #settle(waiter: Waiter, isDurable: boolean): void {
    if (this.#waiters.delete(waiter)) waiter.settle(isDurable);
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let turn = 0; this.#waiters.size > 0;) {
      const durable = this.#native.mt_producer_durable(this.#handle);
      if (durable < 0) this.#failAll(durable);
      let lowest = Infinity;
      for (const waiter of [...this.#waiters]) {
        if (waiter.sequence <= durable) this.#settle(waiter, true);
        else lowest = Math.min(lowest, waiter.sequence);
      }
      if (lowest === Infinity) {
        turn = 0;
        await nextTurn(); // Those who were told may have more.
      } else if (turn++ < TURNS) {
        this.#native.mt_producer_await_durable(this.#handle, lowest, LOOKS_PER_TURN, 0);
        await nextTurn();
      } else {
        const { mt_producer_durable_wait } = this.#native;
        const status = await mt_producer_durable_wait(this.#handle, lowest, POOL_WAIT_MS);
        if (status === layout.OK) turn = 0;
        else if (status !== layout.TIMED_OUT && status !== layout.INTERRUPTED) {
          this.#failAll(status);
        }
      }
    }
    this.#isRunning = false;
  }

  #failAll(status: number): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    if (waiters.length === 0) return;
    let reason: unknown;
    try {
      this.#refuse(status);
    } catch (error) {
      reason = error;
    }
    for (const waiter of waiters) waiter.reject(reason);
  }
}

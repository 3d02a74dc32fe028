/**
 * How an asynchronous consumer waits, by its strategy.
 *
 * @module
 */

import { type Native, native } from "../native/library.ts";
import { notifyOnce } from "../native/notifier.ts";
import {
  ADAPTIVE_TURNS,
  blockingWait,
  nextTurn,
  POOL_WAIT_MS,
  type WaitStrategy,
} from "./wait_strategy.ts";

/** Milliseconds between two looks of an observer, which cannot be woken. */
const OBSERVER_INTERVAL_MS = 10;

/** The waiting of one consumer. */
export class ConsumerWait {
  readonly #native: Native = native();
  readonly #handle: number;
  readonly #strategy: WaitStrategy;
  readonly #isReadOnly: boolean;
  #cancel: (() => void) | undefined;

  /** Waits for news of an open consumer. */
  constructor(handle: number, strategy: WaitStrategy, isReadOnly: boolean) {
    this.#handle = handle;
    this.#strategy = strategy;
    this.#isReadOnly = isReadOnly;
  }

  /** Ends a wait under way. */
  cancel(): void {
    this.#cancel?.();
  }

  /** One step of waiting; the caller looks for news after each. `turn` counts them from 0. */
  async step(turn: number, restMs: number): Promise<void> {
    switch (this.#strategy) {
      case "spin":
        this.#native.mt_consumer_park(this.#handle, blockingWait("adaptive").spins, 0);
        return nextTurn();
      case "yield":
        return nextTurn();
      case "adaptive":
        if (turn < ADAPTIVE_TURNS) return nextTurn();
        return await this.#sleep(restMs);
      case "park":
        return await this.#sleep(restMs);
    }
  }

  async #sleep(restMs: number): Promise<void> {
    if (this.#isReadOnly) return await this.#rest(restMs);
    const wait = notifyOnce(this.#handle);
    if (wait === undefined) {
      const sliceMs = Math.min(Math.ceil(restMs), POOL_WAIT_MS);
      await this.#native.mt_consumer_wait(this.#handle, sliceMs);
      return; // The next look tells why it ended.
    }
    const timer = restMs === Infinity ? undefined : setTimeout(wait.cancel, restMs);
    this.#cancel = wait.cancel;
    try {
      await wait.promise;
    } finally {
      this.#cancel = undefined;
      clearTimeout(timer);
    }
  }

  /** A read-only mapping has no word to sleep on: an observer looks now and then. */
  async #rest(restMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, Math.min(restMs, OBSERVER_INTERVAL_MS));
    this.#cancel = resolve;
    await promise;
    this.#cancel = undefined;
    clearTimeout(timer);
  }
}

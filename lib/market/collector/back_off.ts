/**
 * How long to wait before the next attempt, and how many may be made in a time.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";

/** Bounds of a wait. */
export interface BackOffOptions {
  /** Before the second attempt, in milliseconds. */
  readonly minMs: number;
  /** Never longer than this. */
  readonly maxMs: number;
}

/** Doublings after which every sensible bound is reached. */
const DOUBLINGS_MAX = 30;

/**
 * Returns how long to wait after a number of failures in a row: twice as long after each, up to the
 * bound, of which chance takes up to half away, so that many clients do not come back at once.
 *
 * @param failures 1 after the first.
 */
export function backOffMs(failures: number, { minMs, maxMs }: BackOffOptions): number {
  const wholeMs = Math.min(maxMs, minMs * 2 ** Math.min(DOUBLINGS_MAX, failures - 1));
  return wholeMs * (1 - Math.random() / 2);
}

/** What may be spent in any span of time, such as 300 connections in 5 minutes. */
export class Budget {
  readonly #amount: number;
  readonly #spanMs: number;
  #spent: { atMs: number; cost: number }[] = [];

  /** `amount` may be spent in each `spanMs`. */
  constructor(amount: number, spanMs: number) {
    this.#amount = amount;
    this.#spanMs = spanMs;
  }

  /**
   * Waits until there is enough, and spends it. One at a time: whoever waits has the next turn.
   *
   * @param cost More than the whole amount is taken as the whole amount.
   * @throws {Error} The signal's reason.
   */
  async spend(cost: number, signal: AbortSignal): Promise<void> {
    const capped = Math.min(cost, this.#amount);
    for (;;) {
      const nowMs = performance.now();
      this.#spent = this.#spent.filter(({ atMs }) => nowMs - atMs < this.#spanMs);
      const sum = this.#spent.reduce((total, entry) => total + entry.cost, 0);
      if (sum + capped <= this.#amount) {
        this.#spent.push({ atMs: nowMs, cost: capped });
        return;
      }
      await setTimeout(this.#spent[0]!.atMs + this.#spanMs - nowMs + 1, undefined, { signal });
    }
  }
}

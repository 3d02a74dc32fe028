/**
 * How a consumer or a producer waits when there is nothing to do.
 *
 * | Strategy   | blocking calls (`pollWait`, `write`) | asynchronous (`for await`, `wait`)   |
 * | :--------- | :----------------------------------- | :----------------------------------- |
 * | `spin`     | looks all the time: a whole core     | looks, then a turn of the event loop |
 * | `yield`    | looks, then looks at the clock       | looks once in a turn of it            |
 * | `park`     | sleeps in the kernel at once         | sleeps at once                       |
 * | `adaptive` | spins a little, then sleeps: default | some turns, then sleeps              |
 *
 * A sleeper uses no processor time. A producer pays for a wake-up only when somebody sleeps.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** One of the ways to wait. */
export type WaitStrategy = "spin" | "yield" | "park" | "adaptive";

/** What a strategy does in a blocking call. */
export interface BlockingWait {
  /** Looks before it sleeps, or in one go where it never sleeps. */
  spins: number;
  /** Whether it sleeps in the kernel after that. */
  sleeps: boolean;
}

/** A look costs 20 to 50 ns with its pause: about 50 us in all, some wake-ups' worth. */
const ADAPTIVE_SPINS = 2000;
/** About half a millisecond between two looks at the clock. */
const SPINS_PER_SLICE = 20_000;

const BLOCKING: Record<WaitStrategy, BlockingWait> = {
  spin: { spins: SPINS_PER_SLICE, sleeps: false },
  yield: { spins: 1, sleeps: false },
  park: { spins: 0, sleeps: true },
  adaptive: { spins: ADAPTIVE_SPINS, sleeps: true },
};

/**
 * Returns what a strategy does in a blocking call.
 *
 * @throws {TypeError} If there is no such strategy.
 */
export function blockingWait(strategy: WaitStrategy): BlockingWait {
  const found = BLOCKING[strategy];
  if (found === undefined) {
    throw new TypeError(
      `Cannot wait by "${strategy}": expected one of ${Object.keys(BLOCKING).join(", ")}`,
    );
  }
  return found;
}

/** Turns of the event loop that `adaptive` looks in before it sleeps: about 50 us when idle. */
export const ADAPTIVE_TURNS = 32;

/** Longest time that a wait on a thread of Deno's pool lasts: such a call cannot be cancelled. */
export const POOL_WAIT_MS = 200;

/** Lets the event loop run once. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/**
 * Returns milliseconds as the native side takes them: rounded up, so that a wait never ends early.
 *
 * @throws {RangeError} If `ms` is negative or no number.
 */
export function checkTimeout(ms: number): number {
  if (!(ms >= 0)) throw new RangeError(`Cannot wait ${ms} ms: expected 0 or more`);
  return Math.min(Math.ceil(ms), 0x7fff_ffff);
}

/**
 * Sending at a fixed rate, whatever holds the sender up.
 *
 * @module
 */

import { setImmediate, setTimeout } from "node:timers/promises";
import { monotonicNs } from "../../mod.ts";

/** How fast, and how long. */
export interface Pace {
  /** Calls a second. */
  rate: number;
  /** Calls in all. Default: until `signal`. */
  count?: number;
  signal?: AbortSignal;
}

/** Calls in a row, when they are late, until others have their turn. */
const CALLS_PER_TURN = 64;

/**
 * Calls `send` as often as it is due, with the time at which it was, by `monotonicNs()`.
 *
 * The times are fixed from the start: after a stall, what was missed is made up for at once, so
 * that latencies counted from them hide nothing.
 */
export async function pace(
  { rate, count = Infinity, signal }: Pace,
  send: (dueNs: number) => void,
): Promise<void> {
  const startNs = monotonicNs();
  for (let sent = 0; sent < count && !signal?.aborted;) {
    const waitMs = (startNs + sent * 1e9 / rate - monotonicNs()) / 1e6;
    if (waitMs > 0) {
      await setTimeout(waitMs);
      continue;
    }
    send(startNs + sent * 1e9 / rate);
    if (++sent % CALLS_PER_TURN === 0) await setImmediate();
  }
}

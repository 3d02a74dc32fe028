/**
 * The clocks of the native side.
 *
 * @module
 */

import { native } from "./library.ts";

/** Returns the monotonic clock in nanoseconds, the same in all processes of the host. */
export function monotonicNs(): number {
  return native().mt_clock_monotonic_ns();
}

/** Returns which clock publish times are made of, and its rate. */
export function tickClock(): { source: "tsc" | "cntvct" | "monotonic"; ticksPerSecond: number } {
  const source = (["tsc", "cntvct", "monotonic"] as const)[native().mt_clock_source()];
  return { source: source ?? "monotonic", ticksPerSecond: native().mt_clock_ticks_per_second() };
}

/**
 * Which processor core a thread runs on.
 *
 * @module
 */

import { OK } from "./_layout.ts";
import { native } from "./library.ts";

/** Returns the cores that the calling thread may run on, in rising order; empty if unknown. */
export function allowedCores(): number[] {
  const cores = new Uint32Array(CORES_MAX);
  const count = native().mt_machine_cores(cores, cores.length);
  return [...cores.subarray(0, Math.max(0, count))];
}

/** As many as Linux can be built for. */
const CORES_MAX = 8192;

/**
 * Pins the calling thread (the main one, or a Worker's) to a processor core.
 *
 * A pinned, spinning consumer should have its core for itself.
 *
 * @param core Number of the core, from 0.
 * @throws {RangeError} If the thread may not run on that core.
 */
export function pinThread(core: number): void {
  if (!Number.isInteger(core) || core < 0 || native().mt_affinity_pin(core) !== OK) {
    throw new RangeError(`Cannot pin to core ${core}: expected a core this process may run on`);
  }
}

/**
 * Which processor core a thread runs on.
 *
 * @module
 */

import { OK } from "./_layout.ts";
import { native } from "./library.ts";

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

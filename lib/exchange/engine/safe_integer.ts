/**
 * Whole numbers from 0 to 2^53 - 1 in 64 bits, read from bytes that may hold anything.
 *
 * @module
 */

const TWO_POW_32 = 2 ** 32;

/** Upper half of 2^53 - 1. */
const HIGH_MAX = 0x1f_ffff;

/** Returns a whole number from 0 to 2^53 - 1; -1 for one that is below or beyond. */
export function readSafe(view: DataView, at: number): number {
  const high = view.getInt32(at + 4, true);
  if (high === 0) return view.getUint32(at, true); // Most are, and need no multiplication.
  return high >= 0 && high <= HIGH_MAX ? high * TWO_POW_32 + view.getUint32(at, true) : -1;
}

/** Writes one. Assumes that it is a whole number from 0 to 2^53 - 1. */
export function writeSafe(view: DataView, at: number, value: number): void {
  if (value < TWO_POW_32) { // Most are, and need no division.
    view.setUint32(at, value, true);
    view.setUint32(at + 4, 0, true);
    return;
  }
  const high = Math.floor(value / TWO_POW_32);
  view.setUint32(at, value - high * TWO_POW_32, true);
  view.setUint32(at + 4, high, true);
}

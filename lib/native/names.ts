/**
 * Lists of names that the library writes, whose length nobody knows before.
 *
 * @module
 */

import * as layout from "./_layout.ts";
import { readText } from "./failure.ts";

/** Bytes that are tried first: some hundred names. */
const FIRST_BYTES = 4096;

/**
 * Returns the names in a directory, sorted. An absent directory has none.
 *
 * @param list Writes names, with a zero behind each, and returns the bytes that all of them need,
 *     or a negative status.
 * @param failure Returns the error that a status stands for.
 */
export function readNames(
  list: (bytes: Uint8Array<ArrayBuffer>, size: number) => number,
  failure: (status: number) => Error,
): string[] {
  for (let size = FIRST_BYTES;; size *= 4) {
    const bytes = new Uint8Array(size);
    const needed = list(bytes, size);
    if (needed === layout.NOT_FOUND) return [];
    if (needed < 0) throw failure(needed);
    if (needed <= size) {
      return readText(bytes, 0, needed).split("\0").filter((name) => name !== "").sort();
    }
  }
}

/**
 * What a child has acknowledged: the lines `acked <sequence>` that it printed before it died.
 *
 * @module
 */

import type { Child } from "./_support.ts";

/**
 * Yields each acknowledged sequence until the child has closed its output. Other lines are passed
 * over. A last line without its end does not count: the child died while it said so.
 *
 * Ending the loop early loses nothing: another call goes on behind the last one that was yielded.
 *
 * @throws {Error} If a sequence is none, or not above the one before.
 */
export async function* acks(child: Child): AsyncGenerator<bigint, void, void> {
  let last: bigint | undefined;
  for (let line = await child.line(); line !== undefined; line = await child.line()) {
    if (line !== "acked" && !line.startsWith("acked ")) continue;
    const text = line.slice("acked ".length);
    const sequence = /^\d+$/.test(text) ? BigInt(text) : undefined;
    if (sequence === undefined || last !== undefined && sequence <= last) {
      const wanted = last === undefined ? "a sequence" : `a sequence above ${last}`;
      throw new Error(`Cannot read what a child acknowledged: expected ${wanted}, found "${line}"`);
    }
    last = sequence;
    yield sequence;
  }
}

/** Reads acknowledgements until the child has died, and returns the last; undefined for none. */
export async function lastAcked(child: Child): Promise<bigint | undefined> {
  let last: bigint | undefined;
  for await (const sequence of acks(child)) last = sequence;
  return last;
}

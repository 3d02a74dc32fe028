/**
 * Batches whose content follows from their number, so that what a store holds can be told.
 *
 * @module
 */

import type { Store, StoreOperation } from "../../mod.ts";

/** Key of the last batch's number. */
export const HEAD = "head";

/** Batches whose keys are there at the same time. */
const KEPT = 5;

const encoder = new TextEncoder();

function valueOf(number: number, part: string): Uint8Array<ArrayBuffer> {
  const length = part === "chunk" ? 3_000 + number * 977 % 30_000 : number % 50;
  return Uint8Array.from({ length }, (_, place) => number * 13 + place * 7 + part.length);
}

function partsOf(number: number): [key: string, value: Uint8Array<ArrayBuffer>][] {
  const name = `batch/${String(number).padStart(8, "0")}`;
  return ["chunk", "manifest", "cursor"].map((part) => [`${name}/${part}`, valueOf(number, part)]);
}

/** Returns the operations of a batch: some keys, its number, and the end of an older batch. */
export function batchOf(number: number): StoreOperation[] {
  const old = `batch/${String(number - KEPT).padStart(8, "0")}/`;
  return [
    ...partsOf(number).map(([put, value]) => ({ put, value })),
    { put: HEAD, value: encoder.encode(String(number)) },
    ...(number > KEPT ? [{ deletePrefix: old }] : []),
  ];
}

/** Returns the number that the head says, 0 without one. */
export function numberOf(head: Uint8Array | undefined): number {
  return head === undefined ? 0 : Number(new TextDecoder().decode(head));
}

/**
 * Checks that a store holds the batches up to its head, whole, and nothing else.
 *
 * @returns The head.
 */
export async function checkBatches(store: Store): Promise<number> {
  const head = numberOf(await store.get(HEAD));
  const expected = new Map<string, Uint8Array<ArrayBuffer>>();
  for (let number = Math.max(1, head - KEPT + 1); number <= head; number++) {
    for (const [key, value] of partsOf(number)) expected.set(key, value);
  }
  const keys = await Array.fromAsync(store.keys("batch/"));
  const [found, wanted] = [keys.join(), [...expected.keys()].sort().join()];
  if (found !== wanted) throw new Error(`Cannot find batches to ${head}: found ${found}`);
  for (const [key, value] of expected) {
    const stored = await store.get(key);
    const isEqual = stored?.length === value.length &&
      stored.every((byte, at) => byte === value[at]);
    if (!isEqual) throw new Error(`Cannot find value of ${key}: found another`);
  }
  return head;
}

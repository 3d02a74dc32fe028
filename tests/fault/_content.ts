/**
 * Messages that tell on themselves: who sent them, which one it is, and bytes that follow from
 * both.
 *
 * @module
 */

import type { Message } from "../../mod.ts";

/** Bytes of the shortest message. */
const CONTENT_MIN = 8;

/** Returns message `counter` of producer `id`: `length` bytes, {@linkcode CONTENT_MIN} or more. */
export function encode(id: number, counter: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, id, true);
  view.setUint32(4, counter, true);
  for (let i = CONTENT_MIN; i < length; i++) bytes[i] = filler(id, counter, i);
  return bytes;
}

/** Length of a producer's message, so that records of many sizes stand beside each other. */
export function lengthOf(counter: number, lengthMax: number): number {
  const hash = Math.imul(counter + 1, 0x9e3779b1) >>> 8;
  return CONTENT_MIN + hash % (lengthMax - CONTENT_MIN + 1);
}

function filler(id: number, counter: number, index: number): number {
  return id * 7 + counter * 13 + index * 31 & 0xff;
}

/** A consumer's account of what it was given: nothing twice, nothing missing, nothing changed. */
export class Ledger {
  /** Messages by the id of their producer; the counter of the next one. */
  readonly counts = new Map<number, number>();
  /** Last sequence that was delivered. */
  last = 0;
  /** Sequences that no message came with: aborted claims. */
  skipped = 0;
  /** Messages that were delivered. */
  delivered = 0;
  readonly #hasGaps: boolean;

  /** With `hasGaps` messages may be missing, but none may come late or twice. */
  constructor({ last = 0, hasGaps = false }: { last?: number; hasGaps?: boolean } = {}) {
    this.last = last;
    this.#hasGaps = hasGaps;
  }

  /**
   * Takes a message in.
   *
   * @throws {Error} If it is not the one that has to come, or its bytes are wrong.
   */
  accept(message: Message): void {
    const { view, offset, length, sequence } = message;
    if (length < CONTENT_MIN) throw new Error(`message ${sequence} has ${length} bytes`);
    const id = view.getUint32(offset, true);
    const counter = view.getUint32(offset + 4, true);
    for (let i = CONTENT_MIN; i < length; i++) {
      if (view.getUint8(offset + i) === filler(id, counter, i)) continue;
      throw new Error(`message ${sequence} (producer ${id}, number ${counter}) is wrong at ${i}`);
    }
    if (sequence <= this.last) throw new Error(`sequence ${sequence} came after ${this.last}`);
    const expected = this.counts.get(id) ?? 0;
    if (counter < expected || counter > expected && !this.#hasGaps) {
      throw new Error(
        `sequence ${sequence} is number ${counter} of producer ${id}, expected ${expected}`,
      );
    }
    this.skipped += sequence - this.last - 1;
    this.last = sequence;
    this.delivered++;
    this.counts.set(id, counter + 1);
  }

  /** How many messages of a producer have come. */
  countOf(id: number): number {
    return this.counts.get(id) ?? 0;
  }
}

/**
 * Puts the fragments of a split message together again.
 *
 * A producer publishes all fragments of a message in one step, so they follow each other without
 * another message in between; only a lapped reader can see a message that lacks some.
 *
 * @module
 */

import { RECORD_FIRST_FRAGMENT, RECORD_LAST_FRAGMENT } from "../native/_layout.ts";

/** The bits that say which fragment a record is; none for a whole message. */
export const FRAGMENT_BITS = RECORD_FIRST_FRAGMENT | RECORD_LAST_FRAGMENT;

/** Collects one message after the other. */
export class Assembly {
  #bytes = new Uint8Array(0);
  #length = 0;
  #isOpen = false;

  /** Whether a message has begun and not ended. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Bytes of the message so far. */
  get length(): number {
    return this.#length;
  }

  /**
   * Takes the next fragment.
   *
   * @returns The whole message's bytes if this was its last fragment; good until the next call.
   */
  add(bits: number, fragment: Uint8Array): DataView<ArrayBuffer> | undefined {
    const isFirst = bits === RECORD_FIRST_FRAGMENT;
    const isLast = bits === RECORD_LAST_FRAGMENT;
    if (isFirst) {
      this.#length = 0;
      this.#isOpen = true;
    } else if (!this.#isOpen) {
      return undefined; // Its beginning was lost in a gap that the consumer has been told of.
    }
    this.#reserve(this.#length + fragment.length);
    this.#bytes.set(fragment, this.#length);
    this.#length += fragment.length;
    if (!isLast) return undefined;
    this.#isOpen = false;
    return new DataView(this.#bytes.buffer, 0, this.#length);
  }

  /** Forgets a message that has begun. */
  reset(): void {
    this.#isOpen = false;
    this.#length = 0;
  }

  #reserve(size: number): void {
    if (this.#bytes.length >= size) return;
    const grown = new Uint8Array(Math.max(size, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

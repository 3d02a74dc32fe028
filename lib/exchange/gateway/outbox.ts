/**
 * Outboxes: bytes that wait to be sent, in memory that is used again.
 *
 * @module
 */

/** Bytes of an outbox at first. Arbitrary: some answers. */
const FIRST_BYTES = 4096;

/** Bytes that wait to be sent. Grows as needed: whoever fills it looks at `length` for its cap. */
export class Outbox {
  #bytes = new Uint8Array(FIRST_BYTES);
  #spare = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  /** What they lie in; another one after a `reserve`. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /** The same, for numbers. */
  get view(): DataView<ArrayBuffer> {
    return this.#view;
  }

  /** Makes room for `size` bytes more, of undefined content. Returns where they begin. */
  reserve(size: number): number {
    const at = this.#length;
    const needed = at + size;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = needed;
    return at;
  }

  /** Takes the last bytes back, so that `length` remain. */
  shrink(length: number): void {
    this.#length = length;
  }

  /** Appends bytes. */
  append(bytes: Uint8Array): void {
    const at = this.reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Takes everything out. The bytes are good until the next `take`. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.subarray(0, this.#length);
    const full = this.#bytes;
    this.#bytes = this.#spare;
    this.#view = new DataView(this.#bytes.buffer);
    this.#spare = full;
    this.#length = 0;
    return taken;
  }
}

/**
 * Resend windows: the newest events of a session, by number, for a client that comes back.
 *
 * @module
 */

import { EngineEvent } from "../orders.ts";

/** Bytes of an event, in a window and in an image of one. */
export const EVENT_BYTES: number = EngineEvent.sizeBytes;

/** Events that a window has room for at first; it doubles as they come. */
const FIRST_EVENTS = 16;

/** The newest events of a session. Numbers are 1, 2, 3 … without gaps. */
export class EventWindow {
  readonly #limit: number;
  #bytes = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  #last: number;
  #count = 0;

  /**
   * Begins empty.
   *
   * @param limit Events at most: a power of two from 16.
   * @param last Number of the last event that it does not have.
   */
  constructor(limit: number, last = 0) {
    this.#limit = limit;
    this.#last = last;
  }

  /** Number of its newest event; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** Number of its oldest event; `last + 1` where it has none. */
  get first(): number {
    return this.#last - this.#count + 1;
  }

  /** What events lie in; another one after a `push`. */
  get view(): DataView<ArrayBuffer> {
    return this.#view;
  }

  /** Takes an event in, which may push the oldest out. Returns its number. */
  push(view: DataView<ArrayBuffer>, offset: number): number {
    const capacity = this.#bytes.length / EVENT_BYTES;
    if (this.#count === capacity && capacity < this.#limit) this.#grow(capacity);
    const number = ++this.#last;
    this.#count = Math.min(this.#count + 1, this.#bytes.length / EVENT_BYTES);
    const event = new Uint8Array(view.buffer, view.byteOffset + offset, EVENT_BYTES);
    this.#bytes.set(event, this.offsetOf(number));
    return number;
  }

  /** Where an event begins in `view`. Assumes one from `first` to `last`. */
  offsetOf(number: number): number {
    return (number & (this.#bytes.length / EVENT_BYTES - 1)) * EVENT_BYTES;
  }

  /** Copies its events to `out`, the oldest first. Returns how many. */
  copyTo(out: Uint8Array, at: number): number {
    for (let number = this.first; number <= this.#last; number++, at += EVENT_BYTES) {
      const from = this.offsetOf(number);
      out.set(this.#bytes.subarray(from, from + EVENT_BYTES), at);
    }
    return this.#count;
  }

  /** Events that it has. */
  get count(): number {
    return this.#count;
  }

  #grow(capacity: number): void {
    const grown = new EventWindow(this.#limit, this.first - 1);
    grown.#bytes = new Uint8Array(Math.max(FIRST_EVENTS, 2 * capacity) * EVENT_BYTES);
    for (let number = this.first; number <= this.#last; number++) {
      grown.push(this.#view, this.offsetOf(number));
    }
    this.#bytes = grown.#bytes;
    this.#view = new DataView(this.#bytes.buffer);
  }
}

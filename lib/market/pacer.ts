/**
 * The pace of what was recorded: each message at its own time, however long the others take.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";

/** Longest sleep: a timer holds 24 days, and a recording may pause for longer. */
const SLEEP_MS_MAX = 3_600_000;

/**
 * Holds messages back until they are due, by the times at which they were recorded.
 *
 * Due times are counted from the first message, so that nothing that comes late makes the rest
 * late.
 */
export class Pacer {
  readonly #pace: number;
  #firstUs: number | undefined;
  #startMs = 0;

  /**
   * @param pace How many times the recorded speed it goes: 0 holds nothing back.
   * @throws {RangeError} If that is negative or no number.
   */
  constructor(pace: number) {
    if (!(pace >= 0 && pace < Infinity)) {
      throw new RangeError(`Cannot pace messages: expected 0 or more, found ${pace}`);
    }
    this.#pace = pace;
  }

  /**
   * Milliseconds until a message is due. One that came before its predecessor is due.
   *
   * @param timeUs When it was recorded, in µs; the first one says when to begin.
   */
  delayMs(timeUs: number): number {
    return Math.min(SLEEP_MS_MAX, Math.max(0, -this.#overdueMs(timeUs)));
  }

  /** Milliseconds since a message was due; 0 before, and without a pace. */
  lateMs(timeUs: number): number {
    return Math.max(0, this.#overdueMs(timeUs));
  }

  #overdueMs(timeUs: number): number {
    if (this.#pace === 0) return 0;
    const nowMs = performance.now();
    if (this.#firstUs === undefined) {
      this.#firstUs = timeUs;
      this.#startMs = nowMs;
    }
    return nowMs - this.#startMs - (timeUs - this.#firstUs) / 1000 / this.#pace;
  }

  /**
   * Waits until a message is due.
   *
   * @param signal Ends the wait; its reason is thrown.
   */
  async wait(timeUs: number, signal?: AbortSignal): Promise<void> {
    for (let ms = this.delayMs(timeUs); ms > 0; ms = this.delayMs(timeUs)) {
      await setTimeout(ms, undefined, signal === undefined ? {} : { signal });
    }
  }
}

/**
 * Recorded messages at the times at which they came.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import type { RecordedMessage } from "./recording.ts";

/** Longest sleep: a timer holds 24 days, and a feed may pause for longer. */
const SLEEP_MS_MAX = 3_600_000;

/** Holds messages back until their time, by their receive times. */
export class Pacer {
  readonly #pace: number;
  #firstUs: number | undefined;
  #startMs = 0;

  /** `pace` is how many times the recorded speed it goes; 0 holds nothing back. */
  constructor(pace: number) {
    this.#pace = pace;
  }

  /** Milliseconds until a message is due. One that came before its predecessor is due. */
  delayMs({ receiveUs }: RecordedMessage): number {
    if (this.#pace === 0) return 0;
    if (this.#firstUs === undefined) {
      this.#firstUs = receiveUs;
      this.#startMs = performance.now();
    }
    const dueMs = this.#startMs + (receiveUs - this.#firstUs) / 1000 / this.#pace;
    return Math.min(SLEEP_MS_MAX, Math.max(0, dueMs - performance.now()));
  }

  /**
   * Waits until the message is due.
   *
   * @throws {Error} The signal's reason.
   */
  async wait(message: RecordedMessage, signal?: AbortSignal): Promise<void> {
    for (let ms = this.delayMs(message); ms > 0; ms = this.delayMs(message)) {
      await setTimeout(ms, undefined, signal && { signal });
    }
  }
}

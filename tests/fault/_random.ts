/**
 * Random numbers for tests and for the processes that they start.
 *
 * @module
 */

/** Random numbers that come again with their seed: xorshift32 (Marsaglia, 2003). */
export class Random {
  #state: number;

  /** Begins a series; the seed belongs into the messages of its test. */
  constructor(seed: number) {
    this.#state = seed | 0 || 1;
  }

  /** Returns a whole number from 0 to `end - 1`. */
  below(end: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return Math.floor((this.#state >>> 0) / 2 ** 32 * end);
  }
}

/**
 * Token buckets: a rate limit that allows bursts.
 *
 * @module
 */

/** A rate limit. Pure: whoever uses it brings the time. */
export class TokenBucket {
  /** Tokens that come in a second, and tokens that it holds. */
  readonly perSecond: number;
  readonly #perMs: number;
  #tokens: number;
  #updatedMs = -Infinity;

  /**
   * Begins full: a second's worth.
   *
   * @param perSecond 1 or more.
   */
  constructor(perSecond: number) {
    this.perSecond = perSecond;
    this.#perMs = perSecond / 1000;
    this.#tokens = perSecond;
  }

  /** Takes a token, if there is one. `nowMs` must not go back. */
  take(nowMs: number): boolean {
    if (nowMs > this.#updatedMs) {
      const grown = (nowMs - this.#updatedMs) * this.#perMs;
      this.#tokens = Math.min(this.perSecond, this.#tokens + grown);
      this.#updatedMs = nowMs;
    }
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Milliseconds after `nowMs` until there is a token. */
  waitMs(nowMs: number): number {
    const missing = 1 - this.#tokens;
    return missing <= 0 ? 0 : Math.ceil(missing / this.#perMs - (nowMs - this.#updatedMs));
  }
}

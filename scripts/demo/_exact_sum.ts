/**
 * Sums of E8 integers, which exceed 2^53 where the single ones do not.
 *
 * @module
 */

/** Adds up integers exactly, without making a `bigint` for each. */
export class ExactSum {
  #whole = 0n;
  /** What is not in `#whole` yet; always exact. */
  #recent = 0;

  /** Adds an integer from 0 to 2^53 - 1. */
  add(value: number): void {
    const sum = this.#recent + value;
    if (sum <= Number.MAX_SAFE_INTEGER) this.#recent = sum;
    else {
      this.#whole += BigInt(this.#recent);
      this.#recent = value;
    }
  }

  /** The sum so far. */
  get value(): bigint {
    return this.#whole + BigInt(this.#recent);
  }
}

/**
 * One side of an order book: price levels in two sorted flat arrays.
 *
 * @module
 */

/**
 * Levels a side has room for at first: a REST snapshot's default of 1,000 fits after one doubling.
 */
const LEVELS_AT_FIRST = 512;

/** What a reader of a book may do with one of its sides. It follows the book: nothing is copied. */
export interface ReadonlyBookSide {
  /** How many levels there are. */
  readonly count: number;
  /** Price of a level in E8; 0 is the best one. Returns 0 where there is no such level. */
  price(depth: number): number;
  /** Quantity of a level in E8; 0 is the best one. Returns 0 where there is no such level. */
  quantity(depth: number): number;
}

/**
 * Price levels of one side, in E8, found by binary search.
 *
 * The best level lies at the end, so that a change near the top, which is where most happen, moves
 * few of them. Prices are kept as keys that rise towards the best: bids as they are, asks negated.
 *
 * Tried on a recorded feed, whose median change moves 100 levels, and found no better than this:
 * chunks of 32 to 128 levels, both arrays in one, moving by a loop, searching from the best level.
 */
export class BookSide implements ReadonlyBookSide {
  readonly #sign: 1 | -1;
  #keys = new Float64Array(LEVELS_AT_FIRST);
  #quantities = new Float64Array(LEVELS_AT_FIRST);
  #count = 0;

  /** Makes an empty side. */
  constructor(side: "bid" | "ask") {
    this.#sign = side === "bid" ? 1 : -1;
  }

  /** See {@linkcode ReadonlyBookSide.count}. */
  get count(): number {
    return this.#count;
  }

  /** See {@linkcode ReadonlyBookSide.price}. */
  price(depth: number): number {
    return depth < this.#count ? this.#keys[this.#count - 1 - depth]! * this.#sign : 0;
  }

  /** See {@linkcode ReadonlyBookSide.quantity}. */
  quantity(depth: number): number {
    return depth < this.#count ? this.#quantities[this.#count - 1 - depth]! : 0;
  }

  /** Removes all levels and keeps the memory. */
  clear(): void {
    this.#count = 0;
  }

  /**
   * Sets the quantity of a level; 0 removes it, and removing an unknown level does nothing.
   *
   * Cost: a binary search and one move of the levels that are better; no allocation but to grow.
   */
  set(price: number, quantity: number): void {
    const key = price * this.#sign;
    const keys = this.#keys;
    const count = this.#count;
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    const isKnown = low < count && keys[low] === key;
    if (quantity !== 0) {
      if (isKnown) this.#quantities[low] = quantity;
      else this.#insert(low, key, quantity);
    } else if (isKnown) {
      this.#remove(low);
    }
  }

  #insert(at: number, key: number, quantity: number): void {
    if (this.#count === this.#keys.length) this.#grow();
    const keys = this.#keys;
    const quantities = this.#quantities;
    keys.copyWithin(at + 1, at, this.#count);
    quantities.copyWithin(at + 1, at, this.#count);
    keys[at] = key;
    quantities[at] = quantity;
    this.#count++;
  }

  #remove(at: number): void {
    this.#keys.copyWithin(at, at + 1, this.#count);
    this.#quantities.copyWithin(at, at + 1, this.#count);
    this.#count--;
  }

  #grow(): void {
    const keys = new Float64Array(2 * this.#keys.length);
    const quantities = new Float64Array(2 * this.#quantities.length);
    keys.set(this.#keys);
    quantities.set(this.#quantities);
    this.#keys = keys;
    this.#quantities = quantities;
  }
}

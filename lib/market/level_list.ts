/**
 * A growing list of price levels in two flat arrays.
 *
 * @module
 */

/** Levels a list has room for at first. Arbitrary: more than most updates have. */
const LEVELS_AT_FIRST = 64;

/** Price levels of one side, in E8, in the order in which they came. */
export class LevelList {
  /** Levels in use; set it to 0 to empty the list. */
  count = 0;
  /** Prices; only the first `count` have a meaning. Replaced when the list grows. */
  prices: Float64Array = new Float64Array(LEVELS_AT_FIRST);
  /** Quantities, in step with the prices. */
  quantities: Float64Array = new Float64Array(LEVELS_AT_FIRST);

  /** Appends a level. */
  push(price: number, quantity: number): void {
    if (this.count === this.prices.length) this.#grow();
    this.prices[this.count] = price;
    this.quantities[this.count] = quantity;
    this.count++;
  }

  /** Makes a list of the same levels that shares nothing with this one. */
  copy(): LevelList {
    const copy = new LevelList();
    copy.prices = this.prices.slice(0, this.count);
    copy.quantities = this.quantities.slice(0, this.count);
    copy.count = this.count;
    return copy;
  }

  #grow(): void {
    const { prices, quantities } = this;
    const capacity = Math.max(LEVELS_AT_FIRST, 2 * prices.length);
    this.prices = new Float64Array(capacity);
    this.quantities = new Float64Array(capacity);
    this.prices.set(prices);
    this.quantities.set(quantities);
  }
}

/**
 * A growing list of price levels in two flat arrays.
 *
 * @module
 */

import { DecimalReader } from "../decimal.ts";
import type { Scales } from "../instruments.ts";
import {
  CLOSE_BRACKET,
  COMMA,
  OPEN_BRACKET,
  QUOTE,
  skipSpace,
  skipToken,
} from "../binance/json_scanner.ts";

/** Levels a list has room for at first. Arbitrary: more than most updates have. */
const LEVELS_AT_FIRST = 64;

/** Price levels of one side, as scaled integers, in the order in which they came. */
export class LevelList {
  /** Levels in use; set it to 0 to empty the list. */
  count = 0;
  /** Prices; only the first `count` have a meaning. Replaced when the list grows. */
  prices: Float64Array = new Float64Array(LEVELS_AT_FIRST);
  /** Quantities, in step with the prices. */
  quantities: Float64Array = new Float64Array(LEVELS_AT_FIRST);

  readonly #reader = new DecimalReader();

  /** Appends a level. */
  push(price: number, quantity: number): void {
    if (this.count === this.prices.length) this.#grow();
    this.prices[this.count] = price;
    this.quantities[this.count] = quantity;
    this.count++;
  }

  /**
   * Reads `["price","quantity"], …]` behind the opening bracket and appends the levels; white space
   * may stand between any two tokens.
   *
   * @param view The same bytes again.
   * @returns Where it ends, or -1 if it is something else, or not exact in these scales.
   */
  read(view: DataView, bytes: Uint8Array, at: number, scales: Scales): number {
    const { priceDecimals, quantityDecimals } = scales;
    const reader = this.#reader;
    at = skipSpace(bytes, at);
    if (bytes[at] === CLOSE_BRACKET) return at + 1;
    for (;;) {
      at = skipToken(bytes, at, OPEN_BRACKET);
      at = skipToken(bytes, at, QUOTE);
      if (at < 0) return -1;
      at = reader.read(view, at, priceDecimals);
      if (at < 0 || bytes[at] !== QUOTE) return -1;
      const price = reader.value;
      at = skipToken(bytes, at + 1, COMMA);
      at = skipToken(bytes, at, QUOTE);
      if (at < 0) return -1;
      at = reader.read(view, at, quantityDecimals);
      if (at < 0 || bytes[at] !== QUOTE) return -1;
      at = skipToken(bytes, at + 1, CLOSE_BRACKET);
      if (at < 0) return -1;
      this.push(price, reader.value);
      if (bytes[at]! <= 0x20) at = skipSpace(bytes, at);
      const next = bytes[at++];
      if (next === COMMA) continue;
      return next === CLOSE_BRACKET ? at : -1;
    }
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

/**
 * Price levels in one flat buffer: what rests at a price, and the first and last order of it.
 *
 * @module
 */

import { NONE } from "./order_pool.ts";

/** A level: two `f64` and four `i32`. */
const LEVEL_DOUBLES = 4;
const LEVEL_WORDS = 8;
const LEVEL_BYTES = 32;
const KEY = 0;
const QUANTITY = 1;
const FIRST = 4;
const LAST = 5;
const SIDE = 6;

/** Levels that there is room for at first. Arbitrary: it doubles when it is full. */
const CAPACITY_MIN = 256;

/** Levels of all books, each known by its place: a small number. */
export class LevelPool {
  #doubles = new Float64Array(0);
  #words = new Int32Array(0);
  #end = 0;
  #free = NONE;

  /** Returns the place of a new level without orders, of the side with that index. */
  add(side: number, key: number): number {
    const level = this.#take();
    const at = level * LEVEL_WORDS;
    this.#doubles[level * LEVEL_DOUBLES + KEY] = key;
    this.#doubles[level * LEVEL_DOUBLES + QUANTITY] = 0;
    this.#words[at + FIRST] = NONE;
    this.#words[at + LAST] = NONE;
    this.#words[at + SIDE] = side;
    return level;
  }

  #take(): number {
    const level = this.#free;
    if (level !== NONE) {
      this.#free = this.first(level);
      return level;
    }
    if (this.#end * LEVEL_DOUBLES >= this.#doubles.length) this.#grow();
    return this.#end++;
  }

  /** Frees a place. */
  remove(level: number): void {
    this.setFirst(level, this.#free);
    this.#free = level;
  }

  /** Its price, below 0 if it is an offer: the better, the higher. */
  key(level: number): number {
    return this.#doubles[level * LEVEL_DOUBLES + KEY]!;
  }

  /** Its price. */
  price(level: number): number {
    return Math.abs(this.key(level));
  }

  /** Sum of what its orders have open. */
  quantity(level: number): number {
    return this.#doubles[level * LEVEL_DOUBLES + QUANTITY]!;
  }

  /** Sets it. */
  setQuantity(level: number, quantity: number): void {
    this.#doubles[level * LEVEL_DOUBLES + QUANTITY] = quantity;
  }

  /** The order that is next to trade. */
  first(level: number): number {
    return this.#words[level * LEVEL_WORDS + FIRST]!;
  }

  /** Sets it. */
  setFirst(level: number, order: number): void {
    this.#words[level * LEVEL_WORDS + FIRST] = order;
  }

  /** The order that came last. */
  last(level: number): number {
    return this.#words[level * LEVEL_WORDS + LAST]!;
  }

  /** Sets it. */
  setLast(level: number, order: number): void {
    this.#words[level * LEVEL_WORDS + LAST] = order;
  }

  /** Index of the side that it belongs to. */
  side(level: number): number {
    return this.#words[level * LEVEL_WORDS + SIDE]!;
  }

  #grow(): void {
    const capacity = Math.max(CAPACITY_MIN, this.#end * 2);
    const buffer = new ArrayBuffer(capacity * LEVEL_BYTES);
    const words = new Int32Array(buffer);
    words.set(this.#words);
    this.#words = words;
    this.#doubles = new Float64Array(buffer);
  }
}

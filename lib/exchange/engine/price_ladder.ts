/**
 * One side of a book: its price levels in order, the best one last.
 *
 * @module
 */

import type { LevelPool } from "./level_pool.ts";
import { NONE } from "./order_pool.ts";

/** Levels of a block: a search within takes six steps, and an insertion moves 32 at most often. */
const BLOCK_LEVELS = 64;

/**
 * Levels of one side, ascending by key: the price of a bid, the negated price of an offer. So the
 * best level is the one with the highest key on both sides.
 *
 * A row of blocks, each a sorted part of the same arrays: next to the best price little moves, and
 * with a million levels an insertion still moves one block and, rarely, the row.
 */
export class PriceLadder {
  /** Level with the highest key; `NONE` if there is no level. */
  best = NONE;
  /** Its key; -Infinity if there is none. */
  bestKey = -Infinity;
  readonly #pool: LevelPool;
  readonly #side: number;
  /** Keys of all blocks, and levels at the same places. */
  #keys = new Float64Array(0);
  #levels = new Int32Array(0);
  /** Where the levels of each block end. */
  #ends = new Int32Array(0);
  /** Blocks in the order of their keys; behind them those that are free. */
  #row = new Int32Array(0);
  /**
   * From which key on each block of the row takes levels, though it may have none there any more;
   * the first one takes those below, too. Apart, so that a search stays in few lines.
   */
  #bounds = new Float64Array(0);
  /** Blocks in the row. */
  #count = 0;

  /** Takes where levels are made, and the index of this side among all. */
  constructor(pool: LevelPool, side: number) {
    this.#pool = pool;
    this.#side = side;
  }

  /** Returns the level with that key; `NONE` if there is none. */
  find(key: number): number {
    if (key >= this.bestKey) return key === this.bestKey ? this.best : NONE;
    const block = this.#row[this.#indexOf(key)]!;
    const place = this.#placeOf(block, key);
    return this.#isAt(block, place, key) ? this.#levels[place]! : NONE;
  }

  /** Returns the level with that key: a new one, without orders, if there is none. */
  obtain(key: number): number {
    if (key === this.bestKey) return this.best;
    if (this.#count === 0) this.#insertBlock(0, -Infinity);
    const index = this.#indexOf(key);
    const block = this.#row[index]!;
    const place = this.#placeOf(block, key);
    if (this.#isAt(block, place, key)) return this.#levels[place]!;
    const level = this.#pool.add(this.#side, key);
    if (key > this.bestKey) {
      this.bestKey = key;
      this.best = level;
    }
    const isFull = this.#ends[block] === (block + 1) * BLOCK_LEVELS;
    if (isFull) this.#insertInHalf(index, key, level);
    else this.#insert(block, place, level);
    return level;
  }

  /** Removes a level, which has no orders. */
  remove(level: number): void {
    const key = this.#pool.key(level);
    const index = this.#indexOf(key);
    const block = this.#row[index]!;
    const place = this.#placeOf(block, key);
    const end = --this.#ends[block]!;
    for (let i = place; i < end; i++) {
      this.#keys[i] = this.#keys[i + 1]!;
      this.#levels[i] = this.#levels[i + 1]!;
    }
    if (end === block * BLOCK_LEVELS) this.#removeBlock(index);
    this.#pool.remove(level);
    if (key === this.bestKey) this.#findBest();
  }

  /** Returns the next worse level than that key; `NONE` if there is none. */
  behind(key: number): number {
    if (this.#count === 0) return NONE;
    const index = this.#indexOf(key);
    const block = this.#row[index]!;
    const place = this.#placeOf(block, key);
    if (place > block * BLOCK_LEVELS) return this.#levels[place - 1]!;
    return index === 0 ? NONE : this.#levels[this.#ends[this.#row[index - 1]!]! - 1]!;
  }

  #findBest(): void {
    const last = this.#count === 0 ? NONE : this.#ends[this.#row[this.#count - 1]!]! - 1;
    this.best = last === NONE ? NONE : this.#levels[last]!;
    this.bestKey = last === NONE ? -Infinity : this.#keys[last]!;
  }

  /** Where in the row the block is that has that key or would take it. */
  #indexOf(key: number): number {
    const bounds = this.#bounds;
    let high = this.#count - 1; // Most often it is the last one: next to the best price.
    if (high <= 0 || bounds[high]! <= key) return high;
    let low = 0;
    while (low + 1 < high) {
      const middle = (low + high) >>> 1;
      if (bounds[middle]! <= key) low = middle;
      else high = middle;
    }
    return low;
  }

  /** First place of a block whose key is not below; its end if there is none. */
  #placeOf(block: number, key: number): number {
    const keys = this.#keys;
    let low = block * BLOCK_LEVELS;
    for (let high = this.#ends[block]!; low < high;) {
      const middle = (low + high) >>> 1;
      if (keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isAt(block: number, place: number, key: number): boolean {
    return place < this.#ends[block]! && this.#keys[place] === key;
  }

  /** Inserts a level at a place of a block, which has room. */
  #insert(block: number, place: number, level: number): void {
    for (let i = this.#ends[block]!++; i > place; i--) {
      this.#keys[i] = this.#keys[i - 1]!;
      this.#levels[i] = this.#levels[i - 1]!;
    }
    this.#keys[place] = this.#pool.key(level);
    this.#levels[place] = level;
  }

  /** Cuts a full block in two, and inserts the level in one of them. */
  #insertInHalf(index: number, key: number, level: number): void {
    const block = this.#row[index]!;
    const from = (block + 0.5) * BLOCK_LEVELS;
    const bound = this.#keys[from]!;
    const upper = this.#insertBlock(index + 1, bound);
    const to = upper * BLOCK_LEVELS;
    const end = this.#ends[block]!;
    this.#keys.copyWithin(to, from, end);
    this.#levels.copyWithin(to, from, end);
    this.#ends[block] = from;
    this.#ends[upper] = to + end - from;
    const half = key < bound ? block : upper;
    this.#insert(half, this.#placeOf(half, key), level);
  }

  /** Puts an empty block into the row, which is to take levels from that key on. Returns it. */
  #insertBlock(index: number, bound: number): number {
    if (this.#count === this.#row.length) this.#grow();
    const block = this.#row[this.#count]!;
    this.#row.copyWithin(index + 1, index, this.#count);
    this.#bounds.copyWithin(index + 1, index, this.#count);
    this.#row[index] = block;
    this.#bounds[index] = bound;
    this.#ends[block] = block * BLOCK_LEVELS;
    this.#count++;
    return block;
  }

  #removeBlock(index: number): void {
    const block = this.#row[index]!;
    this.#row.copyWithin(index, index + 1, this.#count);
    this.#bounds.copyWithin(index, index + 1, this.#count);
    this.#row[--this.#count] = block;
  }

  #grow(): void {
    const capacity = Math.max(1, this.#count * 2);
    this.#keys = doublesOf(capacity * BLOCK_LEVELS, this.#keys);
    this.#bounds = doublesOf(capacity, this.#bounds);
    this.#levels = wordsOf(capacity * BLOCK_LEVELS, this.#levels);
    this.#ends = wordsOf(capacity, this.#ends);
    this.#row = wordsOf(capacity, this.#row);
    for (let block = this.#count; block < capacity; block++) this.#row[block] = block;
  }
}

/** Returns an array of that length that begins as the other one. */
function doublesOf(length: number, begin: Float64Array): Float64Array<ArrayBuffer> {
  const array = new Float64Array(length);
  array.set(begin);
  return array;
}

/** Returns one of words. */
function wordsOf(length: number, begin: Int32Array): Int32Array<ArrayBuffer> {
  const array = new Int32Array(length);
  array.set(begin);
  return array;
}

/**
 * One side of a book: its price levels in order, the best one last.
 *
 * @module
 */

import { NONE } from "./order_pool.ts";

/** Levels of a block: a search within takes six steps, and an insertion moves 32 at most often. */
const BLOCK_LEVELS = 64;

/** Neighbouring levels, ascending by key. */
interface Block {
  readonly keys: Float64Array;
  readonly levels: Int32Array;
  count: number;
}

/**
 * Levels of one side, ascending by key: the price of a bid, the negated price of an offer. So the
 * best level is the one with the highest key on both sides.
 *
 * A row of blocks, each a sorted array: next to the best price little moves, and with a million
 * levels an insertion still moves one block and, rarely, the row.
 */
export class PriceLadder {
  readonly #blocks: Block[] = [];
  /** First key of each block, side by side: a search through the blocks stays in few lines. */
  #firsts = new Float64Array(8);
  /** Level with the highest key; `NONE` if there is no level. */
  best = NONE;
  /** Its key; -Infinity if there is none. */
  bestKey = -Infinity;

  /** Returns the level with that key; `NONE` if there is none. */
  find(key: number): number {
    if (key >= this.bestKey) return key === this.bestKey ? this.best : NONE;
    const block = this.#blocks[this.#blockOf(key)]!;
    const place = lowerBound(block, key);
    return place < block.count && block.keys[place] === key ? block.levels[place]! : NONE;
  }

  /** Adds a level. Assumes that none has its key. */
  add(key: number, level: number): void {
    if (key > this.bestKey) {
      this.bestKey = key;
      this.best = level;
    }
    if (this.#blocks.length === 0) this.#insertBlock(0, newBlock());
    let index = this.#blockOf(key);
    if (this.#blocks[index]!.count === BLOCK_LEVELS) {
      this.#split(index);
      index = this.#blockOf(key);
    }
    const block = this.#blocks[index]!;
    const place = lowerBound(block, key);
    for (let i = block.count; i > place; i--) {
      block.keys[i] = block.keys[i - 1]!;
      block.levels[i] = block.levels[i - 1]!;
    }
    block.keys[place] = key;
    block.levels[place] = level;
    block.count++;
    if (place === 0) this.#firsts[index] = key;
  }

  /** Removes the level with that key. Assumes that there is one. */
  remove(key: number): void {
    const index = this.#blockOf(key);
    const block = this.#blocks[index]!;
    const place = lowerBound(block, key);
    block.count--;
    for (let i = place; i < block.count; i++) {
      block.keys[i] = block.keys[i + 1]!;
      block.levels[i] = block.levels[i + 1]!;
    }
    if (block.count === 0) this.#removeBlock(index);
    else if (place === 0) this.#firsts[index] = block.keys[0]!;
    if (key === this.bestKey) this.#findBest();
  }

  /** Returns the next worse level than that key; `NONE` if there is none. */
  behind(key: number): number {
    if (this.#blocks.length === 0) return NONE;
    const index = this.#blockOf(key);
    const block = this.#blocks[index]!;
    const place = lowerBound(block, key);
    if (place > 0) return block.levels[place - 1]!;
    const worse = this.#blocks[index - 1];
    return worse === undefined ? NONE : worse.levels[worse.count - 1]!;
  }

  #findBest(): void {
    const block = this.#blocks[this.#blocks.length - 1];
    this.best = block === undefined ? NONE : block.levels[block.count - 1]!;
    this.bestKey = block === undefined ? -Infinity : block.keys[block.count - 1]!;
  }

  /** Index of the block that has that key or would take it: the last to begin at or below. */
  #blockOf(key: number): number {
    const firsts = this.#firsts;
    let high = this.#blocks.length - 1; // Most often it is the last one: next to the best price.
    if (high <= 0 || firsts[high]! <= key) return high;
    let low = 0;
    while (low + 1 < high) {
      const middle = (low + high) >>> 1;
      if (firsts[middle]! <= key) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Cuts a full block in two. */
  #split(index: number): void {
    const block = this.#blocks[index]!;
    const upper = newBlock();
    const half = BLOCK_LEVELS / 2;
    upper.keys.set(block.keys.subarray(half));
    upper.levels.set(block.levels.subarray(half));
    upper.count = BLOCK_LEVELS - half;
    block.count = half;
    this.#insertBlock(index + 1, upper);
  }

  #insertBlock(index: number, block: Block): void {
    this.#blocks.splice(index, 0, block);
    const count = this.#blocks.length;
    if (count > this.#firsts.length) {
      const firsts = new Float64Array(count * 2);
      firsts.set(this.#firsts);
      this.#firsts = firsts;
    }
    this.#firsts.copyWithin(index + 1, index, count - 1);
    this.#firsts[index] = block.keys[0]!;
  }

  #removeBlock(index: number): void {
    this.#blocks.splice(index, 1);
    this.#firsts.copyWithin(index, index + 1);
  }
}

function newBlock(): Block {
  return {
    keys: new Float64Array(BLOCK_LEVELS),
    levels: new Int32Array(BLOCK_LEVELS),
    count: 0,
  };
}

/** First place of a block whose key is not below. */
function lowerBound({ keys, count }: Block, key: number): number {
  let low = 0;
  for (let high = count; low < high;) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * A made-up exchange feed in the wire format of a recording, for demonstrations without one.
 *
 * @module
 */

import { formatDecimal } from "./decimal.ts";

/** What {@linkcode generateFeed} makes. */
export interface FeedOptions {
  /** Decides everything: the same seed gives the same lines. An integer, 0 to 2^32 - 1. */
  readonly seed: number;
  /** How many lines. */
  readonly messages: number;
}

/** Decimals of all numbers, as Binance writes them. */
const DECIMALS = 8;
/** Smallest price step, in units of 10^-8: 0.01. */
const TICK = 1_000_000;
/** Smallest quantity step, in units of 10^-8: 0.00001. */
const LOT = 1_000;
/** Ticks between which prices move; the middle is 60,000.00. */
const TICKS_LOWEST = 5_990_000;
const TICKS_COUNT = 20_000;
/** Levels that a side starts with, and below which none is cancelled. */
const LEVELS = 300;

/** The first receive time, in µs: the recording's, so that the lines look alike. */
const START_US = 1_723_161_254_000_000;
/** Binance's `@depth@100ms`. */
const DEPTH_INTERVAL_US = 100_000;
/** Depth updates before the snapshot, so that a consumer has to keep some and drop some. */
const UPDATES_BEFORE_SNAPSHOT = 3;

/**
 * Makes the lines of a feed: trades, depth updates every 100 ms, a book ticker whenever the best
 * bid or ask changes, and one snapshot near the start.
 *
 * They obey the exchange's rules: update ids follow each other without a gap, and after each depth
 * update the best bid and ask are those of the newest ticker. Prices follow no market.
 *
 * @throws {RangeError} If the seed is no u32 or `messages` is no count.
 * @example The same seed, the same feed
 * ```ts
 * import { generateFeed } from "message_transport/market";
 * import { assertEquals } from "@std/assert";
 *
 * const lines = [...generateFeed({ seed: 7, messages: 100 })];
 * assertEquals(lines.length, 100);
 * assertEquals(lines, [...generateFeed({ seed: 7, messages: 100 })]);
 * ```
 */
export function generateFeed({ seed, messages }: FeedOptions): Generator<string> {
  if (seed !== seed >>> 0) {
    throw new RangeError(`Cannot generate a feed as the seed must be a u32: found ${seed}`);
  }
  if (!Number.isSafeInteger(messages) || messages < 0) {
    throw new RangeError(`Cannot generate a feed as messages must be a count: found ${messages}`);
  }
  return lines(new Market(seed), messages);
}

function* lines(market: Market, messages: number): Generator<string> {
  let left = messages;
  while (left > 0) {
    market.step();
    for (const line of market.takeLines()) {
      if (left-- === 0) return;
      yield line;
    }
  }
}

/**
 * One side of the made-up book: a quantity per tick, so that it shares no code with `OrderBook`.
 */
class Side {
  readonly quantities = new Float64Array(TICKS_COUNT);
  /** Ticks changed since the last depth update. */
  readonly changed = new Set<number>();
  /** +1 where a larger price is better: bids. */
  readonly better: 1 | -1;
  count = 0;
  best: number;

  constructor(better: 1 | -1, best: number) {
    this.better = better;
    this.best = best;
  }

  set(tick: number, quantity: number): void {
    const before = this.quantities[tick]!;
    this.count += Number(quantity > 0) - Number(before > 0);
    this.quantities[tick] = quantity;
    this.changed.add(tick);
    if (quantity > 0 && (tick - this.best) * this.better > 0) this.best = tick;
    while (this.quantities[this.best] === 0) this.best -= this.better;
  }

  /** `["price","quantity"]` of the given ticks, best first. */
  levels(ticks: Iterable<number>): string {
    const sorted = [...ticks].sort((left, right) => (right - left) * this.better);
    return sorted.map((tick) => `["${priceText(tick)}","${text(this.quantities[tick]!)}"]`).join();
  }

  *ticks(): Generator<number> {
    for (let left = this.count, tick = this.best; left > 0; tick -= this.better) {
      if (this.quantities[tick] === 0) continue;
      left--;
      yield tick;
    }
  }
}

class Market {
  readonly #bids = new Side(1, TICKS_COUNT / 2 - 1);
  readonly #asks = new Side(-1, TICKS_COUNT / 2);
  readonly #random: () => number;
  #lines: string[] = [];
  #timeUs = START_US;
  #nextDepthUs = START_US + DEPTH_INTERVAL_US;
  #updateId = 50_000_000_000;
  #lastDepthId = this.#updateId;
  #tradeId = 3_700_000_000;
  #depthUpdates = 0;
  #hasSnapshot = false;
  #ticker = "";

  constructor(seed: number) {
    this.#random = randomNumbers(seed);
    for (const side of [this.#bids, this.#asks]) {
      side.set(side.best, this.#quantity());
      while (side.count < LEVELS) side.set(this.#behind(side), this.#quantity());
      side.changed.clear();
    }
    this.#emitTicker();
  }

  /** Lets one thing happen and writes what the exchange would send about it. */
  step(): void {
    this.#timeUs += 1 + Math.floor(this.#random() * 4_000);
    if (this.#timeUs >= this.#nextDepthUs) this.#emitDepth();
    if (this.#depthUpdates >= UPDATES_BEFORE_SNAPSHOT && !this.#hasSnapshot) this.#emitSnapshot();
    this.#updateId++;
    const choice = this.#random();
    const side = this.#random() < 0.5 ? this.#bids : this.#asks;
    if (choice < 0.08) this.#trade();
    else if (choice < 0.24) this.#quoteInside(side);
    else if (choice < 0.64 || side.count < LEVELS) {
      side.set(this.#behind(side), this.#quantity());
    } else this.#cancel(side);
    this.#emitTicker();
  }

  takeLines(): string[] {
    const taken = this.#lines;
    this.#lines = [];
    return taken;
  }

  /** Trades against the best level. Far from the middle, the way back is the likelier one. */
  #trade(): void {
    const middle = (this.#bids.best + this.#asks.best) / 2;
    const isBuy = this.#random() > middle / TICKS_COUNT;
    const side = isBuy ? this.#asks : this.#bids;
    const tick = side.best;
    const resting = side.quantities[tick]!;
    const quantity = this.#random() < 0.3 ? resting : Math.min(resting, this.#quantity());
    const timeMs = Math.floor(this.#timeUs / 1000);
    this.#emit(
      "trade",
      `{"e":"trade","E":${timeMs},"s":"BTCUSDT","t":${++this.#tradeId},"p":"${priceText(tick)}",` +
        `"q":"${text(quantity)}","T":${timeMs},"m":${!isBuy},"M":true}`,
    );
    side.set(tick, resting - quantity);
  }

  /** Quotes somewhere in the spread, or at the best level where there is no room. */
  #quoteInside(side: Side): void {
    const room = this.#asks.best - this.#bids.best - 1;
    const steps = Math.ceil(this.#random() * room);
    side.set(side.best + side.better * steps, this.#quantity());
  }

  #cancel(side: Side): void {
    let tick = this.#behind(side);
    while (side.quantities[tick] === 0) tick += side.better;
    side.set(tick, 0);
  }

  /** A tick at or behind the best one, near ones being likelier. */
  #behind(side: Side): number {
    const distance = Math.floor(1_500 * this.#random() ** 3);
    const tick = side.best - side.better * distance;
    return Math.min(TICKS_COUNT - 1, Math.max(0, tick));
  }

  #quantity(): number {
    return LOT * (1 + Math.floor(this.#random() ** 4 * 400_000));
  }

  #emitTicker(): void {
    const [bids, asks] = [this.#bids, this.#asks];
    const levels = `"b":"${priceText(bids.best)}","B":"${text(bids.quantities[bids.best]!)}",` +
      `"a":"${priceText(asks.best)}","A":"${text(asks.quantities[asks.best]!)}"`;
    if (levels === this.#ticker) return;
    this.#ticker = levels;
    this.#emit("bookTicker", `{"u":${this.#updateId},"s":"BTCUSDT",${levels}}`);
  }

  #emitDepth(): void {
    const timeMs = Math.floor(this.#nextDepthUs / 1000);
    const [bids, asks] = [this.#bids, this.#asks];
    this.#emit(
      "depth@100ms",
      `{"e":"depthUpdate","E":${timeMs},"s":"BTCUSDT","U":${this.#lastDepthId + 1},` +
        `"u":${this.#updateId},"b":[${bids.levels(bids.changed)}],"a":[${
          asks.levels(asks.changed)
        }]}`,
    );
    bids.changed.clear();
    asks.changed.clear();
    this.#lastDepthId = this.#updateId;
    this.#nextDepthUs += DEPTH_INTERVAL_US;
    this.#depthUpdates++;
  }

  #emitSnapshot(): void {
    if (this.#random() < 0.9) return; // So that it falls somewhere between two depth updates.
    this.#hasSnapshot = true;
    const [bids, asks] = [this.#bids, this.#asks];
    this.#line(
      `{"lastUpdateId":${this.#updateId},"bids":[${bids.levels(bids.ticks())}],` +
        `"asks":[${asks.levels(asks.ticks())}]}`,
    );
  }

  #emit(stream: string, json: string): void {
    this.#line(`{"stream":"btcusdt@${stream}","data":${json}}`);
  }

  #line(json: string): void {
    this.#lines.push(`${this.#timeUs}000 ${json}`);
  }
}

function priceText(tick: number): string {
  return text((TICKS_LOWEST + tick) * TICK);
}

function text(value: number): string {
  return formatDecimal(value, DECIMALS);
}

/**
 * A Weyl sequence through a 32-bit mixer (of the murmur kind): short, and even enough for a feed.
 */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 4294967296;
  };
}

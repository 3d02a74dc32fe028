/**
 * A made-up market of one instrument: what {@linkcode generateFeed} and the fake exchange tell of.
 *
 * @module
 */

import { formatDecimal } from "../decimal.ts";

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

/** Decimals of every price of the market: a step is 0.01. */
export const MODEL_PRICE_DECIMALS = 2;
/** Decimals of every quantity of the market: a step is 0.00001. */
export const MODEL_QUANTITY_DECIMALS = 5;

/** What a {@linkcode MarketModel} begins with. */
export interface MarketModelOptions {
  /** Decides everything: the same seed gives the same market. An integer, 0 to 2^32 - 1. */
  readonly seed: number;
  /** Such as `"BTCUSDT"`. */
  readonly symbol: string;
  /** Told of each change of a level: its side, tick and new quantity, under the new update id. */
  readonly onChange?: (side: ModelSide, tick: number, quantity: number) => void;
}

/**
 * One side of the made-up book: a quantity per tick, so that it shares no code with `OrderBook`.
 */
export class ModelSide {
  /** Quantity at each tick, in units of 10^-8; 0 = no level. */
  readonly quantities: Float64Array = new Float64Array(TICKS_COUNT);
  /** Ticks changed since the last depth update. */
  readonly changed: Set<number> = new Set<number>();
  /** +1 where a larger price is better: bids. */
  readonly better: 1 | -1;
  /** Levels. */
  count = 0;
  /** Tick of the best level. */
  best: number;

  /** Makes an empty side whose best level is about to be set. */
  constructor(better: 1 | -1, best: number) {
    this.better = better;
    this.best = best;
  }

  /** Sets the quantity at a tick; 0 removes the level. */
  set(tick: number, quantity: number): void {
    const before = this.quantities[tick]!;
    this.count += Number(quantity > 0) - Number(before > 0);
    this.quantities[tick] = quantity;
    this.changed.add(tick);
    if (quantity > 0 && (tick - this.best) * this.better > 0) this.best = tick;
    while (this.quantities[this.best] === 0) this.best -= this.better;
  }

  /** Makes a side of the same levels that shares nothing with this one. */
  copy(): ModelSide {
    const copy = new ModelSide(this.better, this.best);
    copy.quantities.set(this.quantities);
    copy.count = this.count;
    return copy;
  }

  /** `["price","quantity"],…` of the given ticks, best first. */
  levelsText(ticks: Iterable<number>): string {
    const sorted = [...ticks].sort((left, right) => (right - left) * this.better);
    return sorted.map((tick) => `["${priceText(tick)}","${text(this.quantities[tick]!)}"]`).join();
  }

  /** Ticks that have a level, best first. */
  *ticks(): Generator<number> {
    for (let left = this.count, tick = this.best; left > 0; tick -= this.better) {
      if (this.quantities[tick] === 0) continue;
      left--;
      yield tick;
    }
  }
}

/**
 * A market in which one thing after the other happens: quotes, cancellations, trades. What it tells
 * is JSON in Binance's words. Prices follow no market.
 *
 * Thread: one. Cost: some microseconds a step.
 */
export class MarketModel {
  /** Such as `"BTCUSDT"`. */
  readonly symbol: string;
  /** Bids. */
  readonly bids: ModelSide = new ModelSide(1, TICKS_COUNT / 2 - 1);
  /** Asks. */
  readonly asks: ModelSide = new ModelSide(-1, TICKS_COUNT / 2);
  /** An even number of the market's own sequence, 0 to 1 without 1. */
  readonly random: () => number;
  /** Id of the last change of the book. */
  updateId = 50_000_000_000;
  readonly #onChange: MarketModelOptions["onChange"];
  /** Ids of the next depth event's first change, and of the last event's last one. */
  #firstId = this.updateId + 1;
  #lastDepthId = this.updateId;
  /** Update ids that are of no concern to this book, as a futures exchange has them. */
  #idsSkipped = 0;
  #tradeId = 3_700_000_000;
  #ticker = "";

  /** Makes a market with 300 levels on either side. */
  constructor({ seed, symbol, onChange }: MarketModelOptions) {
    this.symbol = symbol;
    this.random = randomNumbers(seed);
    for (const side of [this.bids, this.asks]) {
      side.set(side.best, this.#quantity());
      while (side.count < LEVELS) side.set(this.#behind(side), this.#quantity());
      side.changed.clear();
    }
    this.#onChange = onChange;
  }

  /**
   * Lets one thing happen, under the next update id.
   *
   * @param timeUs When, in microseconds since 1970.
   * @returns The trade event, if it was a trade.
   */
  step(timeUs: number): string | undefined {
    this.updateId += 1 + this.#idsSkipped;
    this.#firstId += this.#idsSkipped;
    this.#idsSkipped = 0;
    const choice = this.random();
    const side = this.random() < 0.5 ? this.bids : this.asks;
    if (choice < 0.08) return this.#trade(Math.floor(timeUs / 1000));
    if (choice < 0.24) this.#quoteInside(side);
    else if (choice < 0.64 || side.count < LEVELS) {
      this.#set(side, this.#behind(side), this.#quantity());
    } else this.#cancel(side);
    return undefined;
  }

  /** The book ticker event, if the best bid or ask has changed since the last one. */
  takeTicker(): string | undefined {
    const { bids, asks } = this;
    const levels = `"b":"${priceText(bids.best)}","B":"${text(bids.quantities[bids.best]!)}",` +
      `"a":"${priceText(asks.best)}","A":"${text(asks.quantities[asks.best]!)}"`;
    if (levels === this.#ticker) return undefined;
    this.#ticker = levels;
    return `{"u":${this.updateId},"s":"${this.symbol}",${levels}}`;
  }

  /**
   * The depth event of all changes since the last one.
   *
   * @param timeUs When, in microseconds since 1970.
   * @param isFutures Whether ids between two events are left out, and the event tells the last id
   * of the one before (`pu`).
   */
  takeDepth(timeUs: number, isFutures = false): string {
    const { bids, asks } = this;
    const previous = isFutures ? `"pu":${this.#lastDepthId},` : "";
    const event = `{"e":"depthUpdate","E":${Math.floor(timeUs / 1000)},"s":"${this.symbol}",` +
      `"U":${this.#firstId},"u":${this.updateId},${previous}` +
      `"b":[${bids.levelsText(bids.changed)}],"a":[${asks.levelsText(asks.changed)}]}`;
    bids.changed.clear();
    asks.changed.clear();
    this.#lastDepthId = this.updateId;
    this.#firstId = this.updateId + 1;
    if (isFutures) this.#idsSkipped = Math.floor(this.random() * 4);
    return event;
  }

  /** The book as REST tells it: the best `limit` levels of each side. */
  snapshot(limit = Infinity): string {
    const { bids, asks } = this;
    return `{"lastUpdateId":${this.updateId},` +
      `"bids":[${bids.levelsText(bids.ticks().take(limit))}],` +
      `"asks":[${asks.levelsText(asks.ticks().take(limit))}]}`;
  }

  #set(side: ModelSide, tick: number, quantity: number): void {
    side.set(tick, quantity);
    this.#onChange?.(side, tick, quantity);
  }

  /** Trades against the best level. Far from the middle, the way back is the likelier one. */
  #trade(timeMs: number): string {
    const middle = (this.bids.best + this.asks.best) / 2;
    const isBuy = this.random() > middle / TICKS_COUNT;
    const side = isBuy ? this.asks : this.bids;
    const tick = side.best;
    const resting = side.quantities[tick]!;
    const quantity = this.random() < 0.3 ? resting : Math.min(resting, this.#quantity());
    this.#set(side, tick, resting - quantity);
    return `{"e":"trade","E":${timeMs},"s":"${this.symbol}","t":${++this.#tradeId},` +
      `"p":"${priceText(tick)}","q":"${text(quantity)}","T":${timeMs},"m":${!isBuy},"M":true}`;
  }

  /** Quotes somewhere in the spread, or at the best level where there is no room. */
  #quoteInside(side: ModelSide): void {
    const room = this.asks.best - this.bids.best - 1;
    const steps = Math.ceil(this.random() * room);
    this.#set(side, side.best + side.better * steps, this.#quantity());
  }

  #cancel(side: ModelSide): void {
    let tick = this.#behind(side);
    while (side.quantities[tick] === 0) tick += side.better;
    this.#set(side, tick, 0);
  }

  /** A tick at or behind the best one, near ones being likelier. */
  #behind(side: ModelSide): number {
    const distance = Math.floor(1_500 * this.random() ** 3);
    const tick = side.best - side.better * distance;
    return Math.min(TICKS_COUNT - 1, Math.max(0, tick));
  }

  #quantity(): number {
    return LOT * (1 + Math.floor(this.random() ** 4 * 400_000));
  }
}

/** The price at a tick, as the market writes it. */
function priceText(tick: number): string {
  return text((TICKS_LOWEST + tick) * TICK);
}

function text(value: number): string {
  return formatDecimal(value, DECIMALS);
}

/**
 * A Weyl sequence through a 32-bit mixer (of the murmur kind): short, and even enough for a feed.
 *
 * @param seed A u32.
 * @returns A function that gives the next number, 0 to 1 without 1.
 */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 4294967296;
  };
}

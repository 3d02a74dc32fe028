/**
 * A made-up exchange feed in the wire format of a recording, for demonstrations without one.
 *
 * @module
 */

import { MarketModel } from "./market_model.ts";

/** What {@linkcode generateFeed} makes. */
export interface FeedOptions {
  /** Decides everything: the same seed gives the same lines. An integer, 0 to 2^32 - 1. */
  readonly seed: number;
  /** How many lines. */
  readonly messages: number;
}

/** The first receive time, in µs: the recording's, so that the lines look alike. */
const START_US = 1_723_161_254_000_000;
/** Symbol of every message. */
const SYMBOL = "BTCUSDT";

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
  return lines(new Feed(seed), messages);
}

function* lines(feed: Feed, messages: number): Generator<string> {
  let left = messages;
  while (left > 0) {
    feed.step();
    for (const line of feed.takeLines()) {
      if (left-- === 0) return;
      yield line;
    }
  }
}

/** What an exchange would send of the market, with the time at which it would arrive. */
class Feed {
  readonly #market: MarketModel;
  #lines: string[] = [];
  #timeUs = START_US;
  #nextDepthUs = START_US + DEPTH_INTERVAL_US;
  #depthUpdates = 0;
  #hasSnapshot = false;

  constructor(seed: number) {
    this.#market = new MarketModel({ seed, symbol: SYMBOL });
    this.#emitTicker();
  }

  /** Lets one thing happen and writes what the exchange would send about it. */
  step(): void {
    const market = this.#market;
    this.#timeUs += 1 + Math.floor(market.random() * 4_000);
    if (this.#timeUs >= this.#nextDepthUs) this.#emitDepth();
    if (this.#depthUpdates >= UPDATES_BEFORE_SNAPSHOT && !this.#hasSnapshot) this.#emitSnapshot();
    const trade = market.step(this.#timeUs);
    if (trade !== undefined) this.#emit("trade", trade);
    this.#emitTicker();
  }

  takeLines(): string[] {
    const taken = this.#lines;
    this.#lines = [];
    return taken;
  }

  #emitTicker(): void {
    const ticker = this.#market.takeTicker();
    if (ticker !== undefined) this.#emit("bookTicker", ticker);
  }

  #emitDepth(): void {
    this.#emit("depth@100ms", this.#market.takeDepth(this.#nextDepthUs));
    this.#nextDepthUs += DEPTH_INTERVAL_US;
    this.#depthUpdates++;
  }

  #emitSnapshot(): void {
    if (this.#market.random() < 0.9) return; // So that it falls between two depth updates.
    this.#hasSnapshot = true;
    this.#line(this.#market.snapshot());
  }

  #emit(stream: string, json: string): void {
    this.#line(`{"stream":"${SYMBOL.toLowerCase()}@${stream}","data":${json}}`);
  }

  #line(json: string): void {
    this.#lines.push(`${this.#timeUs}000 ${json}`);
  }
}

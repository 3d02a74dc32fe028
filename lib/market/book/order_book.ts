/**
 * A full-depth order book, kept in step with the exchange by update ids.
 *
 * @module
 */

import { BookSide, type ReadonlyBookSide } from "./book_side.ts";
import { copyUpdate, DeltaAssembler, type DepthUpdate } from "./delta_assembler.ts";
import type { LevelList } from "./level_list.ts";
import { TopLevels } from "./top_levels.ts";

/** The delta is stored; its update is not complete yet. */
export const BOOK_PART = 0;
/** The book has changed: an update, or a snapshot with the updates kept for it, was applied. */
export const BOOK_APPLIED = 1;
/** The update is kept until a snapshot comes. The caller fetches one, unless one is on its way. */
export const BOOK_BUFFERED = 2;
/** The update, or the snapshot, holds nothing that is newer than the book. */
export const BOOK_DROPPED = 3;
/** Updates are missing before this one: the book was emptied. The caller fetches a snapshot. */
export const BOOK_GAP: -1 = -1;
/** The snapshot is older than the updates kept for it. The caller fetches a newer one. */
export const BOOK_SNAPSHOT_TOO_OLD: -2 = -2;
/** The delta is broken, or parts of its update are missing. A gap follows with the next update. */
export const BOOK_BROKEN: -3 = -3;

/**
 * Updates kept while a snapshot is awaited. Arbitrary: nearly seven minutes at ten a second. Beyond
 * it the oldest are forgotten, so that only a newer snapshot will fit.
 */
const UPDATES_KEPT_MAX = 4096;

/** One price level. */
export interface Level {
  /** In units of 10^-priceDecimals. */
  price: number;
  /** In units of 10^-quantityDecimals. */
  quantity: number;
}

/** What an {@linkcode OrderBook} has done; all counts are of exchange updates, not of deltas. */
export interface OrderBookCounts {
  /** Updates that changed the book. */
  depthApplied: number;
  /** Updates that held nothing newer than the book. */
  depthDropped: number;
  /** Times the book was emptied because updates were missing. */
  gaps: number;
  /** Snapshots that became the book. */
  snapshotsApplied: number;
  /** Snapshots refused because they were older than the book or than the updates kept. */
  snapshotsRefused: number;
  /** Updates given up because a delta was broken or parts were missing. */
  broken: number;
}

/** What {@linkcode OrderBook} can be asked for. */
export interface OrderBookOptions {
  /** Called after each update that was applied, also for those kept for a snapshot. */
  readonly onApplied?: (book: OrderBook) => void;
}

/**
 * Builds one instrument's book from {@linkcode OrderBookDelta} messages, by Binance's procedure.
 *
 * Updates are kept until a snapshot comes, then those that it contains are dropped and the rest
 * applied. From then on an update must begin at or before the id that is expected next: a later
 * one means that updates were lost, so the book is emptied and waits for a snapshot again. A book
 * is therefore either right or empty, never silently wrong. Asking for a snapshot is the caller's
 * part: {@linkcode OrderBook.apply} says when.
 *
 * Updates with `DELTA_CHAINED` follow the rule of futures instead: the snapshot's id must lie
 * within the first one, and each later one must name the last id of the one before it.
 *
 * Thread: one. Cost: a binary search and a short move per level; no allocation while in step.
 *
 * @example Two levels
 * ```ts
 * import { BinanceNormaliser, OrderBook, ScratchSink } from "message_transport/market";
 * import { assertEquals } from "@std/assert";
 *
 * const book = new OrderBook(1);
 * const sink = new ScratchSink((view, offset) => book.apply(view, offset));
 * const bitcoin = { id: 1, symbol: "BTCUSDT", priceDecimals: 2, quantityDecimals: 5 };
 * const instruments = { find: () => bitcoin };
 * const normaliser = new BinanceNormaliser({ sink, instruments, symbol: "BTCUSDT" });
 * normaliser.normalise('{"lastUpdateId":7,"bids":[["99.5","2"]],"asks":[["100.5","1"]]}', 0);
 * assertEquals(book.bestBid(), { price: 9_950, quantity: 200_000 });
 * ```
 */
export class OrderBook {
  /** The instrument whose deltas it takes. */
  readonly instrumentId: number;
  readonly #bids = new BookSide("bid");
  readonly #asks = new BookSide("ask");
  /** Bids; the price at depth 0 is the highest. */
  readonly bids: ReadonlyBookSide = this.#bids;
  /** Asks; the price at depth 0 is the lowest. */
  readonly asks: ReadonlyBookSide = this.#asks;
  /** The best 20 levels of each side in flat arrays; follows the book. */
  readonly topLevels: TopLevels = new TopLevels();
  /** What it has done so far. */
  readonly counts: OrderBookCounts = {
    depthApplied: 0,
    depthDropped: 0,
    gaps: 0,
    snapshotsApplied: 0,
    snapshotsRefused: 0,
    broken: 0,
  };

  readonly #onApplied: ((book: OrderBook) => void) | undefined;
  readonly #update = new DeltaAssembler();
  #kept: DepthUpdate[] = [];
  #isInStep = false;
  /** Whether the book is still the snapshot. */
  #isFresh = false;
  #finalUpdateId = 0;

  /** Makes an empty book that waits for a snapshot. */
  constructor(instrumentId: number, options: OrderBookOptions = {}) {
    this.instrumentId = instrumentId;
    this.#onApplied = options.onApplied;
  }

  /** Whether the book is the exchange's as of {@linkcode OrderBook.finalUpdateId}. */
  get isInStep(): boolean {
    return this.#isInStep;
  }

  /** Id of the last update in the book; 0 while it is not in step. */
  get finalUpdateId(): number {
    return this.#finalUpdateId;
  }

  /** How many price levels each side has. */
  get levels(): { bids: number; asks: number } {
    return { bids: this.bids.count, asks: this.asks.count };
  }

  /** Scale of its prices, 10^-priceDecimals: that of the first delta; before it, 0. */
  get priceDecimals(): number {
    return this.#update.priceDecimals;
  }

  /** Scale of its quantities, 10^-quantityDecimals: that of the first delta; before it, 0. */
  get quantityDecimals(): number {
    return this.#update.quantityDecimals;
  }

  /** The highest bid, or undefined if there is none. Allocates; `bids.price(0)` does not. */
  bestBid(): Level | undefined {
    return levelsOf(this.bids, 1)[0];
  }

  /** The lowest ask, or undefined if there is none. Allocates; `asks.price(0)` does not. */
  bestAsk(): Level | undefined {
    return levelsOf(this.asks, 1)[0];
  }

  /** Up to `depth` levels of each side, best first, as new objects. */
  top(depth: number): { bids: Level[]; asks: Level[] } {
    return { bids: levelsOf(this.bids, depth), asks: levelsOf(this.asks, depth) };
  }

  /**
   * Takes one delta. Nothing changes before the last delta of its update.
   *
   * @param view Bytes that hold an `OrderBookDelta`; they are copied.
   * @param offset Where it starts.
   * @param length Bytes of the message, when known.
   * @returns A `BOOK_…` code; negative ones ask the caller to do something.
   * @throws {RangeError} If there are too few bytes, or the delta is another instrument's.
   */
  apply(view: DataView, offset: number, length?: number): number {
    const update = this.#update;
    const brokenBefore = update.brokenCount;
    const isComplete = update.add(view, offset, length, this.instrumentId);
    this.counts.broken += update.brokenCount - brokenBefore;
    if (!isComplete) return update.isOpen ? BOOK_PART : BOOK_BROKEN;
    return update.isSnapshot ? this.#takeSnapshot() : this.#takeUpdate(update);
  }

  #takeUpdate(update: DepthUpdate): number {
    if (!this.#isInStep) {
      this.#keep(update);
      return BOOK_BUFFERED;
    }
    if (isOld(update, this.#finalUpdateId, this.#isFresh)) {
      this.counts.depthDropped++;
      return BOOK_DROPPED;
    }
    if (!isNext(update, this.#finalUpdateId, this.#isFresh)) {
      this.counts.gaps++;
      this.#empty();
      this.#keep(update);
      return BOOK_GAP;
    }
    const bidDepth = setLevels(this.#bids, update.bids);
    const askDepth = setLevels(this.#asks, update.asks);
    this.topLevels.follow(this.bids, this.asks, bidDepth, askDepth);
    this.#isFresh = false;
    this.#finalUpdateId = update.lastUpdateId;
    this.counts.depthApplied++;
    this.#onApplied?.(this);
    return BOOK_APPLIED;
  }

  #takeSnapshot(): number {
    const { lastUpdateId, bids, asks } = this.#update;
    if (this.#isInStep && lastUpdateId <= this.#finalUpdateId) {
      this.counts.snapshotsRefused++;
      return BOOK_DROPPED;
    }
    const next = this.#kept.find((update) => !isOld(update, lastUpdateId, true));
    if (next !== undefined && !isNext(next, lastUpdateId, true)) {
      this.counts.snapshotsRefused++;
      return BOOK_SNAPSHOT_TOO_OLD;
    }
    this.#empty();
    setLevels(this.#bids, bids);
    setLevels(this.#asks, asks);
    this.topLevels.follow(this.bids, this.asks);
    this.#isInStep = true;
    this.#isFresh = true;
    this.#finalUpdateId = lastUpdateId;
    this.counts.snapshotsApplied++;
    return this.#applyKept();
  }

  #applyKept(): number {
    const kept = this.#kept;
    this.#kept = [];
    let result = BOOK_APPLIED;
    for (const update of kept) {
      if (this.#takeUpdate(update) === BOOK_GAP) result = BOOK_GAP;
    }
    return result;
  }

  #keep(update: DepthUpdate): void {
    if (this.#kept.length === UPDATES_KEPT_MAX) this.#kept.shift();
    this.#kept.push(copyUpdate(update));
  }

  #empty(): void {
    this.#bids.clear();
    this.#asks.clear();
    this.topLevels.follow(this.bids, this.asks);
    this.#isInStep = false;
    this.#finalUpdateId = 0;
  }
}

/** Whether a book of that update id holds all that the update says. */
function isOld({ isChained, lastUpdateId }: DepthUpdate, id: number, isFresh: boolean): boolean {
  // The first of a chain has to hold the snapshot's id, and may end with it.
  return isChained && isFresh ? lastUpdateId < id : lastUpdateId <= id;
}

/** Whether nothing is missing between a book of that update id and an update that is not old. */
function isNext(update: DepthUpdate, id: number, isFresh: boolean): boolean {
  if (!update.isChained) return update.firstUpdateId <= id + 1;
  return isFresh ? update.firstUpdateId <= id : update.previousUpdateId === id;
}

/** Sets levels, and returns the least depth at which that changed the side, or `Infinity`. */
function setLevels(side: BookSide, levels: LevelList): number {
  let least = Infinity;
  for (let index = 0; index < levels.count; index++) {
    const depth = side.set(levels.prices[index]!, levels.quantities[index]!);
    if (depth >= 0 && depth < least) least = depth;
  }
  return least;
}

function levelsOf(side: ReadonlyBookSide, depth: number): Level[] {
  const levels: Level[] = [];
  for (let index = 0; index < depth && index < side.count; index++) {
    levels.push({ price: side.price(index), quantity: side.quantity(index) });
  }
  return levels;
}

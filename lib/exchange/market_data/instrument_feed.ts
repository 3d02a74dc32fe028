/**
 * Market data of one instrument: its whole book, its last trades, and what has changed since when.
 *
 * @module
 */

import { BookSide, type ReadonlyBookSide } from "../../market/book/book_side.ts";
import type { Instrument } from "../../market/instruments.ts";
import { SIDE_BUY } from "../orders.ts";
import { type TapeTrade, TradeTape } from "./trade_tape.ts";

/** Trades that are kept: what a page shows, many times over. */
export const TRADES_KEPT = 1_000;

/** Updates kept for who resumes or lags: 20 s at 50 a second. */
const UPDATES_KEPT = 1_024;

/** Changed levels in all kept updates together, which is what bounds their memory and merging. */
const LEVELS_KEPT = 16_384;

/** Changed levels of one side: absolute quantities by price, where 0 is a level that is gone. */
export type LevelChanges = ReadonlyMap<number, number>;

/** What has changed between two flushes, or several of them merged. Prices are in units. */
export interface FeedUpdate {
  /** Sequence that it follows. */
  from: number;
  /** Sequence that the book has after it. */
  to: number;
  bids: LevelChanges;
  asks: LevelChanges;
  /** Number of the last trade before it. */
  tradesAfter: number;
  /** Number of its last trade. */
  tradesTo: number;
}

/** What a market has come to. */
export interface MarketState {
  instrument: Instrument;
  isComplete: boolean;
  /** Sequence of the last event that changed it; 0 before the first. */
  sequence: number;
  bids: ReadonlyBookSide;
  asks: ReadonlyBookSide;
  /** Number of the last trade. */
  lastTrade: number;
  /** The last ones, the oldest first. */
  trades: readonly Omit<TapeTrade, "number">[];
}

/**
 * Takes changes one by one, and gives them out in updates that follow each other without a gap:
 * `from` of each is `to` of the one before. The last ones are kept, so that a reader who stands at
 * the end of any of them can be brought to the newest one in a single, merged update.
 *
 * Thread: its isolate's only. Memory is bounded but for the book, which has as many levels as its
 * source gives it.
 */
export class InstrumentFeed {
  /** What it is of. */
  readonly instrument: Instrument;
  /** The last trades. */
  readonly tape: TradeTape = new TradeTape(TRADES_KEPT);
  readonly #bids = new BookSide("bid");
  readonly #asks = new BookSide("ask");
  readonly #history: FeedUpdate[] = [];
  #historyLevels = 0;
  #changedBids = new Map<number, number>();
  #changedAsks = new Map<number, number>();
  #sequence = 0;
  #flushedSequence = 0;
  #flushedTrade = 0;
  #generation = 1;
  #isComplete: boolean;

  /** Makes an empty one. `isComplete` says whether what follows will be all that there ever was. */
  constructor(instrument: Instrument, isComplete: boolean) {
    this.instrument = instrument;
    this.#isComplete = isComplete;
  }

  /** Bids; follows the book. */
  get bids(): ReadonlyBookSide {
    return this.#bids;
  }

  /** Asks; follows the book. */
  get asks(): ReadonlyBookSide {
    return this.#asks;
  }

  /** Sequence of the last message that changed anything; 0 before the first. */
  get sequence(): number {
    return this.#sequence;
  }

  /** `to` of the last update that was flushed. */
  get flushedSequence(): number {
    return this.#flushedSequence;
  }

  /** Rises when the book is replaced: sequences of different generations do not compare. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether the book is known to be all that rests: no message before or between is missing. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Sets a level's quantity; 0 removes it. */
  setLevel(side: number, price: number, quantity: number): void {
    if (side === SIDE_BUY) {
      this.#bids.set(price, quantity);
      this.#changedBids.set(price, quantity);
    } else {
      this.#asks.set(price, quantity);
      this.#changedAsks.set(price, quantity);
    }
  }

  /** Adds a trade. */
  addTrade(trade: Omit<TapeTrade, "number">): void {
    this.tape.add(trade);
  }

  /** Says that everything up to a message is in: it and all before. Assumes that it rises. */
  advance(sequence: number): void {
    this.#sequence = sequence;
  }

  /**
   * Replaces the whole book, such as after a gap. No update leads there: it begins a generation,
   * and whoever stands in the one before has to begin with a snapshot.
   */
  replaceBook(bids: ReadonlyBookSide, asks: ReadonlyBookSide, isComplete: boolean): void {
    copyLevels(bids, this.#bids);
    copyLevels(asks, this.#asks);
    this.#begin(isComplete);
  }

  /** Takes over what a feed before this one had come to. All of it counts as flushed. */
  restore(state: MarketState): void {
    this.replaceBook(state.bids, state.asks, state.isComplete);
    this.tape.begin(state.lastTrade - state.trades.length);
    for (const trade of state.trades) this.tape.add(trade);
    this.advance(state.sequence);
    this.flush();
  }

  /** Says that messages are missing, so that the book may be wrong. */
  markIncomplete(): void {
    this.#begin(false);
  }

  /** Returns what has changed since the last flush, and keeps it; undefined if nothing has. */
  flush(): FeedUpdate | undefined {
    if (this.#sequence === this.#flushedSequence) return undefined;
    const update = {
      from: this.#flushedSequence,
      to: this.#sequence,
      bids: this.#changedBids,
      asks: this.#changedAsks,
      tradesAfter: this.#flushedTrade,
      tradesTo: this.tape.lastNumber,
    };
    this.#changedBids = new Map();
    this.#changedAsks = new Map();
    this.#flushedSequence = update.to;
    this.#flushedTrade = update.tradesTo;
    this.#keep(update);
    return update;
  }

  /**
   * Merges all updates behind a sequence into one.
   *
   * @param sequence Where the reader stands, in this generation: `to` of an update, or a
   *     snapshot's sequence.
   * @returns An empty update if that is the newest one; undefined where the updates are not kept
   *     any more, or a snapshot would be no larger.
   */
  since(sequence: number): FeedUpdate | undefined {
    const to = this.#flushedSequence;
    const tradesTo = this.#flushedTrade;
    if (sequence === to) {
      return { from: to, to, bids: new Map(), asks: new Map(), tradesAfter: tradesTo, tradesTo };
    }
    let first = this.#history.length;
    let levels = 0;
    const levelsMax = this.#bids.count + this.#asks.count + 64;
    while (first > 0 && this.#history[first - 1]!.from >= sequence) {
      first--;
      levels += levelsOf(this.#history[first]!);
      if (levels > levelsMax) return undefined;
    }
    const oldest = this.#history[first];
    if (oldest === undefined || oldest.from !== sequence) return undefined;
    const bids = new Map<number, number>();
    const asks = new Map<number, number>();
    for (let index = first; index < this.#history.length; index++) {
      const update = this.#history[index]!;
      for (const [price, quantity] of update.bids) bids.set(price, quantity);
      for (const [price, quantity] of update.asks) asks.set(price, quantity);
    }
    return { from: sequence, to, bids, asks, tradesAfter: oldest.tradesAfter, tradesTo };
  }

  #keep(update: FeedUpdate): void {
    this.#history.push(update);
    this.#historyLevels += levelsOf(update);
    while (this.#history.length > UPDATES_KEPT || this.#historyLevels > LEVELS_KEPT) {
      this.#historyLevels -= levelsOf(this.#history.shift()!);
    }
  }

  #begin(isComplete: boolean): void {
    this.#isComplete = isComplete;
    this.#generation++;
    this.#history.length = 0;
    this.#historyLevels = 0;
    this.#changedBids.clear();
    this.#changedAsks.clear();
    this.#flushedSequence = -1; // So that there is something to flush, whatever the sequence is.
  }
}

function levelsOf({ bids, asks }: FeedUpdate): number {
  return bids.size + asks.size;
}

/** Worst level first, so that each is appended. */
function copyLevels(from: ReadonlyBookSide, to: BookSide): void {
  to.clear();
  for (let depth = from.count - 1; depth >= 0; depth--) {
    to.set(from.price(depth), from.quantity(depth));
  }
}

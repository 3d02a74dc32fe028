/**
 * The best 20 levels of a book in flat arrays, for those who send or show them.
 *
 * @module
 */

import type { ReadonlyBookSide } from "./book_side.ts";
import { isDecimals } from "../decimal.ts";
import type { Instrument } from "../instruments.ts";
import { KIND_ORDER_BOOK_SNAPSHOT, OrderBookSnapshot, SNAPSHOT_LEVELS } from "../layouts.ts";

/** What an {@linkcode OrderBookSnapshot} says besides its levels. */
export interface SnapshotHead {
  /** Whose levels they are, and their scales. */
  readonly instrument: Pick<Instrument, "id" | "priceDecimals" | "quantityDecimals">;
  /** The last update in them. */
  readonly updateId: number;
  /** µs since 1970 by the exchange; 0 = not told. */
  readonly eventTimeUs?: number;
  /** µs since 1970 by this host; 0 = unknown. */
  readonly receiveTimeUs?: number;
}

/**
 * The best 20 levels of both sides. Best level first; the arrays are always the same ones, and zero
 * beyond the counts.
 *
 * Thread: one. Cost: following a change copies the levels from its depth on and allocates nothing;
 * a change beyond the 20th level costs a comparison.
 */
export class TopLevels {
  /** Prices of bids, falling. */
  readonly bidPrices: Float64Array = new Float64Array(SNAPSHOT_LEVELS);
  /** Quantities of bids. */
  readonly bidQuantities: Float64Array = new Float64Array(SNAPSHOT_LEVELS);
  /** Prices of asks, rising. */
  readonly askPrices: Float64Array = new Float64Array(SNAPSHOT_LEVELS);
  /** Quantities of asks. */
  readonly askQuantities: Float64Array = new Float64Array(SNAPSHOT_LEVELS);
  readonly #snapshot = OrderBookSnapshot.accessor();
  /** Levels that are read, until they are known to be sound. */
  readonly #draft = {
    bidPrices: new Float64Array(SNAPSHOT_LEVELS),
    bidQuantities: new Float64Array(SNAPSHOT_LEVELS),
    askPrices: new Float64Array(SNAPSHOT_LEVELS),
    askQuantities: new Float64Array(SNAPSHOT_LEVELS),
  };
  #bidCount = 0;
  #askCount = 0;

  /** Bids, 0 to 20. */
  get bidCount(): number {
    return this.#bidCount;
  }

  /** Asks, 0 to 20. */
  get askCount(): number {
    return this.#askCount;
  }

  /**
   * Takes over what has changed in a book.
   *
   * @param bidDepth Bids that are better than this one are as they were at the last call.
   * @param askDepth Asks likewise.
   * @returns Whether any level may have changed.
   */
  follow(bids: ReadonlyBookSide, asks: ReadonlyBookSide, bidDepth = 0, askDepth = 0): boolean {
    this.#bidCount = copyLevels(bids, bidDepth, this.bidPrices, this.bidQuantities);
    this.#askCount = copyLevels(asks, askDepth, this.askPrices, this.askQuantities);
    return Math.min(bidDepth, askDepth) < SNAPSHOT_LEVELS;
  }

  /** Writes an {@linkcode OrderBookSnapshot}, every byte of it, at `offset`. */
  write(view: DataView, offset: number, head: SnapshotHead): void {
    const snapshot = this.#snapshot.wrap(view, offset);
    snapshot.kind = KIND_ORDER_BOOK_SNAPSHOT;
    snapshot.priceDecimals = head.instrument.priceDecimals;
    snapshot.quantityDecimals = head.instrument.quantityDecimals;
    snapshot.instrumentId = head.instrument.id;
    snapshot.eventTimeUs = head.eventTimeUs ?? 0;
    snapshot.receiveTimeUs = head.receiveTimeUs ?? 0;
    snapshot.updateId = head.updateId;
    snapshot.bidCount = this.#bidCount;
    snapshot.askCount = this.#askCount;
    snapshot.reserved0 = 0;
    snapshot.reserved1 = 0;
    for (let index = 0; index < 3; index++) snapshot.setReserved2(index, 0);
    for (let depth = 0; depth < SNAPSHOT_LEVELS; depth++) {
      snapshot.setBidPrices(depth, this.bidPrices[depth]!);
      snapshot.setBidQuantities(depth, this.bidQuantities[depth]!);
      snapshot.setAskPrices(depth, this.askPrices[depth]!);
      snapshot.setAskQuantities(depth, this.askQuantities[depth]!);
    }
  }

  /**
   * Takes over the levels of an {@linkcode OrderBookSnapshot}, if they are those of a book.
   *
   * @param view Any bytes; they are checked.
   * @param length Bytes of the message, when known.
   * @returns False, with nothing changed, if there are other counts than 0 to 20, levels without
   * quantity or out of order, or if best bid and ask cross.
   * @throws {RangeError} If there are too few bytes, or they are another kind of message.
   */
  read(view: DataView, offset: number, length?: number): boolean {
    const snapshot = this.#snapshot.wrap(view, offset, length);
    if (snapshot.kind !== KIND_ORDER_BOOK_SNAPSHOT) {
      throw new RangeError(
        `Cannot read a message as order book snapshot: found kind ${snapshot.kind}`,
      );
    }
    const { bidCount, askCount } = snapshot;
    const draft = this.#draft;
    try {
      if (Math.max(bidCount, askCount) > SNAPSHOT_LEVELS) return false;
      if (!isDecimals(snapshot.priceDecimals) || !isDecimals(snapshot.quantityDecimals)) {
        return false;
      }
      for (let depth = 0; depth < SNAPSHOT_LEVELS; depth++) {
        draft.bidPrices[depth] = depth < bidCount ? snapshot.bidPrices(depth) : 0;
        draft.bidQuantities[depth] = depth < bidCount ? snapshot.bidQuantities(depth) : 0;
        draft.askPrices[depth] = depth < askCount ? snapshot.askPrices(depth) : 0;
        draft.askQuantities[depth] = depth < askCount ? snapshot.askQuantities(depth) : 0;
      }
    } catch (error) {
      // A field holds more than 2^53 - 1: no exchange wrote that.
      if (!(error instanceof RangeError)) throw error;
      return false;
    }
    const areSound = areLevels(draft.bidPrices, draft.bidQuantities, bidCount, -1) &&
      areLevels(draft.askPrices, draft.askQuantities, askCount, 1);
    if (!areSound) return false;
    this.bidPrices.set(draft.bidPrices);
    this.bidQuantities.set(draft.bidQuantities);
    this.askPrices.set(draft.askPrices);
    this.askQuantities.set(draft.askQuantities);
    this.#bidCount = bidCount;
    this.#askCount = askCount;
    return true;
  }
}

/** Copies levels from a depth on, and zeros behind them. Returns how many there are, up to 20. */
function copyLevels(
  side: ReadonlyBookSide,
  start: number,
  prices: Float64Array,
  quantities: Float64Array,
): number {
  for (let depth = start; depth < SNAPSHOT_LEVELS; depth++) {
    prices[depth] = side.price(depth);
    quantities[depth] = side.quantity(depth);
  }
  return Math.min(side.count, SNAPSHOT_LEVELS);
}

/** Whether they are levels of a side whose prices rise, or fall with a `sign` of -1. */
function areLevels(
  prices: Float64Array,
  quantities: Float64Array,
  count: number,
  sign: 1 | -1,
): boolean {
  for (let depth = 0; depth < count; depth++) {
    if (prices[depth]! < 0 || quantities[depth]! <= 0) return false;
    if (depth > 0 && (prices[depth]! - prices[depth - 1]!) * sign <= 0) return false;
  }
  return true;
}

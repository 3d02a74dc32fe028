/**
 * Puts the deltas of one exchange update together again.
 *
 * @module
 */

import { isDecimals } from "../decimal.ts";
import {
  DELTA_CHAINED,
  DELTA_FIRST,
  DELTA_LAST,
  DELTA_LEVELS,
  DELTA_SNAPSHOT,
} from "../layouts.ts";
import { KIND_ORDER_BOOK_DELTA, OrderBookDelta } from "../layouts.ts";
import { LevelList } from "./level_list.ts";

/** What an exchange says about a book at once. */
export interface DepthUpdate {
  /** Binance's `U`. */
  readonly firstUpdateId: number;
  /** Binance's `u`. */
  readonly lastUpdateId: number;
  /** Whether it tells the update before it, as futures do. */
  readonly isChained: boolean;
  /** Binance's `pu`, if it does. */
  readonly previousUpdateId: number;
  /** Changed bids. */
  readonly bids: LevelList;
  /** Changed asks. */
  readonly asks: LevelList;
}

/** Makes an update that shares nothing with the given one. */
export function copyUpdate(update: DepthUpdate): DepthUpdate {
  const { firstUpdateId, lastUpdateId, isChained, previousUpdateId } = update;
  const [bids, asks] = [update.bids.copy(), update.asks.copy()];
  return { firstUpdateId, lastUpdateId, isChained, previousUpdateId, bids, asks };
}

/**
 * Collects deltas until an update is complete. Its fields describe that update, and stay valid
 * until the next delta is added.
 */
export class DeltaAssembler implements DepthUpdate {
  /** Bids of the update, in the order of the deltas. */
  readonly bids: LevelList = new LevelList();
  /** Asks of the update. */
  readonly asks: LevelList = new LevelList();
  /** Binance's `U`. */
  firstUpdateId = 0;
  /** Binance's `u`. */
  lastUpdateId = 0;
  /** Whether it replaces the book. */
  isSnapshot = false;
  /** Whether it tells the update before it. */
  isChained = false;
  /** Binance's `pu`, if it does. */
  previousUpdateId = 0;
  /** Scale of all prices, of this update and of those before. */
  priceDecimals = 0;
  /** Scale of all quantities. */
  quantityDecimals = 0;
  /** Whether parts of an update are stored and its last part is missing. */
  isOpen = false;
  /** Updates and deltas that were thrown away because they did not make a whole. */
  brokenCount = 0;

  readonly #delta = OrderBookDelta.accessor();
  #nextPart = 0;
  #hasScales = false;

  /**
   * Adds a delta.
   *
   * @returns Whether it completes its update. If not, `isOpen` tells a stored part from a broken
   * one.
   * @throws {RangeError} If there are too few bytes, or the delta is another instrument's.
   */
  add(view: DataView, offset: number, length: number | undefined, instrumentId: number): boolean {
    const delta = this.#delta.wrap(view, offset, length);
    if (delta.kind !== KIND_ORDER_BOOK_DELTA || delta.instrumentId !== instrumentId) {
      throw new RangeError(
        `Cannot apply a message of kind ${delta.kind} as order book delta of instrument ` +
          `${instrumentId}: found instrument ${delta.instrumentId}`,
      );
    }
    const { flags } = delta;
    if ((flags & DELTA_FIRST) !== 0) this.#begin(flags);
    try {
      if (this.#isNextPart(flags) && this.#read()) {
        this.isOpen = (flags & DELTA_LAST) === 0;
        return !this.isOpen;
      }
    } catch (error) {
      // A field holds more than 2^53 - 1: no exchange wrote that.
      if (!(error instanceof RangeError)) throw error;
    }
    this.brokenCount++;
    this.isOpen = false;
    return false;
  }

  #begin(flags: number): void {
    if (this.isOpen) this.brokenCount++;
    this.isOpen = true;
    this.isSnapshot = (flags & DELTA_SNAPSHOT) !== 0;
    this.isChained = (flags & DELTA_CHAINED) !== 0;
    this.bids.count = 0;
    this.asks.count = 0;
    this.#nextPart = 0;
  }

  #isNextPart(flags: number): boolean {
    const delta = this.#delta;
    if (!this.isOpen || delta.part !== this.#nextPart) return false;
    if (((flags & DELTA_SNAPSHOT) !== 0) !== this.isSnapshot) return false;
    if (((flags & DELTA_CHAINED) !== 0) !== this.isChained || !this.#isOfScale()) return false;
    if (this.#nextPart === 0) {
      this.firstUpdateId = delta.firstUpdateId;
      this.lastUpdateId = delta.lastUpdateId;
      this.previousUpdateId = delta.previousUpdateId;
      return this.firstUpdateId <= this.lastUpdateId;
    }
    return delta.firstUpdateId === this.firstUpdateId &&
      delta.lastUpdateId === this.lastUpdateId &&
      delta.previousUpdateId === this.previousUpdateId;
  }

  /** Scales never change: those of the first delta are those of all. */
  #isOfScale(): boolean {
    const { priceDecimals, quantityDecimals } = this.#delta;
    if (!this.#hasScales) {
      this.#hasScales = isDecimals(priceDecimals) && isDecimals(quantityDecimals);
      this.priceDecimals = priceDecimals;
      this.quantityDecimals = quantityDecimals;
      return this.#hasScales;
    }
    return priceDecimals === this.priceDecimals && quantityDecimals === this.quantityDecimals;
  }

  #read(): boolean {
    const delta = this.#delta;
    const { bidCount, askCount } = delta;
    if (bidCount + askCount > DELTA_LEVELS) return false;
    for (let index = 0; index < bidCount + askCount; index++) {
      const price = delta.prices(index);
      const quantity = delta.quantities(index);
      if (price < 0 || quantity < 0) return false;
      (index < bidCount ? this.bids : this.asks).push(price, quantity);
    }
    this.#nextPart++;
    return true;
  }
}

/**
 * Proof that a book is right: the exchange's own best bid and ask, and a fingerprint of the top.
 *
 * @module
 */

import { formatDecimal } from "../decimal.ts";
import type { OrderBook } from "./order_book.ts";

/** Columns of a row: update id, bid price and quantity, ask price and quantity. */
const ROW = 5;

/** Tickers remembered, and book states that wait for one. Arbitrary: several seconds of each. */
const ROWS_MAX = 1024;

/** What a {@linkcode TickerOracle} found. */
export interface TickerCounts {
  /** Book states compared with a ticker. */
  tickerChecked: number;
  /** Those of them that differed. */
  tickerWrong: number;
  /** Book states not compared: the ticker for them came before the first one that is remembered. */
  tickerSkipped: number;
}

/**
 * Checks a book against the exchange's book tickers.
 *
 * After an update with last id `u`, the best bid and ask must equal the newest ticker whose id is
 * not larger. Tickers and depth updates come by different streams, and either may be ahead: tickers
 * are remembered for late book states, and a book state waits until a ticker with a larger id shows
 * which one was the newest.
 *
 * Thread: the book's. Cost: a few comparisons, no allocation.
 */
export class TickerOracle {
  /** What was found so far. */
  readonly counts: TickerCounts = { tickerChecked: 0, tickerWrong: 0, tickerSkipped: 0 };
  readonly #tickers = new Float64Array(ROWS_MAX * ROW);
  /**
   * Tickers ever taken; the last `ROWS_MAX` of them are remembered, number n in row n % ROWS_MAX.
   */
  #tickerCount = 0;
  readonly #waiting = new Float64Array(ROWS_MAX * ROW);
  #waitingCount = 0;

  /** Takes a ticker's fields. One that is not newer than the last is ignored. */
  addTicker(
    updateId: number,
    bidPrice: number,
    bidQuantity: number,
    askPrice: number,
    askQuantity: number,
  ): void {
    if (updateId <= this.#newestId()) return;
    this.#checkWaiting(updateId);
    const at = (this.#tickerCount % ROWS_MAX) * ROW;
    setRow(this.#tickers, at, updateId, bidPrice, bidQuantity, askPrice, askQuantity);
    this.#tickerCount++;
  }

  /** Takes the book's state after an update; give it to the book as `onApplied`. */
  addBook(book: OrderBook): void {
    const { bids, asks, finalUpdateId } = book;
    if (this.#waitingCount === ROWS_MAX) this.#checkWaiting(Infinity);
    const [bidPrice, bidQuantity] = [bids.price(0), bids.quantity(0)];
    const at = this.#waitingCount * ROW;
    setRow(
      this.#waiting,
      at,
      finalUpdateId,
      bidPrice,
      bidQuantity,
      asks.price(0),
      asks.quantity(0),
    );
    this.#waitingCount++;
    this.#checkWaiting(this.#newestId());
  }

  /** Checks the states that still wait, when no ticker will come any more. */
  finish(): void {
    this.#checkWaiting(Infinity);
  }

  #newestId(): number {
    if (this.#tickerCount === 0) return 0;
    return this.#tickers[((this.#tickerCount - 1) % ROWS_MAX) * ROW]!;
  }

  /** Checks the waiting states older than `updateId`: no ticker to come can be theirs. */
  #checkWaiting(updateId: number): void {
    let checked = 0;
    while (checked < this.#waitingCount && this.#waiting[checked * ROW]! < updateId) {
      this.#check(checked * ROW);
      checked++;
    }
    if (checked === 0) return;
    this.#waiting.copyWithin(0, checked * ROW, this.#waitingCount * ROW);
    this.#waitingCount -= checked;
  }

  #check(at: number): void {
    const oldest = Math.max(0, this.#tickerCount - ROWS_MAX);
    let ticker = this.#tickerCount - 1;
    while (ticker >= oldest && this.#tickers[(ticker % ROWS_MAX) * ROW]! > this.#waiting[at]!) {
      ticker--;
    }
    if (ticker < oldest) {
      this.counts.tickerSkipped++;
      return;
    }
    this.counts.tickerChecked++;
    const row = (ticker % ROWS_MAX) * ROW;
    for (let column = 1; column < ROW; column++) {
      if (this.#waiting[at + column] === this.#tickers[row + column]) continue;
      this.counts.tickerWrong++;
      return;
    }
  }
}

function setRow(rows: Float64Array, at: number, ...columns: readonly number[]): void {
  for (let column = 0; column < ROW; column++) rows[at + column] = columns[column]!;
}

/**
 * Fingerprints the top of a book, so that two programs can compare theirs.
 *
 * @returns SHA-256, in hexadecimal, of up to 20 bids and then up to 20 asks, best first, one level
 * a line as `price quantity` with all decimals of the book's scales, without a newline at the end.
 */
export async function top20Sha256(book: OrderBook): Promise<string> {
  const { bids, asks } = book.top(20);
  const lines = [...bids, ...asks].map(({ price, quantity }) =>
    [
      formatDecimal(price, book.priceDecimals),
      formatDecimal(quantity, book.quantityDecimals),
    ].join(" ")
  );
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(lines.join("\n")));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

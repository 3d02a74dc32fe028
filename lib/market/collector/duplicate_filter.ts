/**
 * Tells what has come before.
 *
 * @module
 */

import { BookTicker, KIND_BOOK_TICKER, KIND_TRADE, messageKind, Trade } from "../layouts.ts";

/**
 * Trades that are remembered. Arbitrary: two connections deliver side by side for some seconds, and
 * the busiest instruments have some thousand trades in one.
 */
const TRADES_KEPT = 16 * 1024;

/**
 * Sees one instrument's trades and book tickers that came twice, as they do while two connections
 * deliver. A late trade is none of them; a ticker that is older than the last one counts as one.
 * Depth updates may repeat: a book drops what it has by their ids.
 */
export class DuplicateFilter {
  /** Records that had come before. */
  duplicates = 0;
  readonly #trade = Trade.accessor();
  readonly #ticker = BookTicker.accessor();
  /** The last trade for each remainder of its id. */
  readonly #tradeIds = new Float64Array(TRADES_KEPT).fill(-1);
  #tickerId = -1;

  /** Takes note of a record. Returns whether it is new. */
  isNew(view: DataView, offset: number): boolean {
    const kind = messageKind(view, offset);
    let isNew = true;
    if (kind === KIND_TRADE) {
      const { tradeId } = this.#trade.wrap(view, offset);
      isNew = this.#tradeIds[tradeId % TRADES_KEPT] !== tradeId;
      this.#tradeIds[tradeId % TRADES_KEPT] = tradeId;
    } else if (kind === KIND_BOOK_TICKER) {
      const { updateId } = this.#ticker.wrap(view, offset);
      isNew = updateId > this.#tickerId;
      if (isNew) this.#tickerId = updateId;
    }
    if (!isNew) this.duplicates++;
    return isNew;
  }
}

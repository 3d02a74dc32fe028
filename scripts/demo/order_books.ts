/**
 * The demo's order-book builder: a book for each instrument, checked against the exchange's own
 * best bid and ask. It may not lose a message, so it holds the collector back when it is slow.
 *
 * @module
 */

import {
  BookTicker,
  DELTA_FIRST,
  formatDecimal,
  KIND_BOOK_TICKER,
  KIND_TRADE,
  type Level,
  messageKind,
  OrderBook,
  OrderBookDelta,
  TickerOracle,
  top20Sha256,
  Trade,
} from "../../lib/market/mod.ts";
import type { Message } from "../../mod.ts";
import { runChild, tell } from "./_child.ts";
import { runConsumer, type Work } from "./_consumer.ts";
import { ExactSum } from "./_exact_sum.ts";
import { type LevelText, type MarketFigures, ORDER_BOOK } from "./_protocol.ts";

/** Everything about one instrument. */
class Market {
  readonly oracle = new TickerOracle();
  readonly book: OrderBook;
  readonly tradedQuantity = new ExactSum();
  trades = 0;
  messages = 0;

  constructor(instrumentId: number) {
    const onApplied = (book: OrderBook) => this.oracle.addBook(book);
    this.book = new OrderBook(instrumentId, { onApplied });
  }

  levelText(level: Level | undefined): LevelText | null {
    if (level === undefined) return null;
    const { priceDecimals, quantityDecimals } = this.book;
    return [
      formatDecimal(level.price, priceDecimals),
      formatDecimal(level.quantity, quantityDecimals),
    ];
  }

  async figures(): Promise<MarketFigures> {
    const { book, oracle } = this;
    oracle.finish();
    const { depthApplied, depthDropped, gaps, ...counts } = book.counts;
    return {
      instrumentId: book.instrumentId,
      messages: this.messages,
      trades: this.trades,
      tradedQuantityE8: `${this.tradedQuantity.value}`,
      depthApplied,
      depthDropped,
      gaps,
      snapshotsApplied: counts.snapshotsApplied,
      snapshotsRefused: counts.snapshotsRefused,
      brokenUpdates: counts.broken,
      isInStep: book.isInStep,
      finalUpdateId: book.finalUpdateId,
      bidLevels: book.levels.bids,
      askLevels: book.levels.asks,
      bestBid: this.levelText(book.bestBid()),
      bestAsk: this.levelText(book.bestAsk()),
      ...oracle.counts,
      top20Sha256: await top20Sha256(book),
    };
  }
}

class OrderBooks implements Work {
  readonly name = ORDER_BOOK;
  readonly onSlow = "block";
  readonly view = true;
  readonly #trade = Trade.accessor();
  readonly #ticker = BookTicker.accessor();
  readonly #delta = OrderBookDelta.accessor();
  /** By instrument id, from 1 on: the collector gives them in the order in which records come. */
  readonly #markets: Market[] = [];

  take({ view, offset, length }: Message): void {
    const kind = messageKind(view, offset);
    if (kind === KIND_TRADE) this.#takeTrade(view, offset, length);
    else if (kind === KIND_BOOK_TICKER) this.#takeTicker(view, offset, length);
    else this.#takeDelta(view, offset, length);
  }

  #takeTrade(view: DataView, offset: number, length: number): void {
    const trade = this.#trade.wrap(view, offset, length);
    const market = this.#market(trade.instrumentId);
    market.messages++;
    market.trades++;
    market.tradedQuantity.add(trade.quantity);
  }

  #takeTicker(view: DataView, offset: number, length: number): void {
    const ticker = this.#ticker.wrap(view, offset, length);
    const market = this.#market(ticker.instrumentId);
    market.messages++;
    const { updateId, bidPrice, bidQuantity, askPrice, askQuantity } = ticker;
    market.oracle.addTicker(updateId, bidPrice, bidQuantity, askPrice, askQuantity);
  }

  #takeDelta(view: DataView, offset: number, length: number): void {
    const { instrumentId, flags } = this.#delta.wrap(view, offset, length);
    const market = this.#market(instrumentId);
    if ((flags & DELTA_FIRST) !== 0) market.messages++;
    market.book.apply(view, offset, length);
  }

  #market(instrumentId: number): Market {
    return this.#markets[instrumentId - 1] ??= new Market(instrumentId);
  }

  /** The book of the first instrument, for people to watch. */
  tellProgress(): void {
    const market = this.#markets[0];
    if (market === undefined) return;
    const { book } = market;
    const [bid, ask] = [market.levelText(book.bestBid()), market.levelText(book.bestAsk())];
    tell({ event: "top", bid, ask });
  }

  async figures(): Promise<MarketFigures[]> {
    return await Promise.all(this.#markets.map((market) => market.figures()));
  }
}

if (import.meta.main) await runChild((settings) => runConsumer(settings, new OrderBooks()));

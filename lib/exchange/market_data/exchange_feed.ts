/**
 * One market out of the messages that a collector writes down from an exchange.
 *
 * @module
 */

import { DeltaAssembler } from "../../market/book/delta_assembler.ts";
import { KIND_ORDER_BOOK_DELTA, KIND_TRADE, messageKind, Trade } from "../../market/layouts.ts";
import { BOOK_APPLIED, OrderBook } from "../../market/book/order_book.ts";
import type { InstrumentFeed } from "./instrument_feed.ts";
import type { FeedMessage, MarketFeed } from "./market_feed.ts";
import { SIDE_BUY, SIDE_SELL } from "../orders.ts";

/** Bytes in which every message begins with its kind. */
const KIND_BYTES = 2;

/**
 * Takes a collector's messages into a feed. The book is complete while it is in step with the
 * exchange; when it falls out of step it is empty until the exchange's next snapshot.
 *
 * Thread: its isolate's only.
 */
export class ExchangeFeed {
  readonly #feed: MarketFeed;
  readonly #market: InstrumentFeed;
  readonly #book: OrderBook;
  /** The update that the book takes, as the book does not tell what it has changed. */
  readonly #update = new DeltaAssembler();
  readonly #trade = Trade.accessor();

  /**
   * Takes a market over.
   *
   * @throws {RangeError} If there is no such instrument.
   */
  constructor(feed: MarketFeed, symbol: string) {
    this.#feed = feed;
    this.#market = feed.foreignMarket(symbol);
    this.#book = new OrderBook(this.#market.instrument.id);
  }

  /** Takes one message of the market's channel, whatever its bytes are. */
  apply(message: FeedMessage): void {
    const { view, offset, length, sequence } = message;
    try {
      const kind = length < KIND_BYTES ? 0 : messageKind(view, offset);
      if (kind === KIND_TRADE) this.#addTrade(message);
      else if (kind === KIND_ORDER_BOOK_DELTA) this.#change(message);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error; // Too short, or another instrument's.
      this.#feed.counts.malformed++;
      return;
    }
    this.#feed.counts.events++;
    this.#market.advance(sequence);
  }

  #addTrade({ view, offset, length, sequence }: FeedMessage): void {
    const trade = this.#trade.wrap(view, offset, length);
    const { price, quantity, isBuyerMaker } = trade;
    this.#check(trade.instrumentId, trade.priceDecimals, trade.quantityDecimals);
    if (price <= 0 || quantity <= 0) throw new RangeError("Cannot take a trade of nothing");
    const timeMs = Math.max(0, Math.floor(trade.tradeTimeUs / 1000));
    const side = isBuyerMaker ? SIDE_SELL : SIDE_BUY;
    this.#market.addTrade({ sequence, price, quantity, side, timeMs });
    this.#feed.counts.trades++;
  }

  #change({ view, offset, length }: FeedMessage): void {
    const [book, update, market] = [this.#book, this.#update, this.#market];
    const { id } = market.instrument;
    if (update.add(view, offset, length, id)) {
      this.#check(id, update.priceDecimals, update.quantityDecimals);
    }
    const wasInStep = book.isInStep;
    const isApplied = book.apply(view, offset, length) === BOOK_APPLIED;
    if (isApplied && wasInStep && !update.isSnapshot) {
      const { bids, asks } = update;
      for (let at = 0; at < bids.count; at++) {
        market.setLevel(SIDE_BUY, bids.prices[at]!, bids.quantities[at]!);
      }
      for (let at = 0; at < asks.count; at++) {
        market.setLevel(SIDE_SELL, asks.prices[at]!, asks.quantities[at]!);
      }
    } else if (isApplied || wasInStep && !book.isInStep) {
      market.replaceBook(book.bids, book.asks, book.isInStep);
    }
  }

  #check(id: number, priceDecimals: number, quantityDecimals: number): void {
    const { instrument } = this.#market;
    const isOurs = id === instrument.id && priceDecimals === instrument.priceDecimals &&
      quantityDecimals === instrument.quantityDecimals;
    if (!isOurs) throw new RangeError(`Cannot take a message of another instrument or scale`);
  }
}

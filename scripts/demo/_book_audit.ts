/**
 * The judgement over a feed: a book of its own, made of the collector's channel, against the best
 * bid and ask that the exchange itself has told.
 *
 * @module
 */

import {
  BookTicker,
  DELTA_FIRST,
  formatDecimal,
  type Instrument,
  KIND_BOOK_TICKER,
  KIND_ORDER_BOOK_DELTA,
  KIND_TRADE,
  type Level,
  messageKind,
  OrderBook,
  OrderBookDelta,
  type ReadonlyBookSide,
  TickerOracle,
  top20Sha256,
  Trade,
} from "../../lib/market/mod.ts";
import type { Message } from "../../mod.ts";
import type { BookText, LevelText } from "./_market_data_client.ts";

/** What was found of one instrument. */
export interface FeedFigures {
  /** Messages of the exchange, however many records each became. */
  messages: number;
  trades: number;
  /** Sum of the trades' quantities. */
  tradedQuantity: string;
  /** Depth updates that changed the book, and those that were older than its snapshot. */
  depthApplied: number;
  depthDropped: number;
  /** Times that updates were missing. */
  gaps: number;
  /** Updates of which a part was missing. */
  brokenUpdates: number;
  /** Whether the book is the exchange's; else it waits for a snapshot. */
  isInStep: boolean;
  finalUpdateId: number;
  bidLevels: number;
  askLevels: number;
  bestBid: LevelText | null;
  bestAsk: LevelText | null;
  /** Book states compared with the exchange's best bid and ask, and those that differed. */
  tickerChecked: number;
  tickerWrong: number;
  /** SHA-256 of the best 20 levels of each side. */
  top20Sha256: string;
}

/** Follows one instrument. */
export class BookAudit {
  readonly #instrument: Instrument;
  readonly #oracle = new TickerOracle();
  readonly #book: OrderBook;
  readonly #trade = Trade.accessor();
  readonly #ticker = BookTicker.accessor();
  readonly #delta = OrderBookDelta.accessor();
  #messages = 0;
  #trades = 0;
  /** Exceeds 2^53 where the single quantities do not. */
  #quantity = 0n;

  /** Begins with an empty book. */
  constructor(instrument: Instrument) {
    this.#instrument = instrument;
    const onApplied = (book: OrderBook) => this.#oracle.addBook(book);
    this.#book = new OrderBook(instrument.id, { onApplied });
  }

  /** Takes a message of the collector's channel. */
  take({ view, offset, length }: Message): void {
    switch (messageKind(view, offset)) {
      case KIND_TRADE:
        this.#messages++;
        this.#trades++;
        this.#quantity += BigInt(this.#trade.wrap(view, offset, length).quantity);
        break;
      case KIND_BOOK_TICKER: {
        this.#messages++;
        const ticker = this.#ticker.wrap(view, offset, length);
        const { updateId, bidPrice, bidQuantity, askPrice, askQuantity } = ticker;
        this.#oracle.addTicker(updateId, bidPrice, bidQuantity, askPrice, askQuantity);
        break;
      }
      case KIND_ORDER_BOOK_DELTA:
        if ((this.#delta.wrap(view, offset, length).flags & DELTA_FIRST) !== 0) this.#messages++;
        this.#book.apply(view, offset, length);
    }
  }

  /** The best bid and ask, for people to watch. */
  get top(): string {
    const [bid, ask] = [this.#book.bestBid(), this.#book.bestAsk()].map((level) =>
      this.#levelText(level)?.[0] ?? "none"
    );
    return `bid ${bid}, ask ${ask}`;
  }

  /** Whether another book has the same levels, as far as it tells them. */
  isSame({ bids, asks }: BookText): boolean {
    const book = this.#book;
    return this.#isSameSide(book.bids, bids) && this.#isSameSide(book.asks, asks);
  }

  #isSameSide(side: ReadonlyBookSide, told: readonly LevelText[]): boolean {
    if (side.count !== told.length) return false;
    return told.every(([price, quantity], depth) => {
      const own = this.#levelText({ price: side.price(depth), quantity: side.quantity(depth) });
      return Number(own![0]) === Number(price) && Number(own![1]) === Number(quantity);
    });
  }

  #levelText(level: Level | undefined): LevelText | null {
    if (level === undefined) return null;
    const { priceDecimals, quantityDecimals } = this.#instrument;
    return [
      formatDecimal(level.price, priceDecimals),
      formatDecimal(level.quantity, quantityDecimals),
    ];
  }

  /** What was found. Nothing is taken afterwards. */
  async figures(): Promise<FeedFigures> {
    this.#oracle.finish();
    const book = this.#book;
    const { depthApplied, depthDropped, gaps, broken } = book.counts;
    const { tickerChecked, tickerWrong } = this.#oracle.counts;
    return {
      messages: this.#messages,
      trades: this.#trades,
      tradedQuantity: this.#quantityText(),
      ...{ depthApplied, depthDropped, gaps, brokenUpdates: broken },
      isInStep: book.isInStep,
      finalUpdateId: book.finalUpdateId,
      bidLevels: book.bids.count,
      askLevels: book.asks.count,
      bestBid: this.#levelText(book.bestBid()),
      bestAsk: this.#levelText(book.bestAsk()),
      ...{ tickerChecked, tickerWrong },
      top20Sha256: await top20Sha256(book),
    };
  }

  #quantityText(): string {
    const { quantityDecimals } = this.#instrument;
    const digits = `${this.#quantity}`.padStart(quantityDecimals + 1, "0");
    const point = digits.length - quantityDecimals;
    return quantityDecimals === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
  }
}

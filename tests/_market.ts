/**
 * What the market tests share: messages in Binance's words, and a normaliser that keeps records.
 *
 * @module
 */

import { BinanceNormaliser, ScratchSink } from "../lib/market/binance/binance.ts";
import {
  type Instrument,
  type InstrumentFinder,
  UNTOLD_SCALES,
} from "../lib/market/instruments.ts";
import {
  BookTicker,
  KIND_BOOK_TICKER,
  KIND_TRADE,
  messageKind,
  OrderBookDelta,
  Trade,
} from "../lib/market/layouts.ts";
import type { OrderBook } from "../lib/market/book/order_book.ts";
import type { TickerOracle } from "../lib/market/book/ticker_oracle.ts";

/** Price and quantity as the exchange writes them. */
export type LevelText = [price: string, quantity: string];

/** The id that every symbol has in these tests. */
export const INSTRUMENT = 7;

/** Finds every symbol, as that one instrument. */
export function oneInstrument(scales = UNTOLD_SCALES): InstrumentFinder & { found: Instrument } {
  const found = { id: INSTRUMENT, symbol: "BTCUSDT", ...scales };
  return { found, find: () => found };
}

/** A depth update as Binance's spot market sends it. */
export function depthText(first: number, last: number, b: LevelText[], a: LevelText[]): string {
  return JSON.stringify({ e: "depthUpdate", E: 1, s: "BTCUSDT", U: first, u: last, b, a });
}

/** A depth update as Binance's USD-M futures send it. */
export function futuresText(
  [first, last, previous]: readonly [first: number, last: number, previous: number],
  b: LevelText[],
  a: LevelText[],
): string {
  const ids = { U: first, u: last, pu: previous };
  return JSON.stringify({ e: "depthUpdate", E: 1, T: 1, s: "BTCUSDT", ...ids, b, a });
}

/** A REST snapshot as Binance sends it. */
export function snapshotText(lastUpdateId: number, bids: LevelText[], asks: LevelText[]): string {
  return JSON.stringify({ lastUpdateId, bids, asks });
}

/** A normaliser that keeps copies of the records it publishes. */
export class Recorder {
  readonly records: DataView[] = [];
  readonly normaliser: BinanceNormaliser;

  constructor(instruments: InstrumentFinder = oneInstrument()) {
    const sink = new ScratchSink((view, offset, sizeBytes) => {
      this.records.push(new DataView(view.buffer.slice(offset, offset + sizeBytes) as ArrayBuffer));
      memory.fill(0xa5);
    });
    // As in a ring, where the bytes of an earlier lap must not show through.
    const memory = new Uint8Array(sink.view.buffer).fill(0xa5);
    this.normaliser = new BinanceNormaliser({ sink, instruments, symbol: "BTCUSDT" });
  }

  /** Normalises one message and returns the records that it became. */
  take(json: string, receiveUs = 0): DataView[] {
    this.records.length = 0;
    this.normaliser.normalise(json, receiveUs);
    return [...this.records];
  }
}

/** Normalises messages and gives each delta to the book; returns the result for the last one. */
export function feedBook(book: OrderBook, ...messages: string[]): number {
  const recorder = new Recorder();
  let result = NaN;
  for (const message of messages) {
    for (const record of recorder.take(message)) result = book.apply(record, 0);
  }
  return result;
}

/** Normaliser, book and oracle in a row, as a market-data service has them. */
export class Pipeline {
  readonly normaliser: BinanceNormaliser;
  /** Sum of all traded quantities, in units of 10^-8. */
  tradedQuantity = 0;

  constructor(book: OrderBook, oracle: TickerOracle) {
    const trade = Trade.accessor();
    const ticker = BookTicker.accessor();
    const sink = new ScratchSink((view, offset) => {
      const kind = messageKind(view, offset);
      if (kind === KIND_TRADE) this.tradedQuantity += trade.wrap(view, offset).quantity;
      else if (kind === KIND_BOOK_TICKER) {
        ticker.wrap(view, offset);
        const { updateId, bidPrice, bidQuantity, askPrice, askQuantity } = ticker;
        oracle.addTicker(updateId, bidPrice, bidQuantity, askPrice, askQuantity);
      } else book.apply(view, offset, OrderBookDelta.sizeBytes);
    });
    const instruments = oneInstrument();
    this.normaliser = new BinanceNormaliser({ sink, instruments, symbol: "BTCUSDT" });
  }
}

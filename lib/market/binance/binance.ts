/**
 * Turns Binance's market data, spot and USD-M futures, into the fixed layouts of `layouts.ts`, in
 * place.
 *
 * @module
 */

import {
  FIELD_ASK_PRICE,
  FIELD_ASK_QUANTITY,
  FIELD_BID_PRICE,
  FIELD_BID_QUANTITY,
  FIELD_EVENT_TIME,
  FIELD_FIRST_ID,
  FIELD_IS_BUYER_MAKER,
  FIELD_LAST_ID,
  FIELD_PREVIOUS_ID,
  FIELD_PRICE,
  FIELD_QUANTITY,
  FIELD_SNAPSHOT_ID,
  FIELD_TRADE_ID,
  FIELD_TRADE_TIME,
  SHAPE_BOOK_TICKER,
  SHAPE_CHAINED_UPDATE,
  SHAPE_INCOMPLETE,
  SHAPE_INEXACT,
  SHAPE_MALFORMED,
  SHAPE_NO_INSTRUMENT,
  SHAPE_SNAPSHOT,
  SHAPE_TRADE,
} from "./binance_fields.ts";
import { BinanceMessage } from "./binance_message.ts";
import type { Instrument, InstrumentFinder } from "../instruments.ts";
import {
  BookTicker,
  DELTA_CHAINED,
  DELTA_FIRST,
  DELTA_LAST,
  DELTA_LEVELS,
  DELTA_SNAPSHOT,
  KIND_BOOK_TICKER,
  KIND_ORDER_BOOK_DELTA,
  KIND_TRADE,
  OrderBookDelta,
  Trade,
} from "../layouts.ts";
import { SymbolTable } from "./symbol_table.ts";

/**
 * Where normalised records go: memory claimed from a channel, or a {@linkcode ScratchSink}.
 *
 * After `claim` returned true, `view` and `offset` say where the record is to be written; then
 * comes `publish`, before the next `claim`.
 */
export interface RecordSink {
  /** Memory of the last claim. */
  readonly view: DataView;
  /** Where in `view` the claimed bytes start. */
  readonly offset: number;
  /**
   * Reserves the bytes of one record of an instrument. False = no room: the rest of this message
   * is given up.
   */
  claim(sizeBytes: number, instrumentId: number): boolean;
  /** Makes the claimed record visible. */
  publish(): void;
}

/** A sink in private memory that hands each record to a function. */
export class ScratchSink implements RecordSink {
  readonly view: DataView = new DataView(new ArrayBuffer(OrderBookDelta.sizeBytes));
  readonly offset = 0;
  readonly #handler: (view: DataView, offset: number, sizeBytes: number) => void;
  #sizeBytes = 0;

  /** The handler's bytes are valid during the call: the next record overwrites them. */
  constructor(handler: (view: DataView, offset: number, sizeBytes: number) => void) {
    this.#handler = handler;
  }

  /** Always has room for one market-data message. */
  claim(sizeBytes: number): boolean {
    this.#sizeBytes = sizeBytes;
    return sizeBytes <= this.view.byteLength;
  }

  /** Calls the handler. */
  publish(): void {
    this.#handler(this.view, this.offset, this.#sizeBytes);
  }
}

/** What became of the messages: each one counts in `messages` and in exactly one of the others. */
export interface BinanceCounts {
  /** All messages. */
  messages: number;
  /** Published: trades. */
  trades: number;
  /** Published: depth updates, however many deltas each became. */
  depthUpdates: number;
  /** Published: book tickers. */
  bookTickers: number;
  /** Published: snapshots, however many deltas each became. */
  snapshots: number;
  /** Dropped: no JSON object. */
  malformed: number;
  /** Dropped: JSON, but no message that is normalised here. */
  unknown: number;
  /** Dropped: a field is missing or of the wrong type. */
  incomplete: number;
  /** Dropped: a number that is no plain decimal, or not exact in its scale up to 2^53 - 1. */
  inexact: number;
  /** Dropped: nobody knows its symbol, or none was told. */
  unknownInstrument: number;
  /** Given up, perhaps after some of its deltas, because the sink had no room. */
  backPressured: number;
}

/** What a {@linkcode BinanceNormaliser} needs. */
export interface BinanceNormaliserOptions {
  /** Takes the records. */
  readonly sink: RecordSink;
  /** Knows the ids and scales of symbols such as `"BTCUSDT"`. Asked once per known symbol. */
  readonly instruments: InstrumentFinder;
  /** Symbol of messages that tell none, which are REST snapshots. */
  readonly symbol?: string;
}

/**
 * Normalises messages of the streams `trade`, `depth` and `bookTicker` and of the REST depth
 * snapshot, of the spot market or USD-M futures, raw or in the combined form
 * `{"stream":…,"data":…}`.
 *
 * A message that cannot be used is counted by cause and never throws. A depth update with more than
 * 12 levels becomes several deltas. It does not check update ids: that is the order book's part.
 *
 * Thread: one. Cost: less than `JSON.parse` alone takes, and nothing is allocated but what
 * `TextEncoder.encodeInto` returns.
 *
 * @example One trade
 * ```ts
 * import { BinanceNormaliser, formatDecimal, ScratchSink, Trade } from "message_transport/market";
 * import { assertEquals } from "@std/assert";
 *
 * const trade = Trade.accessor();
 * const prices: string[] = [];
 * const sink = new ScratchSink((view, offset) => {
 *   trade.wrap(view, offset);
 *   prices.push(formatDecimal(trade.price, trade.priceDecimals));
 * });
 * const bitcoin = { id: 1, symbol: "BTCUSDT", priceDecimals: 2, quantityDecimals: 5 };
 * const normaliser = new BinanceNormaliser({ sink, instruments: { find: () => bitcoin } });
 * normaliser.normalise(
 *   '{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":7,"p":"61837.63000000","q":"0.02000000",' +
 *     '"T":1723161255342,"m":true,"M":true}',
 *   1_723_161_254_087_896,
 * );
 * assertEquals(prices, ["61837.63"]);
 * ```
 */
export class BinanceNormaliser {
  /** What became of the messages so far. */
  readonly counts: BinanceCounts = {
    messages: 0,
    trades: 0,
    depthUpdates: 0,
    bookTickers: 0,
    snapshots: 0,
    malformed: 0,
    unknown: 0,
    incomplete: 0,
    inexact: 0,
    unknownInstrument: 0,
    backPressured: 0,
  };

  readonly #message: BinanceMessage;
  readonly #trade = Trade.accessor();
  readonly #ticker = BookTicker.accessor();
  readonly #delta = OrderBookDelta.accessor();
  readonly #sink: RecordSink;
  readonly #symbol: string;

  /** Makes a normaliser that publishes into `options.sink`. */
  constructor(options: BinanceNormaliserOptions) {
    this.#sink = options.sink;
    this.#message = new BinanceMessage(new SymbolTable(options.instruments));
    this.#symbol = options.symbol ?? "";
  }

  /**
   * Normalises one message and publishes what it says.
   *
   * @param json The message as it came.
   * @param receiveUs When it came, in whole microseconds since 1970; 0 = unknown.
   * @param symbol Symbol of a message that tells none, instead of the one in the options.
   * @returns How many records were published; 0 for a message that was dropped, see `counts`.
   * @throws {RangeError} If `receiveUs` is no whole number, or an instrument's id is no u32.
   */
  normalise(json: string, receiveUs: number, symbol: string = this.#symbol): number {
    if (!Number.isSafeInteger(receiveUs)) {
      throw new RangeError(
        `Cannot normalise a message as received in whole microseconds: found ${receiveUs}`,
      );
    }
    const { counts } = this;
    counts.messages++;
    const message = this.#message;
    const shape = message.parse(json, symbol);
    if (shape < 0) return this.#dropped(shape);
    const { instrument } = message;
    switch (shape) {
      case SHAPE_TRADE:
        return this.#publishTrade(instrument, receiveUs);
      case SHAPE_BOOK_TICKER:
        return this.#publishTicker(instrument, receiveUs);
      default:
        return this.#publishLevels(shape, instrument, receiveUs);
    }
  }

  #dropped(shape: number): 0 {
    if (shape === SHAPE_MALFORMED) this.counts.malformed++;
    else if (shape === SHAPE_INCOMPLETE) this.counts.incomplete++;
    else if (shape === SHAPE_INEXACT) this.counts.inexact++;
    else if (shape === SHAPE_NO_INSTRUMENT) this.counts.unknownInstrument++;
    else this.counts.unknown++;
    return 0;
  }

  #publishTrade(instrument: Instrument, receiveUs: number): number {
    const message = this.#message;
    const sink = this.#sink;
    if (!sink.claim(Trade.sizeBytes, instrument.id)) return this.#givenUp(0);
    const trade = this.#trade.wrap(sink.view, sink.offset);
    trade.kind = KIND_TRADE;
    trade.priceDecimals = instrument.priceDecimals;
    trade.quantityDecimals = instrument.quantityDecimals;
    trade.instrumentId = instrument.id;
    trade.eventTimeUs = message.value(FIELD_EVENT_TIME);
    trade.receiveTimeUs = receiveUs;
    trade.tradeId = message.value(FIELD_TRADE_ID);
    trade.price = message.value(FIELD_PRICE);
    trade.quantity = message.value(FIELD_QUANTITY);
    trade.tradeTimeUs = message.value(FIELD_TRADE_TIME);
    trade.isBuyerMaker = message.value(FIELD_IS_BUYER_MAKER) === 1;
    trade.reserved0 = 0;
    trade.reserved1 = 0;
    trade.reserved2 = 0;
    sink.publish();
    this.counts.trades++;
    return 1;
  }

  #publishTicker(instrument: Instrument, receiveUs: number): number {
    const message = this.#message;
    const sink = this.#sink;
    if (!sink.claim(BookTicker.sizeBytes, instrument.id)) return this.#givenUp(0);
    const ticker = this.#ticker.wrap(sink.view, sink.offset);
    ticker.kind = KIND_BOOK_TICKER;
    ticker.priceDecimals = instrument.priceDecimals;
    ticker.quantityDecimals = instrument.quantityDecimals;
    ticker.instrumentId = instrument.id;
    ticker.eventTimeUs = message.value(FIELD_EVENT_TIME);
    ticker.receiveTimeUs = receiveUs;
    ticker.updateId = message.value(FIELD_LAST_ID);
    ticker.bidPrice = message.value(FIELD_BID_PRICE);
    ticker.bidQuantity = message.value(FIELD_BID_QUANTITY);
    ticker.askPrice = message.value(FIELD_ASK_PRICE);
    ticker.askQuantity = message.value(FIELD_ASK_QUANTITY);
    sink.publish();
    this.counts.bookTickers++;
    return 1;
  }

  #publishLevels(shape: number, instrument: Instrument, receiveUs: number): number {
    const message = this.#message;
    const isSnapshot = shape === SHAPE_SNAPSHOT;
    const lastId = message.value(isSnapshot ? FIELD_SNAPSHOT_ID : FIELD_LAST_ID);
    const firstId = isSnapshot ? lastId : message.value(FIELD_FIRST_ID);
    const isChained = shape === SHAPE_CHAINED_UPDATE;
    const kindFlags = (isSnapshot ? DELTA_SNAPSHOT : 0) | (isChained ? DELTA_CHAINED : 0);
    const count = message.bids.count + message.asks.count;
    const parts = Math.max(1, Math.ceil(count / DELTA_LEVELS));
    for (let part = 0; part < parts; part++) {
      const sink = this.#sink;
      if (!sink.claim(OrderBookDelta.sizeBytes, instrument.id)) return this.#givenUp(part);
      const delta = this.#delta.wrap(sink.view, sink.offset);
      delta.kind = KIND_ORDER_BOOK_DELTA;
      delta.priceDecimals = instrument.priceDecimals;
      delta.quantityDecimals = instrument.quantityDecimals;
      delta.instrumentId = instrument.id;
      delta.eventTimeUs = message.value(FIELD_EVENT_TIME);
      delta.receiveTimeUs = receiveUs;
      delta.firstUpdateId = firstId;
      delta.lastUpdateId = lastId;
      delta.part = part;
      delta.flags = (part === 0 ? DELTA_FIRST : 0) | (part === parts - 1 ? DELTA_LAST : 0) |
        kindFlags;
      delta.reserved0 = 0;
      delta.previousUpdateId = isChained ? message.value(FIELD_PREVIOUS_ID) : 0;
      delta.reserved1 = 0;
      this.#fillLevels(part * DELTA_LEVELS);
      sink.publish();
    }
    if (isSnapshot) this.counts.snapshots++;
    else this.counts.depthUpdates++;
    return parts;
  }

  /** Writes 12 levels, bids before asks, from the given one on, and zeros where there are none. */
  #fillLevels(start: number): void {
    const { bids, asks } = this.#message;
    const delta = this.#delta;
    const bidCount = Math.min(DELTA_LEVELS, Math.max(0, bids.count - start));
    const askStart = start + bidCount - bids.count;
    const askCount = Math.min(DELTA_LEVELS - bidCount, Math.max(0, asks.count - askStart));
    delta.bidCount = bidCount;
    delta.askCount = askCount;
    let slot = 0;
    for (; slot < bidCount; slot++) {
      delta.setPrices(slot, bids.prices[start + slot]!);
      delta.setQuantities(slot, bids.quantities[start + slot]!);
    }
    for (let index = 0; index < askCount; index++, slot++) {
      delta.setPrices(slot, asks.prices[askStart + index]!);
      delta.setQuantities(slot, asks.quantities[askStart + index]!);
    }
    for (; slot < DELTA_LEVELS; slot++) {
      delta.setPrices(slot, 0);
      delta.setQuantities(slot, 0);
    }
  }

  #givenUp(published: number): number {
    this.counts.backPressured++;
    return published;
  }
}

/**
 * Market data as JSON text: what goes to clients of the stream, and into answers of the REST API.
 *
 * Written by hand: the same few shapes come again and again, and but for the symbol they are
 * digits. A price has all decimals of its instrument, a quantity only those that are not 0.
 *
 * @module
 */

import type { ReadonlyBookSide } from "../../market/book/book_side.ts";
import { formatDecimal } from "../../market/decimal.ts";
import type { Instrument } from "../../market/instruments.ts";
import type { FeedUpdate, InstrumentFeed, LevelChanges } from "./instrument_feed.ts";
import { SIDE_BUY } from "../orders.ts";
import type { TradeTape } from "./trade_tape.ts";

/** Trades in a snapshot, and in an update of a client that lags. */
export const TRADES_SENT_MAX = 100;

/**
 * A snapshot: the whole book as of the last flush, and the last trades. Assumes that nothing has
 * changed since that flush.
 *
 * @param epoch Of the feed: with the market's generation, it tells books of different runs apart.
 */
export function snapshotText(market: InstrumentFeed, epoch: string): string {
  const { instrument, tape } = market;
  const from = Math.max(tape.firstNumber, tape.lastNumber - TRADES_SENT_MAX + 1);
  return `{"type":"snapshot","symbol":${JSON.stringify(instrument.symbol)},` +
    `"epoch":"${epochOf(market, epoch)}","sequence":${market.flushedSequence},` +
    `"isComplete":${market.isComplete},${bookText(market, Infinity)},` +
    `"lastTrade":${tape.lastNumber},"trades":${tradesText(tape, instrument, from)}}`;
}

/** Names a generation of a feed's run. */
export function epochOf(market: InstrumentFeed, epoch: string): string {
  return `${epoch}.${market.generation}`;
}

/**
 * An update. Where it would have more trades than it may, it has the newest ones, and
 * `tradesOmitted` says how many are left out.
 *
 * @param tradesMax Trades at most.
 */
export function updateText(market: InstrumentFeed, update: FeedUpdate, tradesMax: number): string {
  const { instrument, tape } = market;
  const { from, to, bids, asks, tradesAfter, tradesTo } = update;
  const first = Math.max(tradesAfter + 1, tape.firstNumber, tradesTo - tradesMax + 1);
  const omitted = first - tradesAfter - 1;
  return `{"type":"update","symbol":${
    JSON.stringify(instrument.symbol)
  },"from":${from},"to":${to},` +
    `"bids":${changesText(bids, instrument)},"asks":${changesText(asks, instrument)},` +
    `"lastTrade":${tradesTo},${omitted > 0 ? `"tradesOmitted":${omitted},` : ""}` +
    `"trades":${tradesText(tape, instrument, first, tradesTo)}}`;
}

/** The members `bids` and `asks`, best level first. */
export function bookText({ instrument, bids, asks }: InstrumentFeed, depth: number): string {
  return `"bids":${sideText(bids, instrument, depth)},"asks":${sideText(asks, instrument, depth)}`;
}

/** An array of trades, the oldest first. */
export function tradesText(
  tape: TradeTape,
  { priceDecimals, quantityDecimals }: Instrument,
  from: number,
  to: number = tape.lastNumber,
): string {
  const texts: string[] = [];
  for (let number = from; number <= to; number++) {
    const { sequence, price, quantity, side, timeMs } = tape.at(number);
    texts.push(
      `{"number":${number},"sequence":${sequence},` +
        `"price":"${formatDecimal(price, priceDecimals)}",` +
        `"quantity":"${formatDecimal(quantity, quantityDecimals, 0)}",` +
        `"side":"${side === SIDE_BUY ? "buy" : "sell"}","timeMs":${timeMs}}`,
    );
  }
  return `[${texts.join(",")}]`;
}

function sideText(side: ReadonlyBookSide, instrument: Instrument, depth: number): string {
  const texts: string[] = [];
  for (let at = 0; at < side.count && at < depth; at++) {
    texts.push(levelText(side.price(at), side.quantity(at), instrument));
  }
  return `[${texts.join(",")}]`;
}

function changesText(changes: LevelChanges, instrument: Instrument): string {
  const texts: string[] = [];
  for (const [price, quantity] of changes) texts.push(levelText(price, quantity, instrument));
  return `[${texts.join(",")}]`;
}

function levelText(price: number, quantity: number, instrument: Instrument): string {
  const { priceDecimals, quantityDecimals } = instrument;
  return `["${formatDecimal(price, priceDecimals)}","${
    formatDecimal(quantity, quantityDecimals, 0)
  }"]`;
}

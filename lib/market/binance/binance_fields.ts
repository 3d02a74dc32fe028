/**
 * Numbers of the messages and fields that `BinanceMessage` knows.
 *
 * @module
 */

/** What a message turned out to be; negative: why it cannot be used. */
export const SHAPE_TRADE = 1;
/** A `depthUpdate` event of the spot market. */
export const SHAPE_DEPTH_UPDATE = 2;
/** A best bid and ask, which Binance's spot market sends without an event name. */
export const SHAPE_BOOK_TICKER = 3;
/** The answer of the REST call `/api/v3/depth`. */
export const SHAPE_SNAPSHOT = 4;
/** A `depthUpdate` event of futures, which tells the last id of the event before it. */
export const SHAPE_CHAINED_UPDATE = 5;
/** The text is not JSON, or no object. */
export const SHAPE_MALFORMED: -1 = -1;
/** It is JSON, but none of these messages. */
export const SHAPE_UNKNOWN: -2 = -2;
/** One of them, but a field is missing or of the wrong type. */
export const SHAPE_INCOMPLETE: -3 = -3;
/** One of them, but a number or decimal is garbage, negative, or not exact in its scale. */
export const SHAPE_INEXACT: -4 = -4;
/** One of them, about a symbol that nobody knows, or that was not told. */
export const SHAPE_NO_INSTRUMENT: -5 = -5;

// Fields are bits in the masks of what was seen; those with a value have the slot of the same
// number.
/** `E`, in microseconds since 1970; 0 where it is not told. */
export const FIELD_EVENT_TIME = 0;
/** `t`. */
export const FIELD_TRADE_ID = 1;
/** `p` of a trade. */
export const FIELD_PRICE = 2;
/** `q` of a trade. */
export const FIELD_QUANTITY = 3;
/** `T`, in microseconds since 1970. */
export const FIELD_TRADE_TIME = 4;
/** `m`: 0 or 1. */
export const FIELD_IS_BUYER_MAKER = 5;
/** `U` of a depth update. */
export const FIELD_FIRST_ID = 6;
/** `u` of a depth update or a book ticker. */
export const FIELD_LAST_ID = 7;
/** `b` of a book ticker. */
export const FIELD_BID_PRICE = 8;
/** `B`. */
export const FIELD_BID_QUANTITY = 9;
/** `a` of a book ticker. */
export const FIELD_ASK_PRICE = 10;
/** `A`. */
export const FIELD_ASK_QUANTITY = 11;
/** `lastUpdateId` of a snapshot. */
export const FIELD_SNAPSHOT_ID = 12;
/** `pu` of a depth update, which futures have. */
export const FIELD_PREVIOUS_ID = 13;
// The others have no value of their own.
/** `e`. */
export const FIELD_EVENT = 14;
/** `s`. */
export const FIELD_SYMBOL = 15;
/** `b` of a depth update. */
export const FIELD_BID_LEVELS = 16;
/** `a` of a depth update. */
export const FIELD_ASK_LEVELS = 17;
/** `bids`. */
export const FIELD_SNAPSHOT_BIDS = 18;
/** `asks`. */
export const FIELD_SNAPSHOT_ASKS = 19;
/** Slots that hold a value. */
export const VALUE_COUNT: number = FIELD_PREVIOUS_ID + 1;

/** One of these makes a message without event name a book ticker, if a broken one. */
export const BOOK_TICKER_MARKS: number = mask([FIELD_LAST_ID, FIELD_BID_PRICE, FIELD_ASK_PRICE]);
const TRADE_NEEDS = mask([
  ...[FIELD_EVENT_TIME, FIELD_SYMBOL, FIELD_TRADE_ID, FIELD_PRICE, FIELD_QUANTITY],
  ...[FIELD_TRADE_TIME, FIELD_IS_BUYER_MAKER],
]);
const DEPTH_UPDATE_NEEDS = mask([
  ...[FIELD_EVENT_TIME, FIELD_SYMBOL, FIELD_FIRST_ID, FIELD_LAST_ID],
  ...[FIELD_BID_LEVELS, FIELD_ASK_LEVELS],
]);
const BOOK_TICKER_NEEDS = mask([
  ...[FIELD_LAST_ID, FIELD_SYMBOL],
  ...[FIELD_BID_PRICE, FIELD_BID_QUANTITY, FIELD_ASK_PRICE, FIELD_ASK_QUANTITY],
]);
const SNAPSHOT_NEEDS = mask([FIELD_SNAPSHOT_ID, FIELD_SNAPSHOT_BIDS, FIELD_SNAPSHOT_ASKS]);
const CHAINED_UPDATE_NEEDS = DEPTH_UPDATE_NEEDS | mask([FIELD_PREVIOUS_ID]);

/** By shape: the fields without which a message is none of it. */
export const NEEDS: readonly number[] = [
  0,
  TRADE_NEEDS,
  DEPTH_UPDATE_NEEDS,
  BOOK_TICKER_NEEDS,
  SNAPSHOT_NEEDS,
  CHAINED_UPDATE_NEEDS,
];

function mask(fields: readonly number[]): number {
  return fields.reduce((bits, field) => bits | (1 << field), 0);
}

/**
 * Message layouts of a market-data channel: {@linkcode Trade}, {@linkcode BookTicker},
 * {@linkcode OrderBookDelta} and {@linkcode OrderBookSnapshot}.
 *
 * Every message begins with the same 24 bytes, so that a consumer reads {@linkcode messageKind} and
 * switches on it before it knows the layout:
 *
 * | Offset | Size | Field            | Unit                                        |
 * | -----: | ---: | :--------------- | :------------------------------------------ |
 * |      0 |    2 | kind             | `KIND_…`                                    |
 * |      2 |    1 | priceDecimals    | scale of all prices in the message, 0 to 12 |
 * |      3 |    1 | quantityDecimals | scale of all quantities in it, 0 to 12      |
 * |      4 |    4 | instrumentId     |                                             |
 * |      8 |    8 | eventTimeUs      | µs since 1970 by the exchange; 0 = not told |
 * |     16 |    8 | receiveTimeUs    | µs since 1970 by this host; 0 = unknown     |
 *
 * A price is an integer in units of 10^-priceDecimals, a quantity one in units of
 * 10^-quantityDecimals: never negative, at most 2^53 - 1, and the scales are the instrument's, so
 * that they never change. `formatDecimal(price, priceDecimals)` prints one.
 * Reserved bytes are zero. The same bytes are an `extern struct` in `zig/market.zig`.
 *
 * @module
 */

import { defineSchema, type Schema } from "../channel/schema.ts";

/** Kind of a {@linkcode Trade}. */
export const KIND_TRADE = 1;
/** Kind of a {@linkcode BookTicker}. */
export const KIND_BOOK_TICKER = 2;
/** Kind of an {@linkcode OrderBookDelta}. */
export const KIND_ORDER_BOOK_DELTA = 3;
/** Kind of an {@linkcode OrderBookSnapshot}. */
export const KIND_ORDER_BOOK_SNAPSHOT = 4;

/** Flag of the first delta of an exchange update. */
export const DELTA_FIRST = 1;
/** Flag of the last delta of an exchange update; one that fits into one delta has both. */
export const DELTA_LAST = 2;
/** Flag of every delta of a snapshot: its levels replace the book instead of changing it. */
export const DELTA_SNAPSHOT = 4;
/** Flag of every delta of an update that tells `previousUpdateId`, as those of futures do. */
export const DELTA_CHAINED = 8;

/**
 * Price levels in one {@linkcode OrderBookDelta}: what fits into 256 bytes after a 64-byte head.
 */
export const DELTA_LEVELS = 12;

/** Price levels of each side in one {@linkcode OrderBookSnapshot}. */
export const SNAPSHOT_LEVELS = 20;

/** Fields of a {@linkcode Trade}. */
export const TRADE_FIELDS = {
  kind: "u16",
  priceDecimals: "u8",
  quantityDecimals: "u8",
  instrumentId: "u32",
  eventTimeUs: "i64",
  receiveTimeUs: "i64",
  tradeId: "u64",
  price: "i64",
  quantity: "i64",
  tradeTimeUs: "i64",
  isBuyerMaker: "bool",
  reserved0: "u8",
  reserved1: "u16",
  reserved2: "u32",
} as const;

/**
 * One trade, in 64 bytes: one cache line.
 *
 * | Offset | Size | Field            | Unit                                     |
 * | -----: | ---: | :--------------- | :--------------------------------------- |
 * |      0 |    2 | kind             | `KIND_TRADE`                             |
 * |      2 |    1 | priceDecimals    | scale                                    |
 * |      3 |    1 | quantityDecimals | scale                                    |
 * |      4 |    4 | instrumentId     |                                          |
 * |      8 |    8 | eventTimeUs      | µs                                       |
 * |     16 |    8 | receiveTimeUs    | µs                                       |
 * |     24 |    8 | tradeId          | the exchange's number of the trade       |
 * |     32 |    8 | price            | 10^-priceDecimals                        |
 * |     40 |    8 | quantity         | 10^-quantityDecimals                     |
 * |     48 |    8 | tradeTimeUs      | µs                                       |
 * |     56 |    1 | isBuyerMaker     | true: the seller was the aggressor       |
 * |     57 |    1 | reserved0        | zero                                     |
 * |     58 |    2 | reserved1        | zero                                     |
 * |     60 |    4 | reserved2        | zero                                     |
 */
export const Trade: Schema<typeof TRADE_FIELDS> = defineSchema("trade", TRADE_FIELDS, {
  sizeBytes: 64,
});

/** Fields of a {@linkcode BookTicker}. */
export const BOOK_TICKER_FIELDS = {
  kind: "u16",
  priceDecimals: "u8",
  quantityDecimals: "u8",
  instrumentId: "u32",
  eventTimeUs: "i64",
  receiveTimeUs: "i64",
  updateId: "u64",
  bidPrice: "i64",
  bidQuantity: "i64",
  askPrice: "i64",
  askQuantity: "i64",
} as const;

/**
 * Best bid and best ask, in 64 bytes: one cache line.
 *
 * | Offset | Size | Field            | Unit                                     |
 * | -----: | ---: | :--------------- | :--------------------------------------- |
 * |      0 |    2 | kind             | `KIND_BOOK_TICKER`                       |
 * |      2 |    1 | priceDecimals    | scale                                    |
 * |      3 |    1 | quantityDecimals | scale                                    |
 * |      4 |    4 | instrumentId     |                                          |
 * |      8 |    8 | eventTimeUs      | µs; Binance's spot stream does not tell  |
 * |     16 |    8 | receiveTimeUs    | µs                                       |
 * |     24 |    8 | updateId         | the book's update id at that moment      |
 * |     32 |    8 | bidPrice         | 10^-priceDecimals                        |
 * |     40 |    8 | bidQuantity      | 10^-quantityDecimals                     |
 * |     48 |    8 | askPrice         | 10^-priceDecimals                        |
 * |     56 |    8 | askQuantity      | 10^-quantityDecimals                     |
 */
export const BookTicker: Schema<typeof BOOK_TICKER_FIELDS> = defineSchema(
  "bookTicker",
  BOOK_TICKER_FIELDS,
  { sizeBytes: 64 },
);

/** Fields of an {@linkcode OrderBookDelta}. */
export const ORDER_BOOK_DELTA_FIELDS = {
  kind: "u16",
  priceDecimals: "u8",
  quantityDecimals: "u8",
  instrumentId: "u32",
  eventTimeUs: "i64",
  receiveTimeUs: "i64",
  firstUpdateId: "u64",
  lastUpdateId: "u64",
  part: "u32",
  flags: "u8",
  bidCount: "u8",
  askCount: "u8",
  reserved0: "u8",
  previousUpdateId: "u64",
  reserved1: "u64",
  prices: "i64[12]",
  quantities: "i64[12]",
} as const;

/**
 * Changed price levels, or levels of a snapshot, in 256 bytes: a head of 64 and 12 levels.
 *
 * The first `bidCount` levels are bids, the next `askCount` are asks, the rest is zero. Quantities
 * are absolute, and 0 removes the level. An exchange update with more levels goes out as several
 * deltas with the same ids: `part` counts from 0, the first has `DELTA_FIRST`, the last has
 * `DELTA_LAST`, and all bids come before all asks. It takes effect at its last part, or not at all.
 *
 * | Offset | Size | Field            | Unit                                     |
 * | -----: | ---: | :--------------- | :--------------------------------------- |
 * |      0 |    2 | kind             | `KIND_ORDER_BOOK_DELTA`                  |
 * |      2 |    1 | priceDecimals    | scale                                    |
 * |      3 |    1 | quantityDecimals | scale                                    |
 * |      4 |    4 | instrumentId     |                                          |
 * |      8 |    8 | eventTimeUs      | µs; 0 in a snapshot of the spot market   |
 * |     16 |    8 | receiveTimeUs    | µs                                       |
 * |     24 |    8 | firstUpdateId    | Binance's `U`; the last id in a snapshot |
 * |     32 |    8 | lastUpdateId     | Binance's `u` or `lastUpdateId`          |
 * |     40 |    4 | part             | 0, 1, 2 … within the update              |
 * |     44 |    1 | flags            | `DELTA_…`                                |
 * |     45 |    1 | bidCount         | levels                                   |
 * |     46 |    1 | askCount         | levels                                   |
 * |     47 |    1 | reserved0        | zero                                     |
 * |     48 |    8 | previousUpdateId | Binance's `pu`; 0 if not `DELTA_CHAINED` |
 * |     56 |    8 | reserved1        | zero                                     |
 * |     64 |   96 | prices           | 10^-priceDecimals                        |
 * |    160 |   96 | quantities       | 10^-quantityDecimals                     |
 */
export const OrderBookDelta: Schema<typeof ORDER_BOOK_DELTA_FIELDS> = defineSchema(
  "orderBookDelta",
  ORDER_BOOK_DELTA_FIELDS,
  { sizeBytes: 256 },
);

/** Fields of an {@linkcode OrderBookSnapshot}. */
export const ORDER_BOOK_SNAPSHOT_FIELDS = {
  kind: "u16",
  priceDecimals: "u8",
  quantityDecimals: "u8",
  instrumentId: "u32",
  eventTimeUs: "i64",
  receiveTimeUs: "i64",
  updateId: "u64",
  bidCount: "u8",
  askCount: "u8",
  reserved0: "u16",
  reserved1: "u32",
  reserved2: "u64[3]",
  bidPrices: "i64[20]",
  bidQuantities: "i64[20]",
  askPrices: "i64[20]",
  askQuantities: "i64[20]",
} as const;

/**
 * The best 20 levels of each side at one update id, in 704 bytes: 11 cache lines.
 *
 * Best level first, without gaps; levels beyond the counts are zero.
 *
 * | Offset | Size | Field            | Unit                                     |
 * | -----: | ---: | :--------------- | :--------------------------------------- |
 * |      0 |    2 | kind             | `KIND_ORDER_BOOK_SNAPSHOT`               |
 * |      2 |    1 | priceDecimals    | scale                                    |
 * |      3 |    1 | quantityDecimals | scale                                    |
 * |      4 |    4 | instrumentId     |                                          |
 * |      8 |    8 | eventTimeUs      | µs; of the update that made this book    |
 * |     16 |    8 | receiveTimeUs    | µs; of that update                       |
 * |     24 |    8 | updateId         | the last update in the book              |
 * |     32 |    1 | bidCount         | levels, 0 to 20                          |
 * |     33 |    1 | askCount         | levels, 0 to 20                          |
 * |     34 |    2 | reserved0        | zero                                     |
 * |     36 |    4 | reserved1        | zero                                     |
 * |     40 |   24 | reserved2        | zero                                     |
 * |     64 |  160 | bidPrices        | 10^-priceDecimals, falling               |
 * |    224 |  160 | bidQuantities    | 10^-quantityDecimals                     |
 * |    384 |  160 | askPrices        | 10^-priceDecimals, rising                |
 * |    544 |  160 | askQuantities    | 10^-quantityDecimals                     |
 */
export const OrderBookSnapshot: Schema<typeof ORDER_BOOK_SNAPSHOT_FIELDS> = defineSchema(
  "orderBookSnapshot",
  ORDER_BOOK_SNAPSHOT_FIELDS,
  { sizeBytes: 704 },
);

/** Reads the kind of a market-data message, `KIND_…`, without knowing its layout. */
export function messageKind(view: DataView, offset: number): number {
  return view.getUint16(offset, true);
}

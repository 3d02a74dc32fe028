/**
 * Message layouts of an exchange: {@linkcode OrderRequest} on the way in, {@linkcode EngineEvent}
 * on the way out.
 *
 * Prices and quantities are integers in the instrument's own units: `price` counts
 * 10^-priceDecimals, `quantity` counts 10^-quantityDecimals. Monotonic times are nanoseconds as
 * `f64`: beyond 104 days of uptime an integer would not be exact as a `number`, and a time of that
 * age is right to 2 ns. Reserved bytes are zero. The same bytes are an `extern struct` in Zig.
 *
 * @module
 */

import { defineSchema, type FieldMap, type Schema } from "../channel/schema.ts";

/** Kind of an {@linkcode OrderRequest}: a new order. */
export const KIND_NEW_ORDER = 16;
/** Kind of an {@linkcode OrderRequest}: take an order out of the book. */
export const KIND_CANCEL_ORDER = 17;
/** Kind of an {@linkcode OrderRequest}: give an order another price and quantity. */
export const KIND_REPLACE_ORDER = 18;

/** Kind of an {@linkcode EngineEvent}: a request was taken; what it does follows. */
export const KIND_ACCEPTED = 32;
/** Kind of an {@linkcode EngineEvent}: a request was refused, and changed nothing. */
export const KIND_REJECTED = 33;
/** Kind of an {@linkcode EngineEvent}: what is left of an order rests in the book. */
export const KIND_BOOKED = 34;
/** Kind of an {@linkcode EngineEvent}: two orders traded. */
export const KIND_TRADED = 35;
/** Kind of an {@linkcode EngineEvent}: what was left of an order is gone. */
export const KIND_CANCELLED = 36;
/** Kind of an {@linkcode EngineEvent}: a resting order has another price or quantity. */
export const KIND_REPLACED = 37;
/** Kind of an {@linkcode EngineEvent}: a request that was answered before; the answer again. */
export const KIND_DUPLICATE = 38;

/** Side of an order that buys. */
export const SIDE_BUY = 1;
/** Side of an order that sells. */
export const SIDE_SELL = 2;

/** An order with a limit: trades at its price or better. */
export const TYPE_LIMIT = 1;
/** An order at any price: what does not trade at once is cancelled, even with `TIF_GTC`. */
export const TYPE_MARKET = 2;

/** Rests in the book until it is traded or cancelled. */
export const TIF_GTC = 1;
/** Immediate or cancel: what does not trade at once is cancelled. */
export const TIF_IOC = 2;
/** Fill or kill: trades in full at once, or not at all. */
export const TIF_FOK = 3;

/** Flag of a limit order that is rejected where it would trade at once. */
export const FLAG_POST_ONLY = 1;

/** An order that meets another one of its session: the newer one's rest is cancelled. */
export const STP_CANCEL_NEWEST = 0;
/** … the older one is cancelled, and the newer one goes on. */
export const STP_CANCEL_OLDEST = 1;
/** … both are cancelled. */
export const STP_CANCEL_BOTH = 2;

/** Why a request was rejected, or an order cancelled: {@linkcode EngineEvent}'s `reason`. */
export const REASONS = {
  none: 0,
  /** The owner asked for it. */
  requested: 1,
  /** No such instrument. */
  unknownInstrument: 2,
  /** Not from 1 to 2^53 - 1; of a market order, not 0. */
  badPrice: 3,
  /** Not from 1 to 2^53 - 1, or more than fits the sum of what rests at its price. */
  badQuantity: 4,
  /** A field that has no such value, or values that do not go together. */
  badOrder: 5,
  /** Another order of the session that is still open has this client order id. */
  duplicateOrderId: 6,
  /** The session has no open order with this client order id. */
  unknownOrder: 7,
  /** A post-only order would have traded. */
  wouldTrade: 8,
  /** A fill-or-kill order could not be filled. */
  notFillable: 9,
  /** What an IOC or market order left. */
  notFilled: 10,
  /** It met an order of its own session. */
  selfTrade: 11,
  /** Sent before, too long ago for the answer to be kept: it was executed then, or never. */
  tooOld: 12,
  /** The engine has no room for more open orders or sessions. */
  engineFull: 13,
} as const;

/** Fields of an {@linkcode OrderRequest}. */
export const ORDER_REQUEST_FIELDS = {
  kind: "u16",
  side: "u8",
  orderType: "u8",
  instrumentId: "u32",
  sessionId: "u64",
  clientSequence: "u64",
  clientOrderId: "u64",
  targetOrderId: "u64",
  price: "i64",
  quantity: "i64",
  timeInForce: "u8",
  flags: "u8",
  selfTradePrevention: "u8",
  reserved0: "u8",
  reserved1: "u32",
  intendedTimeNs: "f64",
  gatewayTimeNs: "f64",
  reserved2: "u64",
} as const;

/**
 * What a session asks of the engine, in 88 bytes.
 *
 * | Offset | Size | Field               | Meaning                                               |
 * | -----: | ---: | :------------------ | :---------------------------------------------------- |
 * |      0 |    2 | kind                | `KIND_NEW_ORDER`, `_CANCEL_ORDER`, `_REPLACE_ORDER`   |
 * |      2 |    1 | side                | `SIDE_…`; 0 in a cancel or replace                    |
 * |      3 |    1 | orderType           | `TYPE_…`; 0 in a cancel or replace                    |
 * |      4 |    4 | instrumentId        |                                                       |
 * |      8 |    8 | sessionId           | set by the gateway                                    |
 * |     16 |    8 | clientSequence      | rises with every request of a session, from 1         |
 * |     24 |    8 | clientOrderId       | the session's own number of the (new) order, from 1   |
 * |     32 |    8 | targetOrderId       | of the order to cancel or replace; 0 in a new order   |
 * |     40 |    8 | price               | 0 in a cancel and in a market order                   |
 * |     48 |    8 | quantity            | replace: what shall be open afterwards; 0 in a cancel |
 * |     56 |    1 | timeInForce         | `TIF_…`; 0 in a cancel or replace                     |
 * |     57 |    1 | flags               | `FLAG_…`                                              |
 * |     58 |    1 | selfTradePrevention | `STP_…`                                               |
 * |     59 |    1 | reserved0           | zero                                                  |
 * |     60 |    4 | reserved1           | zero                                                  |
 * |     64 |    8 | intendedTimeNs      | when it should have been sent; 0 = not told           |
 * |     72 |    8 | gatewayTimeNs       | when the gateway read it, by `monotonicNs()`          |
 * |     80 |    8 | reserved2           | zero                                                  |
 */
export const OrderRequest: Schema<typeof ORDER_REQUEST_FIELDS> = defineSchema(
  "orderRequest",
  ORDER_REQUEST_FIELDS,
  { sizeBytes: 88 },
);

/** Fields of an {@linkcode EngineEvent}. */
export const ENGINE_EVENT_FIELDS = {
  kind: "u16",
  side: "u8",
  reason: "u8",
  instrumentId: "u32",
  eventNumber: "u64",
  orderSequence: "u64",
  sessionId: "u64",
  clientSequence: "u64",
  clientOrderId: "u64",
  orderId: "u64",
  price: "i64",
  quantity: "i64",
  remaining: "i64",
  levelQuantity: "i64",
  makerSessionId: "u64",
  makerClientOrderId: "u64",
  makerOrderId: "u64",
  makerRemaining: "i64",
  intendedTimeNs: "f64",
  gatewayTimeNs: "f64",
  engineTimeNs: "f64",
  answerKind: "u16",
  flags: "u8",
  reserved0: "u8",
  reserved1: "u32",
} as const;

/** Flag of the last event that a request causes. */
export const EVENT_LAST = 1;
/** Flag of an event that changes the book: `levelQuantity` is what rests at `price` after it. */
export const EVENT_BOOK_CHANGED = 2;

/**
 * What the engine has done, in 152 bytes: one of a gapless row of events that follow from the
 * requests alone. `eventNumber` is the record's sequence in the channel, so a restarted engine
 * knows which of the events that it makes again are out already.
 *
 * | Offset | Size | Field              | Meaning                                                  |
 * | -----: | ---: | :----------------- | :------------------------------------------------------- |
 * |      0 |    2 | kind               | `KIND_ACCEPTED` to `KIND_DUPLICATE`                      |
 * |      2 |    1 | side               | of the order; of the taker in a trade                    |
 * |      3 |    1 | reason             | `REASONS`, of a rejection or cancellation                |
 * |      4 |    4 | instrumentId       |                                                          |
 * |      8 |    8 | eventNumber        | 1, 2, 3 …                                                |
 * |     16 |    8 | orderSequence      | sequence of the request that caused it                   |
 * |     24 |    8 | sessionId          | the order's; the taker's in a trade                      |
 * |     32 |    8 | clientSequence     | of that request                                          |
 * |     40 |    8 | clientOrderId      | the order's; the taker's in a trade                      |
 * |     48 |    8 | orderId            | the engine's own number of it                            |
 * |     56 |    8 | price              | the trade's, or the order's                              |
 * |     64 |    8 | quantity           | accepted, booked, traded, cancelled; open before         |
 * |     72 |    8 | remaining          | open afterwards, of that order                           |
 * |     80 |    8 | levelQuantity      | with `EVENT_BOOK_CHANGED`: resting at its level after it |
 * |     88 |    8 | makerSessionId     | in a trade: who rested; 0 otherwise                      |
 * |     96 |    8 | makerClientOrderId | in a trade; 0 otherwise                                  |
 * |    104 |    8 | makerOrderId       | in a trade; 0 otherwise                                  |
 * |    112 |    8 | makerRemaining     | in a trade: open afterwards of the order that rested     |
 * |    120 |    8 | intendedTimeNs     | the request's                                            |
 * |    128 |    8 | gatewayTimeNs      | the request's                                            |
 * |    136 |    8 | engineTimeNs       | when it was published, by `monotonicNs()`                |
 * |    144 |    2 | answerKind         | in a duplicate: `KIND_ACCEPTED` or `KIND_REJECTED`       |
 * |    146 |    1 | flags              | `EVENT_…`                                                |
 * |    147 |    1 | reserved0          | zero                                                     |
 * |    148 |    4 | reserved1          | zero                                                     |
 *
 * **Answers.** The first event of each request is its answer: `KIND_ACCEPTED` for a new order, a
 * cancel or a replace that was taken, `KIND_REJECTED`, or `KIND_DUPLICATE`. All events of a request
 * have its `sessionId` and `clientSequence`. What follows an acceptance:
 *
 * - a new order: `KIND_TRADED` for each order that it meets; then `KIND_BOOKED` if the rest of it
 *   rests, or `KIND_CANCELLED` (`notFilled`, `notFillable`, `selfTrade`) if it does not;
 * - a cancel: `KIND_CANCELLED` (`requested`). Its acceptance has `quantity` 0, and `remaining` as
 *   it was; `clientOrderId` in all its events is that of the order;
 * - a replace: `KIND_REPLACED`, which has what was open before (`quantity`) and what is to be open
 *   (`remaining`), the old `price` and its level, and the new `clientOrderId`; `orderId` stays. A
 *   quantity that is no larger at the same price keeps its place, and that is all. Else the order
 *   has left the book by it, and goes on as a new one with the new price, behind all others there;
 * - an order of the own session that rests in the way: `KIND_CANCELLED` (`selfTrade`) of the one,
 *   or the other, or both, the resting one first.
 *
 * So of each session Σ accepted of new orders + Σ (remaining - quantity) of replaced ones
 * = Σ traded + Σ cancelled + what is open.
 *
 * The level of a trade is on the maker's side, at `price`; of any other event, on `side`. A
 * rejection has the request's side and the client order id that it is about, and no price or
 * quantity; a duplicate has `clientOrderId`, `orderId`, `reason` and `answerKind` of the answer.
 */
export const EngineEvent: Schema<typeof ENGINE_EVENT_FIELDS> = defineSchema(
  "engineEvent",
  ENGINE_EVENT_FIELDS,
  { sizeBytes: 152 },
);

/** Returns where each field of a layout begins: for code that reads without an accessor. */
export function offsetsOf<Fields extends FieldMap>(
  schema: Schema<Fields>,
): Readonly<Record<keyof Fields, number>> {
  const entries = schema.fields.map(({ name, offset }) => [name, offset] as const);
  return Object.freeze(Object.fromEntries(entries)) as Record<keyof Fields, number>;
}

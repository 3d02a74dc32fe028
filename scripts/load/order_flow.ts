/**
 * A made-up flow of orders as an exchange sees it: traders quote around a price that wanders, take
 * what others quote, change their minds and cancel.
 *
 * @module
 */

import {
  FLAG_POST_ONLY,
  KIND_CANCEL_ORDER,
  KIND_NEW_ORDER,
  KIND_REPLACE_ORDER,
  SIDE_BUY,
  SIDE_SELL,
  STP_CANCEL_BOTH,
  TIF_FOK,
  TIF_GTC,
  TIF_IOC,
  TYPE_LIMIT,
  TYPE_MARKET,
} from "../../lib/exchange/orders.ts";

/** What one session asks for next, in the words and units of an `OrderRequest`. */
export interface FlowRequest {
  /** `KIND_…_ORDER`. */
  kind: number;
  /** Index into the flow's instruments. */
  instrument: number;
  /** The session's own number of a new or replaced order, from 1; 0 in a cancel. */
  clientOrderId: number;
  /** The order to cancel or replace; 0 in a new one. */
  targetOrderId: number;
  side: number;
  orderType: number;
  timeInForce: number;
  flags: number;
  selfTradePrevention: number;
  price: number;
  quantity: number;
}

/** What decides a flow. */
export interface FlowOptions {
  /** The same seed and the same answers give the same requests. A u32. */
  seed: number;
  /** How many sessions take part. */
  sessions: number;
  instruments: readonly { priceDecimals: number; quantityDecimals: number }[];
}

/** Kinds of requests, and how many of a hundred are of each: quotes and cancels, as on markets. */
const MIX = [
  ["quote", 36],
  ["postOnly", 8],
  ["cross", 12],
  ["market", 4],
  ["ioc", 5],
  ["fok", 3],
  ["cancel", 22],
  ["replace", 10],
] as const;

type Intent = (typeof MIX)[number][0];

/** The price in the middle, at first, in whole units of the currency. */
const START_PRICE = 60_000;
/** Steps of the price that quotes are away from the middle, at most. */
const DEPTH_STEPS = 40;
/** Orders that a session leaves open; above, it cancels. */
const OPEN_MAX = 200;
/** A cancel or replace meets one of this many of the session's oldest orders. */
const OLDEST = 8;
/** The middle moves one step after about so many requests. */
const REQUESTS_PER_MOVE = 16;

interface OpenOrder {
  id: number;
  instrument: number;
  side: number;
  price: number;
  quantity: number;
}

/** Makes the requests of all sessions, which share the price of each instrument. */
export class OrderFlow {
  readonly #instruments: { mid: number; step: number; lot: number }[];
  readonly #sessions: { nextId: number; open: Map<number, OpenOrder> }[];
  #random: number;

  /** Begins a flow. */
  constructor({ seed, sessions, instruments }: FlowOptions) {
    this.#random = seed | 0 || 1;
    this.#sessions = Array.from({ length: sessions }, () => ({ nextId: 1, open: new Map() }));
    this.#instruments = instruments.map(({ priceDecimals, quantityDecimals }) => ({
      mid: START_PRICE * 10 ** priceDecimals,
      step: 10 ** Math.max(0, priceDecimals - 1),
      lot: 10 ** Math.max(0, quantityDecimals - 3),
    }));
  }

  /** Returns what a session asks for next. */
  next(session: number): FlowRequest {
    const instrument = this.#below(this.#instruments.length);
    if (this.#below(REQUESTS_PER_MOVE) === 0) this.#move(instrument);
    const { open } = this.#sessions[session]!;
    const intent = open.size > OPEN_MAX ? "cancel" : this.#intent();
    const target = intent === "cancel" || intent === "replace" ? this.#pick(open) : undefined;
    if (target === undefined) return this.#place(session, instrument, intent);
    open.delete(target.id);
    return intent === "cancel" ? cancelOf(target) : this.#replace(session, target);
  }

  /** Takes note that an order is not open any more, or never was. */
  closed(session: number, clientOrderId: number): void {
    this.#sessions[session]!.open.delete(clientOrderId);
  }

  #intent(): Intent {
    let share = this.#below(100);
    for (const [intent, percent] of MIX) {
      share -= percent;
      if (share < 0) return intent;
    }
    return "quote";
  }

  #pick(open: Map<number, OpenOrder>): OpenOrder | undefined {
    let skip = this.#below(Math.min(open.size, OLDEST));
    for (const order of open.values()) if (skip-- <= 0) return order;
    return undefined;
  }

  #place(session: number, instrument: number, intent: Intent): FlowRequest {
    const { nextId, open } = this.#sessions[session]!;
    this.#sessions[session]!.nextId++;
    const side = this.#below(2) === 0 ? SIDE_BUY : SIDE_SELL;
    const isQuote = intent === "quote" || intent === "postOnly" || intent === "replace" ||
      intent === "cancel";
    const price = intent === "market" ? 0 : this.#price(instrument, side, !isQuote);
    const quantity = this.#quantity(instrument, isQuote ? 500 : 900);
    const canRest = isQuote || intent === "cross";
    if (canRest) open.set(nextId, { id: nextId, instrument, side, price, quantity });
    return {
      kind: KIND_NEW_ORDER,
      instrument,
      clientOrderId: nextId,
      targetOrderId: 0,
      side,
      orderType: intent === "market" ? TYPE_MARKET : TYPE_LIMIT,
      timeInForce: canRest ? TIF_GTC : intent === "fok" ? TIF_FOK : TIF_IOC,
      flags: intent === "postOnly" ? FLAG_POST_ONLY : 0,
      selfTradePrevention: this.#below(STP_CANCEL_BOTH + 1),
      price,
      quantity,
    };
  }

  #replace(session: number, target: OpenOrder): FlowRequest {
    const { nextId, open } = this.#sessions[session]!;
    this.#sessions[session]!.nextId++;
    const { instrument, side } = target;
    // Half of them only become smaller, and keep their place.
    const isSmaller = this.#below(2) === 0 && target.quantity > 1;
    const price = isSmaller ? target.price : this.#price(instrument, side, false);
    const quantity = isSmaller ? Math.ceil(target.quantity / 2) : this.#quantity(instrument, 500);
    open.set(nextId, { id: nextId, instrument, side, price, quantity });
    return {
      ...cancelOf(target),
      kind: KIND_REPLACE_ORDER,
      clientOrderId: nextId,
      price,
      quantity,
    };
  }

  /** A price on the own side of the middle, mostly near it, or across it. */
  #price(instrument: number, side: number, isAcross: boolean): number {
    const { mid, step } = this.#instruments[instrument]!;
    const away = 1 + Math.min(this.#below(DEPTH_STEPS), this.#below(DEPTH_STEPS));
    return mid + ((side === SIDE_SELL) === isAcross ? -1 : 1) * away * step;
  }

  #quantity(instrument: number, lots: number): number {
    return (1 + this.#below(lots)) * this.#instruments[instrument]!.lot;
  }

  #move(instrument: number): void {
    const market = this.#instruments[instrument]!;
    const direction = this.#below(2) === 0 ? 1 : -1;
    market.mid = Math.max(2 * DEPTH_STEPS * market.step, market.mid + direction * market.step);
  }

  /** A whole number from 0 to `end - 1`; 0 for none. By xorshift32 (Marsaglia, 2003). */
  #below(end: number): number {
    this.#random ^= this.#random << 13;
    this.#random ^= this.#random >>> 17;
    this.#random ^= this.#random << 5;
    return Math.floor((this.#random >>> 0) / 2 ** 32 * end);
  }
}

function cancelOf({ id, instrument }: OpenOrder): FlowRequest {
  return {
    kind: KIND_CANCEL_ORDER,
    instrument,
    clientOrderId: 0,
    targetOrderId: id,
    side: 0,
    orderType: 0,
    timeInForce: 0,
    flags: 0,
    selfTradePrevention: 0,
    price: 0,
    quantity: 0,
  };
}

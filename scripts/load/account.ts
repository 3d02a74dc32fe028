/**
 * What a client knows of its session: which requests it was told are durable, which orders it holds
 * to be open, and whether it was told of everything.
 *
 * @module
 */

import { type SessionEvent, SIDE_BUY, SIDE_SELL } from "../../lib/exchange/mod.ts";
import { type Instrument, parseDecimal } from "../../lib/market/mod.ts";

/** An order that is open, in the units of its instrument. */
export interface OpenOrder {
  orderId: number;
  clientOrderId: number;
  symbol: string;
  /** `SIDE_…` */
  side: number;
  price: number;
  remaining: number;
}

/** What is left of a session for the audit. */
export interface SessionReport {
  sessionId: number;
  /** First and last client sequence of each row that was acknowledged without a gap. */
  acked: [from: number, to: number][];
  /** Number of the last event. */
  lastNumber: number;
  openOrders: OpenOrder[];
}

/** What an account counts. */
export interface AccountCounts {
  /** Requests that were acknowledged, and events that came. */
  acked: number;
  events: number;
  /** Requests that the engine has taken, and that it has refused. */
  accepted: number;
  rejected: number;
  /** Requests that were answered a second time, as they were sent again. */
  duplicates: number;
  /** Trades of the session's orders, as taker and as maker. */
  fills: number;
  /** Events whose number was not the next. */
  outOfOrder: number;
}

/** What is traded, by symbol. */
export type Scales = ReadonlyMap<string, Pick<Instrument, "priceDecimals" | "quantityDecimals">>;

/** Follows one session. */
export class SessionAccount {
  readonly counts: AccountCounts = {
    acked: 0,
    events: 0,
    accepted: 0,
    rejected: 0,
    duplicates: 0,
    fills: 0,
    outOfOrder: 0,
  };
  /** Number of the last event; what a client that comes back tells the gateway. */
  lastNumber = 0;
  readonly #scales: Scales;
  readonly #acked: [from: number, to: number][] = [];
  readonly #orders = new Map<number, OpenOrder>();

  /** Begins with a new session. */
  constructor(scales: Scales) {
    this.#scales = scales;
  }

  /** A request is durable. Acknowledgements come in the order of the requests. */
  takeAck(clientSequence: number): void {
    this.counts.acked++;
    const last = this.#acked.at(-1);
    if (last !== undefined && clientSequence === last[1] + 1) last[1] = clientSequence;
    else this.#acked.push([clientSequence, clientSequence]);
  }

  /** The gateway does not have the events up to this one any more. */
  takeGap(number: number): void {
    this.counts.outOfOrder++;
    this.lastNumber = number;
  }

  /** Something has happened. Returns the client order id of an order that is not open any more. */
  takeEvent(event: SessionEvent): number | undefined {
    this.counts.events++;
    if (event.number !== this.lastNumber + 1) this.counts.outOfOrder++;
    this.lastNumber = event.number;
    switch (event.type) {
      case "accepted":
        this.counts.accepted++;
        break;
      case "rejected":
        this.counts.rejected++;
        return event.clientOrderId;
      case "duplicate":
        this.counts.duplicates++;
        break;
      case "booked":
        this.#orders.set(event.orderId, this.#orderOf(event));
        break;
      case "replaced":
        // Where it has another price, or trades on, that follows.
        this.#orders.set(event.orderId, this.#orderOf(event));
        break;
      case "traded":
        this.counts.fills++;
        return this.#reduce(event);
      case "cancelled":
        this.#orders.delete(event.orderId);
        return event.clientOrderId;
    }
    return undefined;
  }

  #orderOf(event: SessionEvent): OpenOrder {
    const { orderId, clientOrderId, symbol, side } = event;
    const { priceDecimals, quantityDecimals } = this.#scales.get(symbol)!;
    return {
      orderId,
      clientOrderId,
      symbol,
      side: side === "buy" ? SIDE_BUY : SIDE_SELL,
      price: parseDecimal(event.price, priceDecimals),
      remaining: parseDecimal(event.remaining, quantityDecimals),
    };
  }

  #reduce(event: SessionEvent): number | undefined {
    const { remaining } = this.#orderOf(event);
    const order = this.#orders.get(event.orderId);
    if (remaining === 0) this.#orders.delete(event.orderId);
    else if (order !== undefined) order.remaining = remaining;
    return remaining === 0 ? event.clientOrderId : undefined;
  }

  /** What the audit needs. */
  report(sessionId: number): SessionReport {
    const openOrders = [...this.#orders.values()];
    return { sessionId, acked: this.#acked, lastNumber: this.lastNumber, openOrders };
  }
}

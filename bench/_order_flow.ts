/**
 * A flow of requests as a busy exchange sees it, in one buffer, and the book that it begins with.
 *
 * @module
 */

import { IdTable } from "../lib/exchange/engine/id_table.ts";
import * as exchange from "../lib/exchange/mod.ts";

/** How a flow is made. */
export interface FlowOptions {
  /** Orders that rest, at the beginning and all the time. */
  openOrders: number;
  /** Requests behind those that fill the book. */
  requests: number;
  /** Mean distance of a new order from the middle, in ticks: how many levels the book has. */
  depthTicks: number;
}

/** Requests, one behind the other: first those that fill the book. */
export interface OrderFlow {
  view: DataView<ArrayBuffer>;
  /** How many fill the book. */
  fill: number;
}

/** Share of requests that trade at once; the rest of them is cancelled. */
const TAKER_SHARE = 0.08;

/** Share of requests that change an order; the others are as many new ones as cancels. */
const REPLACE_SHARE = 0.07;

const SESSIONS = 256;
const MIDDLE = 1_000_000;
const SIZE = exchange.OrderRequest.sizeBytes;

/** What the engine that is asked meanwhile is made with. */
export const ENGINE_OPTIONS = { instruments: [{ id: 1 }], maxOpenOrders: 2_000_000 };

/** Makes a flow. Asks an engine meanwhile, so that it changes and cancels orders that are open. */
export function makeFlow(options: FlowOptions): OrderFlow {
  return new FlowMaker(options).make();
}

interface OpenOrder {
  session: number;
  id: number;
  side: number;
  price: number;
}

class FlowMaker {
  readonly #options: FlowOptions;
  readonly #view: DataView<ArrayBuffer>;
  readonly #request = exchange.OrderRequest.accessor();
  readonly #event = exchange.EngineEvent.accessor();
  readonly #engine: exchange.MatchingEngine;
  readonly #clientSequences = new Float64Array(SESSIONS + 1);
  readonly #clientOrderIds = new Float64Array(SESSIONS + 1);
  /** Session and client order id of each open order, in no order; and where it stands. */
  readonly #open: OpenOrder[] = [];
  readonly #places = new IdTable();
  #random = 20_261_129;

  constructor(options: FlowOptions) {
    this.#options = options;
    this.#view = new DataView(new ArrayBuffer((options.openOrders + options.requests) * SIZE));
    const onEvent = (view: DataView<ArrayBuffer>, at: number) => this.#note(view, at);
    this.#engine = new exchange.MatchingEngine({ ...ENGINE_OPTIONS, onEvent });
  }

  make(): OrderFlow {
    const { openOrders, requests } = this.#options;
    for (let i = 0; i < openOrders + requests; i++) {
      this.#request.wrap(this.#view, i * SIZE);
      this.#write(i < openOrders ? 1 : this.#next());
      this.#engine.apply(this.#view, i * SIZE, i + 1);
    }
    return { view: this.#view, fill: openOrders };
  }

  /** A number from 0 to 1: xorshift32 (Marsaglia, 2003). */
  #next(): number {
    this.#random ^= this.#random << 13;
    this.#random ^= this.#random >>> 17;
    this.#random ^= this.#random << 5;
    return (this.#random >>> 0) / 2 ** 32;
  }

  #write(kind: number): void {
    const request = this.#request;
    request.instrumentId = 1;
    request.intendedTimeNs = request.gatewayTimeNs = 1e12;
    if (kind < TAKER_SHARE) return this.#writeNew(true);
    const isFull = this.#open.length >= this.#options.openOrders;
    if (kind === 1 || this.#open.length === 0) return this.#writeNew(false);
    const old = this.#open[Math.floor(this.#next() * this.#open.length)]!;
    if (kind < TAKER_SHARE + REPLACE_SHARE) return this.#writeReplace(old);
    if (this.#next() < (isFull ? 0.3 : 0.7)) return this.#writeNew(false);
    request.kind = exchange.KIND_CANCEL_ORDER;
    request.targetOrderId = old.id;
    this.#sign(old.session);
  }

  #writeNew(isTaker: boolean): void {
    const request = this.#request;
    const isBuy = this.#next() < 0.5;
    const depth = -Math.log(1 - this.#next()) * this.#options.depthTicks;
    const ticks = isTaker ? -3 : 1 + Math.floor(depth);
    const session = 1 + Math.floor(this.#next() * SESSIONS);
    request.kind = exchange.KIND_NEW_ORDER;
    request.side = isBuy ? exchange.SIDE_BUY : exchange.SIDE_SELL;
    request.orderType = exchange.TYPE_LIMIT;
    request.timeInForce = isTaker ? exchange.TIF_IOC : exchange.TIF_GTC;
    request.price = isBuy ? Math.max(1, MIDDLE - ticks) : MIDDLE + ticks;
    request.quantity = 1 + Math.floor(this.#next() * 100);
    request.clientOrderId = ++this.#clientOrderIds[session]!;
    this.#sign(session);
  }

  /** Half of them make it smaller in its place, half move it by some ticks. */
  #writeReplace({ session, id, side, price }: OpenOrder): void {
    const request = this.#request;
    const moves = this.#next() < 0.5;
    const away = side === exchange.SIDE_BUY ? -1 : 1;
    request.kind = exchange.KIND_REPLACE_ORDER;
    request.targetOrderId = id;
    request.clientOrderId = ++this.#clientOrderIds[session]!;
    request.price = Math.max(1, moves ? price + away * Math.ceil(this.#next() * 5) : price);
    request.quantity = 1;
    this.#sign(session);
  }

  #sign(session: number): void {
    this.#request.sessionId = session;
    this.#request.clientSequence = ++this.#clientSequences[session]!;
  }

  /** Notes which orders are open. */
  #note(view: DataView<ArrayBuffer>, at: number): void {
    const event = this.#event.wrap(view, at);
    const { kind, sessionId, clientOrderId, side, price } = event;
    switch (kind) {
      case exchange.KIND_BOOKED:
        this.#places.set(sessionId, clientOrderId, this.#open.length);
        this.#open.push({ session: sessionId, id: clientOrderId, side, price });
        break;
      case exchange.KIND_TRADED:
        if (event.makerRemaining === 0) this.#close(event.makerSessionId, event.makerClientOrderId);
        break;
      case exchange.KIND_CANCELLED:
        this.#close(sessionId, clientOrderId);
        break;
      case exchange.KIND_REPLACED:
        this.#close(sessionId, this.#request.targetOrderId);
        if (price !== this.#request.price) break; // Booked again, or traded.
        this.#places.set(sessionId, clientOrderId, this.#open.length);
        this.#open.push({ session: sessionId, id: clientOrderId, side, price });
    }
  }

  #close(session: number, id: number): void {
    const place = this.#places.find(session, id);
    if (place < 0) return;
    this.#places.delete(session, id);
    const last = this.#open.pop()!;
    if (place === this.#open.length) return;
    this.#open[place] = last;
    this.#places.set(last.session, last.id, place);
  }
}

/**
 * The books of all instruments: orders at price levels, in the order in which they trade.
 *
 * @module
 */

import { IdTable } from "./id_table.ts";
import { LevelPool } from "./level_pool.ts";
import { NONE, type OrderImage, OrderPool } from "./order_pool.ts";
import { SIDE_BUY, SIDE_SELL } from "../orders.ts";
import { PriceLadder } from "./price_ladder.ts";

/** One instrument's book: two ladders. */
export interface Book {
  /** Id of the instrument. */
  readonly instrumentId: number;
  /** Index of its bids among all ladders; that of its offers is one more. */
  readonly bids: number;
}

/** A level's key: the better its price, the higher. */
export function keyOf(side: number, price: number): number {
  return side === SIDE_BUY ? price : -price;
}

/**
 * Open orders by price, then by time. Never crossed as long as what could trade is traded before it
 * rests. Cost: the same for ten orders and for a million, but for cache misses and a binary search
 * over the levels.
 */
export class Books {
  /** All open orders. */
  readonly orders: OrderPool = new OrderPool();
  /** All price levels. */
  readonly levels: LevelPool = new LevelPool();
  /** In ascending order of the instruments' ids. */
  readonly all: readonly Book[];
  /** No level has ever had more than this. */
  largestQuantity = 0;
  readonly #byInstrument: (Book | undefined)[] = [];
  readonly #ladders: PriceLadder[] = [];
  readonly #byClientOrder = new IdTable();

  /** Takes the ids of the instruments: ascending, without repetition. */
  constructor(instrumentIds: readonly number[]) {
    this.all = instrumentIds.map((instrumentId, i) => ({ instrumentId, bids: 2 * i }));
    for (const book of this.all) {
      this.#byInstrument[book.instrumentId] = book;
      for (const side of [book.bids, book.bids + 1]) {
        this.#ladders.push(new PriceLadder(this.levels, side));
      }
    }
  }

  /** Returns an instrument's book. */
  find(instrumentId: number): Book | undefined {
    return instrumentId < this.#byInstrument.length ? this.#byInstrument[instrumentId] : undefined;
  }

  /** Bids or offers of a book. */
  ladder(book: Book, side: number): PriceLadder {
    return this.#ladders[side === SIDE_BUY ? book.bids : book.bids + 1]!;
  }

  /** Returns a session's open order; `NONE` if it has no such. */
  findOrder(session: number, clientOrderId: number): number {
    return this.#byClientOrder.find(session, clientOrderId);
  }

  /** Whether an order rests in that book. */
  isIn(order: number, { bids }: Book): boolean {
    return this.levels.side(this.orders.level(order)) >>> 1 === bids >>> 1;
  }

  /** Copies a resting order into an image. */
  load(order: number, into: OrderImage): void {
    const { orders, levels } = this;
    const level = orders.level(order);
    into.session = orders.session(order);
    into.side = (levels.side(level) & 1) === 0 ? SIDE_BUY : SIDE_SELL;
    into.orderId = orders.orderId(order);
    into.clientOrderId = orders.clientOrderId(order);
    into.price = levels.price(level);
    into.remaining = orders.remaining(order);
  }

  /** Lets an order rest, behind all others at its price. Returns what rests there then. */
  rest(book: Book, incoming: OrderImage): number {
    const { orders, levels } = this;
    const order = orders.add(incoming);
    const { side, price } = incoming;
    const level = this.ladder(book, side).obtain(keyOf(side, price));
    const last = levels.last(level);
    orders.setLevel(order, level);
    orders.setPrevious(order, last);
    orders.setNext(order, NONE);
    if (last === NONE) levels.setFirst(level, order);
    else orders.setNext(last, order);
    levels.setLast(level, order);
    const quantity = levels.quantity(level) + incoming.remaining;
    levels.setQuantity(level, quantity);
    if (quantity > this.largestQuantity) this.largestQuantity = quantity;
    this.#byClientOrder.set(incoming.session, incoming.clientOrderId, order);
    return quantity;
  }

  /** Takes from what an order has open. Returns what rests at its level then. */
  reduce(order: number, quantity: number): number {
    const { orders, levels } = this;
    const level = orders.level(order);
    const rest = levels.quantity(level) - quantity;
    orders.setRemaining(order, orders.remaining(order) - quantity);
    levels.setQuantity(level, rest);
    return rest;
  }

  /** Takes an order out. Returns what rests at its level then. */
  remove(order: number): number {
    const { orders, levels } = this;
    const level = orders.level(order);
    const previous = orders.previous(order);
    const next = orders.next(order);
    if (previous === NONE) levels.setFirst(level, next);
    else orders.setNext(previous, next);
    if (next === NONE) levels.setLast(level, previous);
    else orders.setPrevious(next, previous);
    const rest = levels.quantity(level) - orders.remaining(order);
    levels.setQuantity(level, rest);
    this.#byClientOrder.delete(orders.session(order), orders.clientOrderId(order));
    orders.remove(order);
    if (levels.first(level) === NONE) this.#ladders[levels.side(level)]!.remove(level);
    return rest;
  }

  /** Gives an order another client order id. */
  rename(order: number, clientOrderId: number): void {
    const { orders } = this;
    const session = orders.session(order);
    this.#byClientOrder.delete(session, orders.clientOrderId(order));
    orders.setClientOrderId(order, clientOrderId);
    this.#byClientOrder.set(session, clientOrderId, order);
  }
}

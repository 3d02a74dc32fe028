/**
 * Executes requests on the books: lets orders trade and rest, and takes them out.
 *
 * @module
 */

import { type Book, type Books, keyOf } from "./books.ts";
import type { EventWriter } from "./event_writer.ts";
import { newImage, NONE, type OrderImage } from "./order_pool.ts";
import {
  FLAG_POST_ONLY,
  KIND_ACCEPTED,
  KIND_BOOKED,
  KIND_CANCEL_ORDER,
  KIND_CANCELLED,
  KIND_NEW_ORDER,
  KIND_REPLACED,
  KIND_TRADED,
  REASONS,
  SIDE_BUY,
  SIDE_SELL,
  STP_CANCEL_NEWEST,
  STP_CANCEL_OLDEST,
  TIF_FOK,
  TIF_GTC,
  TYPE_LIMIT,
} from "../orders.ts";
import type { PriceLadder } from "./price_ladder.ts";
import { RequestFields } from "./request_fields.ts";
import type { SessionRecords } from "./session_records.ts";

/** What orders are matched in. */
export interface OrderMatcherOptions {
  books: Books;
  sessions: SessionRecords;
  events: EventWriter;
  maxOpenOrders: number;
}

/**
 * Executes one request at a time. What it tells begins with the answer: `KIND_ACCEPTED`; a request
 * that is refused changes nothing, and it tells nothing.
 */
export class OrderMatcher {
  /** The order that the request brings, or is about. */
  readonly order: OrderImage = newImage();
  /** Number of the last order that was taken. */
  lastOrderId = 0;
  readonly #books: Books;
  readonly #sessions: SessionRecords;
  readonly #events: EventWriter;
  readonly #maxOpenOrders: number;
  /** A resting order as it was, or as it is after a trade. */
  readonly #resting = newImage();
  #request = new RequestFields();

  constructor(options: OrderMatcherOptions) {
    this.#books = options.books;
    this.#sessions = options.sessions;
    this.#events = options.events;
    this.#maxOpenOrders = options.maxOpenOrders;
  }

  /** Returns why the request is refused, having changed nothing; or `none`, having executed it. */
  execute(request: RequestFields, session: number): number {
    this.#request = request;
    this.order.session = session;
    this.order.clientOrderId = request.subject;
    const reason = request.check();
    if (reason !== REASONS.none) return reason;
    const book = this.#books.find(request.instrumentId);
    if (book === undefined) return REASONS.unknownInstrument;
    if (request.kind === KIND_NEW_ORDER) return this.#enter(book);
    const target = this.#books.findOrder(this.order.session, request.targetOrderId);
    if (target === NONE || !this.#books.isIn(target, book)) return REASONS.unknownOrder;
    if (request.kind === KIND_CANCEL_ORDER) this.#cancel(target);
    else return this.#replace(book, target);
    return REASONS.none;
  }

  #enter(book: Book): number {
    const { side, quantity, timeInForce, orderType, price } = this.#request;
    const { order } = this;
    if (this.#books.findOrder(order.session, order.clientOrderId) !== NONE) {
      return REASONS.duplicateOrderId;
    }
    order.side = side;
    order.price = price;
    order.remaining = quantity;
    const rests = orderType === TYPE_LIMIT && timeInForce === TIF_GTC;
    if (rests) {
      const isFull = this.#books.orders.count >= this.#maxOpenOrders;
      const reason = isFull ? REASONS.engineFull : this.#checkRest(book, NONE);
      if (reason !== REASONS.none) return reason;
    }
    order.orderId = ++this.lastOrderId;
    this.#events.write(KIND_ACCEPTED, order).amounts(quantity, quantity);
    const across = this.#across(book);
    const limitKey = orderType === TYPE_LIMIT ? this.#limitKey() : -Infinity;
    if (timeInForce === TIF_FOK && !this.#canFill(across, limitKey)) {
      this.#expire(REASONS.notFillable);
      return REASONS.none;
    }
    this.#match(across, limitKey);
    if (order.remaining > 0) rests ? this.#rest(book) : this.#expire(REASONS.notFilled);
    return REASONS.none;
  }

  /** Returns why the order may not rest: also where most or all of it would trade. */
  #checkRest(book: Book, target: number): number {
    const books = this.#books;
    const { order } = this;
    const isPostOnly = (this.#request.flags & FLAG_POST_ONLY) !== 0;
    if (isPostOnly && this.#across(book).bestKey >= this.#limitKey()) return REASONS.wouldTrade;
    const max = Number.MAX_SAFE_INTEGER - order.remaining;
    if (books.largestQuantity <= max) return REASONS.none; // Needs no search.
    const level = books.ladder(book, order.side).find(keyOf(order.side, order.price));
    if (level === NONE) return REASONS.none;
    const isThere = target !== NONE && books.orders.level(target) === level;
    const others = books.levels.quantity(level) - (isThere ? books.orders.remaining(target) : 0);
    return others > max ? REASONS.badQuantity : REASONS.none;
  }

  #cancel(target: number): void {
    const { order } = this;
    const books = this.#books;
    books.load(target, order);
    this.#events.write(KIND_ACCEPTED, order).amounts(0, order.remaining);
    this.#remove(target, REASONS.requested);
  }

  #replace(book: Book, target: number): number {
    const { clientOrderId, targetOrderId, price, quantity } = this.#request;
    const books = this.#books;
    const { order } = this;
    const resting = this.#resting;
    const isTaken = clientOrderId !== targetOrderId &&
      books.findOrder(order.session, clientOrderId) !== NONE;
    if (isTaken) return REASONS.duplicateOrderId;
    books.load(target, resting);
    order.side = resting.side;
    order.price = price;
    order.remaining = quantity;
    const keepsPlace = price === resting.price && quantity <= resting.remaining;
    const reason = keepsPlace ? REASONS.none : this.#checkRest(book, target);
    if (reason !== REASONS.none) return reason;
    order.orderId = resting.orderId;
    resting.clientOrderId = clientOrderId;
    this.#events.write(KIND_ACCEPTED, order).amounts(quantity, quantity);
    const levelQuantity = keepsPlace
      ? books.reduce(target, resting.remaining - quantity)
      : books.remove(target);
    this.#events.write(KIND_REPLACED, resting).amounts(resting.remaining, quantity)
      .changesBook(levelQuantity);
    if (keepsPlace) {
      books.rename(target, clientOrderId);
      return REASONS.none;
    }
    this.#match(this.#across(book), this.#limitKey());
    if (order.remaining > 0) this.#rest(book);
    return REASONS.none;
  }

  /** Bids for an order that sells, offers for one that buys. */
  #across(book: Book): PriceLadder {
    return this.#books.ladder(book, this.order.side === SIDE_BUY ? SIDE_SELL : SIDE_BUY);
  }

  /** Key of the worst level across that the order would trade at. */
  #limitKey(): number {
    const { side, price } = this.order;
    return -keyOf(side, price);
  }

  #rest(book: Book): void {
    const levelQuantity = this.#books.rest(book, this.order);
    const { remaining } = this.order;
    this.#events.write(KIND_BOOKED, this.order).amounts(remaining, remaining)
      .changesBook(levelQuantity);
  }

  /** What is left of an order that does not rest is gone. */
  #expire(reason: number): void {
    const { order } = this;
    this.#events.write(KIND_CANCELLED, order).because(reason).amounts(order.remaining, 0);
    order.remaining = 0;
  }

  /** Takes a resting order out. */
  #remove(target: number, reason: number): void {
    const resting = this.#resting;
    this.#books.load(target, resting);
    const levelQuantity = this.#books.remove(target);
    this.#events.write(KIND_CANCELLED, resting).because(reason).amounts(resting.remaining, 0)
      .changesBook(levelQuantity);
  }

  /** Trades the order against the best of the other side, as long as its limit allows. */
  #match(across: PriceLadder, limitKey: number): void {
    const { orders, levels } = this.#books;
    const { order } = this;
    while (order.remaining > 0 && across.best !== NONE && across.bestKey >= limitKey) {
      const target = levels.first(across.best);
      if (orders.session(target) === order.session) this.#preventSelfTrade(target);
      else this.#trade(target);
    }
  }

  #preventSelfTrade(target: number): void {
    const { selfTradePrevention } = this.#request;
    if (selfTradePrevention !== STP_CANCEL_NEWEST) this.#remove(target, REASONS.selfTrade);
    if (selfTradePrevention !== STP_CANCEL_OLDEST) this.#expire(REASONS.selfTrade);
  }

  #trade(target: number): void {
    const books = this.#books;
    const { order } = this;
    const resting = this.#resting;
    books.load(target, resting);
    const quantity = Math.min(order.remaining, resting.remaining);
    order.remaining -= quantity;
    resting.remaining -= quantity;
    const levelQuantity = resting.remaining === 0
      ? books.remove(target)
      : books.reduce(target, quantity);
    this.#events.write(KIND_TRADED, order).amounts(quantity, order.remaining)
      .changesBook(levelQuantity).with(resting, this.#sessions.all[resting.session]!.id);
  }

  /** Whether matching would trade all of the order. Costs as much as that would. */
  #canFill(across: PriceLadder, limitKey: number): boolean {
    const { orders, levels } = this.#books;
    const { session, remaining } = this.order;
    const skipsOwn = this.#request.selfTradePrevention === STP_CANCEL_OLDEST;
    let missing = remaining;
    for (let level = across.best; level !== NONE && levels.key(level) >= limitKey;) {
      for (let at = levels.first(level); at !== NONE; at = orders.next(at)) {
        const isOwn = orders.session(at) === session;
        if (isOwn && !skipsOwn) return false;
        if (!isOwn) missing -= orders.remaining(at);
        if (missing <= 0) return true;
      }
      level = across.behind(levels.key(level));
    }
    return false;
  }
}

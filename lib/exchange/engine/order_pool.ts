/**
 * Open orders in one flat buffer: no object for each, places that were freed are used again.
 *
 * @module
 */

/** An order: three `f64` and four `i32`. */
const ORDER_DOUBLES = 5;
const ORDER_WORDS = 10;
const ORDER_BYTES = 40;
const REMAINING = 0;
const ORDER_ID = 1;
const CLIENT_ORDER_ID = 2;
const SESSION = 6;
const LEVEL = 7;
const PREVIOUS = 8;
const NEXT = 9;

/** Orders that there is room for at first. Arbitrary: it doubles when it is full. */
const CAPACITY_MIN = 1024;

/** No order, or no level. */
export const NONE = -1;

/** An order outside of the pool: on its way to a book, or as it was there. Is used again. */
export interface OrderImage {
  /** Index of its session. */
  session: number;
  /** `SIDE_…`. */
  side: number;
  /** The engine's number of it. */
  orderId: number;
  /** Its session's number of it. */
  clientOrderId: number;
  /** Its limit; 0 of a market order. */
  price: number;
  /** Quantity that is open. */
  remaining: number;
}

/** Returns an image of no order. */
export function newImage(): OrderImage {
  return { session: 0, side: 0, orderId: 0, clientOrderId: 0, price: 0, remaining: 0 };
}

/** Orders that rest in books, each known by its place: a small number. */
export class OrderPool {
  #doubles = new Float64Array(0);
  #words = new Int32Array(0);
  #end = 0;
  #free = NONE;
  #count = 0;

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Returns the place of a new order that belongs to no level yet. */
  add(image: OrderImage): number {
    const order = this.#take();
    const double = order * ORDER_DOUBLES;
    this.#doubles[double + REMAINING] = image.remaining;
    this.#doubles[double + ORDER_ID] = image.orderId;
    this.#doubles[double + CLIENT_ORDER_ID] = image.clientOrderId;
    this.#words[order * ORDER_WORDS + SESSION] = image.session;
    return order;
  }

  #take(): number {
    this.#count++;
    const order = this.#free;
    if (order !== NONE) {
      this.#free = this.next(order);
      return order;
    }
    if (this.#end * ORDER_DOUBLES >= this.#doubles.length) this.#grow();
    return this.#end++;
  }

  /** Frees a place. */
  remove(order: number): void {
    this.#count--;
    this.setNext(order, this.#free);
    this.#free = order;
  }

  /** Quantity that is open. */
  remaining(order: number): number {
    return this.#doubles[order * ORDER_DOUBLES + REMAINING]!;
  }

  /** Sets it. */
  setRemaining(order: number, quantity: number): void {
    this.#doubles[order * ORDER_DOUBLES + REMAINING] = quantity;
  }

  /** The engine's number of it. */
  orderId(order: number): number {
    return this.#doubles[order * ORDER_DOUBLES + ORDER_ID]!;
  }

  /** Its session's number of it. */
  clientOrderId(order: number): number {
    return this.#doubles[order * ORDER_DOUBLES + CLIENT_ORDER_ID]!;
  }

  /** Sets it. */
  setClientOrderId(order: number, clientOrderId: number): void {
    this.#doubles[order * ORDER_DOUBLES + CLIENT_ORDER_ID] = clientOrderId;
  }

  /** Index of the session that it belongs to. */
  session(order: number): number {
    return this.#words[order * ORDER_WORDS + SESSION]!;
  }

  /** The level that it rests at. */
  level(order: number): number {
    return this.#words[order * ORDER_WORDS + LEVEL]!;
  }

  /** Sets it. */
  setLevel(order: number, level: number): void {
    this.#words[order * ORDER_WORDS + LEVEL] = level;
  }

  /** The order before it at its level. */
  previous(order: number): number {
    return this.#words[order * ORDER_WORDS + PREVIOUS]!;
  }

  /** Sets it. */
  setPrevious(order: number, previous: number): void {
    this.#words[order * ORDER_WORDS + PREVIOUS] = previous;
  }

  /** The order behind it at its level. */
  next(order: number): number {
    return this.#words[order * ORDER_WORDS + NEXT]!;
  }

  /** Sets it. */
  setNext(order: number, next: number): void {
    this.#words[order * ORDER_WORDS + NEXT] = next;
  }

  #grow(): void {
    const capacity = Math.max(CAPACITY_MIN, this.#end * 2);
    const buffer = new ArrayBuffer(capacity * ORDER_BYTES);
    const words = new Int32Array(buffer);
    words.set(this.#words);
    this.#words = words;
    this.#doubles = new Float64Array(buffer);
  }
}

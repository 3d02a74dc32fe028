/**
 * A matching engine: price-time priority over integers, deterministic, without clock or channel.
 *
 * @module
 */

import { Books } from "./books.ts";
import {
  type EngineState,
  hashOf,
  imageOf,
  readSnapshot,
  type RestingOrder,
  restingOrders,
} from "./engine_snapshot.ts";
import { type EventHandler, EventWriter } from "./event_writer.ts";
import { OrderMatcher } from "./order_matcher.ts";
import {
  KIND_ACCEPTED,
  KIND_DUPLICATE,
  KIND_REJECTED,
  OrderRequest,
  REASONS,
  SIDE_SELL,
} from "../orders.ts";
import { RequestFields } from "./request_fields.ts";
import { type Answer, type SessionRecord, SessionRecords } from "./session_records.ts";
import { snapshotParts } from "../snapshot_rows.ts";

/** What an engine is made with. The same for all engines that shall come to the same state. */
export interface EngineOptions {
  /** What is traded, by its id: 1 to 65,535. */
  instruments: readonly { readonly id: number }[];
  /** Told of each event. */
  onEvent: EventHandler;
  /** Open orders at the same time, of all books. Default: 1,000,000, which take 100 MB. */
  maxOpenOrders?: number;
  /** Sessions that are remembered, for ever. Default: 16,384. */
  maxSessions?: number;
  /** Answers that are kept of each, in 32 bytes each. Default: 256. */
  answersKept?: number;
}

const OPEN_ORDERS_DEFAULT = 1_000_000;
const SESSIONS_DEFAULT = 16_384;
const ANSWERS_DEFAULT = 256;

/** Largest limits: what their tables reach with 31 bits. Arbitrary below that. */
const OPEN_ORDERS_MAX = 16_000_000;
const SESSIONS_MAX = 1_000_000;
const ANSWERS_MAX = 65_536;
const INSTRUMENT_ID_MAX = 65_535;

/**
 * Applies requests to order books, and tells what came of it. What it does follows from the
 * requests and their sequences alone: the same ones lead to the same events and the same state.
 *
 * {@linkcode OrderRequest} and {@linkcode EngineEvent} say what each field and event means.
 * Whatever bytes a request has, it is answered; only wrong calls throw.
 *
 * Thread: its isolate's only. Cost: below a microsecond for a request that causes two events, and
 * hardly more with a million open orders; no allocation, but when a table doubles.
 *
 * @example A trade
 * ```ts
 * import * as exchange from "message_transport/exchange";
 * import { assertEquals } from "@std/assert";
 *
 * const event = exchange.EngineEvent.accessor();
 * const trades: number[][] = [];
 * const engine = new exchange.MatchingEngine({
 *   instruments: [{ id: 1 }],
 *   onEvent(view, offset) {
 *     const { kind, price, quantity } = event.wrap(view, offset);
 *     if (kind === exchange.KIND_TRADED) trades.push([price, quantity]);
 *   },
 * });
 *
 * const view = new DataView(new ArrayBuffer(exchange.OrderRequest.sizeBytes));
 * const order = Object.assign(exchange.OrderRequest.accessor().wrap(view, 0), {
 *   kind: exchange.KIND_NEW_ORDER,
 *   orderType: exchange.TYPE_LIMIT,
 *   timeInForce: exchange.TIF_GTC,
 *   instrumentId: 1,
 *   clientSequence: 1,
 *   clientOrderId: 1,
 *   price: 100_00,
 *   quantity: 5,
 * });
 * Object.assign(order, { sessionId: 1, side: exchange.SIDE_SELL });
 * assertEquals(engine.apply(view, 0, 1), 2); // Accepted, and booked.
 * Object.assign(order, { sessionId: 2, side: exchange.SIDE_BUY });
 * assertEquals(engine.apply(view, 0, 2), 2); // Accepted, and traded.
 * assertEquals(trades, [[100_00, 5]]);
 * ```
 */
export class MatchingEngine {
  readonly #books: Books;
  readonly #sessions: SessionRecords;
  readonly #events: EventWriter;
  readonly #matcher: OrderMatcher;
  readonly #request = new RequestFields();
  readonly #answer: Answer = {
    clientSequence: 0,
    kind: 0,
    reason: 0,
    orderId: 0,
    clientOrderId: 0,
  };
  #lastSequence = 0;

  /**
   * Makes an engine that has seen nothing yet.
   *
   * @throws {RangeError} If a limit or an instrument's id is out of its range, or an id is there
   *     twice.
   */
  constructor(options: EngineOptions) {
    const { maxSessions = SESSIONS_DEFAULT, answersKept = ANSWERS_DEFAULT } = options;
    const { maxOpenOrders = OPEN_ORDERS_DEFAULT } = options;
    checkLimit("maxOpenOrders", maxOpenOrders, OPEN_ORDERS_MAX);
    checkLimit("maxSessions", maxSessions, SESSIONS_MAX);
    checkLimit("answersKept", answersKept, ANSWERS_MAX);
    const ids = options.instruments.map(({ id }) => id).sort((a, b) => a - b);
    ids.forEach((id, i) => {
      checkLimit("an instrument's id", id, INSTRUMENT_ID_MAX);
      if (id === ids[i + 1]) throw new RangeError(`Cannot make an engine: found id ${id} twice`);
    });
    this.#books = new Books(ids);
    this.#sessions = new SessionRecords({ maxSessions, answersKept });
    this.#events = new EventWriter(options.onEvent);
    this.#matcher = new OrderMatcher({
      books: this.#books,
      sessions: this.#sessions,
      events: this.#events,
      maxOpenOrders,
    });
  }

  /**
   * Makes an engine of a snapshot: it goes on as the one that the snapshot was taken of.
   *
   * @throws {CorruptSnapshotError} If the bytes are no snapshot, or a damaged one.
   * @throws {TypeError} If it has an instrument that `options` have not, or too many sessions.
   */
  static restore(snapshot: Uint8Array, options: EngineOptions): MatchingEngine {
    const engine = new MatchingEngine(options);
    const state = engine.#state();
    readSnapshot(snapshot, state);
    engine.#lastSequence = state.lastSequence;
    engine.#matcher.lastOrderId = state.lastOrderId;
    engine.#events.eventNumber = state.lastEventNumber;
    return engine;
  }

  /** Sequence of the last request that was applied; 0 before the first. */
  get lastSequence(): number {
    return this.#lastSequence;
  }

  /** Number of the last event; 0 before the first. */
  get lastEventNumber(): number {
    return this.#events.eventNumber;
  }

  /** Orders that rest in its books. */
  get openOrders(): number {
    return this.#books.orders.count;
  }

  /** Hands out these orders, as long as nothing is applied. For looking at: allocates. */
  restingOrders(): Iterable<RestingOrder> {
    return restingOrders({ books: this.#books, sessions: this.#sessions });
  }

  /** Returns the SHA-256 of the state, in hexadecimal. Costs what a snapshot costs. */
  stateHash(): string {
    return hashOf(imageOf(this.#state()));
  }

  /**
   * Returns the state part by part, as a checkpoint takes it: an image of now, whatever is applied
   * while it is read. About 32 bytes for each open order and each answer that is kept.
   */
  snapshot(): Iterable<Uint8Array<ArrayBuffer>> {
    return snapshotParts(imageOf(this.#state()));
  }

  #state(): EngineState {
    return {
      books: this.#books,
      sessions: this.#sessions,
      lastSequence: this.#lastSequence,
      lastEventNumber: this.#events.eventNumber,
      lastOrderId: this.#matcher.lastOrderId,
    };
  }

  /**
   * Applies a request, whatever its bytes are.
   *
   * @param view Bytes that hold it.
   * @param offset Where it begins.
   * @param sequence Its number: higher than that of any request before it.
   * @param length How long it is; one of another length than 88 bytes is rejected.
   * @returns How many events it has caused: one or more.
   * @throws {RangeError} If the sequence is not above the last one, or the view ends too early.
   */
  apply(
    view: DataView,
    offset: number,
    sequence: number,
    length: number = OrderRequest.sizeBytes,
  ): number {
    if (!(Number.isSafeInteger(sequence) && sequence > this.#lastSequence)) {
      throw new RangeError(
        `Cannot apply request ${sequence}: expected a sequence above ${this.#lastSequence}`,
      );
    }
    const request = this.#request;
    if (length === OrderRequest.sizeBytes) request.read(view, offset);
    else request.clear();
    this.#lastSequence = sequence;
    const before = this.#events.eventNumber;
    this.#events.begin(request, sequence);
    this.#take();
    this.#events.end();
    return this.#events.eventNumber - before;
  }

  /** Answers the request: from the session's record, by refusing it, or by executing it. */
  #take(): void {
    const request = this.#request;
    if (!request.isAddressed) return this.#reject(REASONS.badOrder);
    const session = this.#sessions.obtain(request.sessionId);
    if (session === undefined) return this.#reject(REASONS.engineFull);
    if (request.clientSequence <= session.lastClientSequence) return this.#repeat(session);
    const reason = this.#matcher.execute(request, session.index);
    if (reason !== REASONS.none) this.#reject(reason);
    const answer = this.#answer;
    answer.clientSequence = request.clientSequence;
    answer.kind = reason === REASONS.none ? KIND_ACCEPTED : KIND_REJECTED;
    answer.reason = reason;
    answer.orderId = this.#matcher.order.orderId;
    answer.clientOrderId = request.subject;
    session.record(answer);
  }

  /** Refuses the request. */
  #reject(reason: number): void {
    const request = this.#request;
    const { order } = this.#matcher;
    order.side = request.side <= SIDE_SELL ? request.side : 0;
    order.orderId = 0;
    order.clientOrderId = request.subject;
    order.price = 0;
    this.#events.write(KIND_REJECTED, order).because(reason).amounts(0, 0);
  }

  /** Answers a request again that was applied before; or says that nobody knows any more. */
  #repeat(session: SessionRecord): void {
    const answer = this.#answer;
    if (!session.find(this.#request.clientSequence, answer)) return this.#reject(REASONS.tooOld);
    const { order } = this.#matcher;
    order.orderId = answer.orderId;
    order.clientOrderId = answer.clientOrderId;
    order.side = 0; // Not those that are asked for now: it may be another order.
    order.price = 0;
    this.#events.write(KIND_DUPLICATE, order).because(answer.reason).amounts(0, 0)
      .again(answer.kind);
  }
}

function checkLimit(what: string, value: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return;
  throw new RangeError(
    `Cannot make an engine: expected ${what} to be from 1 to ${max}, found ${value}`,
  );
}

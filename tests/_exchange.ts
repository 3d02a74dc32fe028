/**
 * Requests and events of an engine as plain objects, for tests.
 *
 * @module
 */

import {
  ENGINE_EVENT_FIELDS,
  EngineEvent,
  KIND_CANCEL_ORDER,
  KIND_NEW_ORDER,
  KIND_REPLACE_ORDER,
  MatchingEngine,
  ORDER_REQUEST_FIELDS,
  OrderRequest,
  SIDE_BUY,
  SIDE_SELL,
  TIF_GTC,
  TYPE_LIMIT,
} from "../lib/exchange/mod.ts";
import type { EngineOptions } from "../lib/exchange/mod.ts";
import { join } from "./_bytes.ts";
import { Random } from "./_random.ts";

/** A request's fields. */
export type Request = { -readonly [Name in keyof typeof ORDER_REQUEST_FIELDS]: number };

/** An event's fields. */
export type Event = { -readonly [Name in keyof typeof ENGINE_EVENT_FIELDS]: number };

const requestNames = Object.keys(ORDER_REQUEST_FIELDS) as (keyof Request)[];
const eventNames = Object.keys(ENGINE_EVENT_FIELDS) as (keyof Event)[];

const none = Object.fromEntries(requestNames.map((name) => [name, 0])) as Request;

/** A request of which only some fields are not 0. */
export function requestOf(fields: Partial<Request>): Request {
  return { ...none, instrumentId: 1, sessionId: 1, ...fields };
}

/** A limit order that rests until it is traded. */
export function limit(side: "buy" | "sell", fields: Partial<Request>): Request {
  return requestOf({
    kind: KIND_NEW_ORDER,
    side: side === "buy" ? SIDE_BUY : SIDE_SELL,
    orderType: TYPE_LIMIT,
    timeInForce: TIF_GTC,
    ...fields,
  });
}

/** A cancel. */
export function cancel(targetOrderId: number, fields: Partial<Request> = {}): Request {
  return requestOf({ kind: KIND_CANCEL_ORDER, targetOrderId, ...fields });
}

/** A replace. */
export function replace(targetOrderId: number, fields: Partial<Request>): Request {
  return requestOf({ kind: KIND_REPLACE_ORDER, targetOrderId, ...fields });
}

/** A request's bytes. */
export function packRequest(request: Request): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(OrderRequest.sizeBytes));
  Object.assign(OrderRequest.accessor().wrap(view, 0), request);
  return new Uint8Array(view.buffer);
}

const event = EngineEvent.accessor();

/** An event's fields. */
export function readEvent(view: DataView, offset: number): Event {
  event.wrap(view, offset);
  return Object.fromEntries(eventNames.map((name) => [name, event[name]])) as Event;
}

/** An engine whose events are plain objects, and whose sessions number their requests. */
export class TestEngine {
  /** The engine. */
  readonly engine: MatchingEngine;
  /** Events of all requests. */
  readonly events: Event[] = [];
  readonly #clientSequences = new Map<number, number>();

  /** Makes one with two instruments, or goes on from a snapshot. */
  constructor(options: Partial<EngineOptions> = {}, snapshot?: Uint8Array) {
    const whole: EngineOptions = {
      instruments: [{ id: 1 }, { id: 2 }],
      onEvent: (view, offset) => void this.events.push(readEvent(view, offset)),
      ...options,
    };
    this.engine = snapshot === undefined
      ? new MatchingEngine(whole)
      : MatchingEngine.restore(snapshot, whole);
  }

  /** Applies a request. A client sequence of 0 becomes the session's next. Returns its events. */
  send(request: Request): Event[] {
    const next = (this.#clientSequences.get(request.sessionId) ?? 0) + 1;
    const clientSequence = request.clientSequence || next;
    this.#clientSequences.set(request.sessionId, Math.max(clientSequence, next));
    return this.sendBytes(packRequest({ ...request, clientSequence }));
  }

  /** Applies bytes as they are. */
  sendBytes(bytes: Uint8Array<ArrayBuffer>): Event[] {
    const before = this.events.length;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const sequence = this.engine.lastSequence + 1;
    const count = this.engine.apply(view, 0, sequence, bytes.length);
    const events = this.events.slice(before);
    if (events.length !== count) throw new Error(`${count} events told of, ${events.length} came`);
    return events;
  }
}

/** A snapshot in one piece. */
export function snapshotOf(engine: MatchingEngine): Uint8Array<ArrayBuffer> {
  return join(...engine.snapshot());
}

/** Requests of some sessions that trade, rest, change and cancel; the same for the same seed. */
export class RequestStream {
  readonly #random: Random;
  readonly #sessions: { id: number; clientSequence: number; orders: number }[];

  constructor(seed: number, sessions = 4) {
    this.#random = new Random(seed);
    this.#sessions = Array.from({ length: sessions }, (_, i) => ({
      id: i + 1,
      clientSequence: 0,
      orders: 0,
    }));
  }

  /** The next request. */
  next(): Request {
    const random = this.#random;
    const session = this.#sessions[random.below(this.#sessions.length)]!;
    const fields = {
      sessionId: session.id,
      clientSequence: ++session.clientSequence,
      instrumentId: 1 + random.below(2),
      selfTradePrevention: random.below(3),
    };
    const price = 90 + random.below(21);
    const quantity = 1 + random.below(50);
    const old = 1 + random.below(session.orders + 1);
    const kind = random.below(10);
    if (kind < 2) return cancel(old, fields);
    const clientOrderId = ++session.orders;
    if (kind < 3) return replace(old, { ...fields, clientOrderId, price, quantity });
    const side = random.below(2) === 0 ? "buy" : "sell";
    return limit(side, { ...fields, clientOrderId, price, quantity });
  }

  /** The bytes of the next requests, one behind the other. */
  batch(count: number): { bytes: Uint8Array<ArrayBuffer>; messageBytes: number } {
    const messageBytes = OrderRequest.sizeBytes;
    const bytes = new Uint8Array(count * messageBytes);
    for (let i = 0; i < count; i++) bytes.set(packRequest(this.next()), i * messageBytes);
    return { bytes, messageBytes };
  }
}

/**
 * The events of a request, written one after the other into the same bytes.
 *
 * @module
 */

import type { OrderImage } from "./order_pool.ts";
import { EngineEvent, EVENT_BOOK_CHANGED, EVENT_LAST, offsetsOf } from "../orders.ts";
import type { RequestFields } from "./request_fields.ts";
import { writeSafe } from "./safe_integer.ts";

const AT = offsetsOf(EngineEvent);

/**
 * Told of each event: where its bytes lie. That is always the same place, so that they are written
 * over by the next one. It must not throw, and not call the engine. `engineTimeNs` is 0: whoever
 * publishes the event knows when.
 */
export type EventHandler = (view: DataView<ArrayBuffer>, offset: number, sizeBytes: number) => void;

/**
 * Writes events. Each is handed over when it is known whether it is the last one of its request:
 * with the next one, or by {@linkcode EventWriter.end}.
 */
export class EventWriter {
  /** Number of the last event that was written; 0 before the first. */
  eventNumber = 0;
  readonly #view = new DataView(new ArrayBuffer(EngineEvent.sizeBytes));
  readonly #onEvent: EventHandler;
  #isPending = false;
  #hasMaker = false;
  #flags = 0;

  constructor(onEvent: EventHandler) {
    this.#onEvent = onEvent;
  }

  /** Begins with the events of a request: writes what they have in common. */
  begin(request: RequestFields, sequence: number): void {
    const view = this.#view;
    view.setUint32(AT.instrumentId, request.instrumentId, true);
    writeSafe(view, AT.orderSequence, sequence);
    writeSafe(view, AT.sessionId, Math.max(0, request.sessionId));
    writeSafe(view, AT.clientSequence, Math.max(0, request.clientSequence));
    view.setFloat64(AT.intendedTimeNs, request.intendedTimeNs, true);
    view.setFloat64(AT.gatewayTimeNs, request.gatewayTimeNs, true);
  }

  /** Hands the last event of a request over. */
  end(): void {
    this.#flags |= EVENT_LAST;
    this.#handOver();
    this.#isPending = false;
  }

  /** Begins an event about an order; its amounts must follow. What else is not told of it is 0. */
  write(kind: number, order: OrderImage): this {
    if (this.#isPending) this.#handOver();
    const view = this.#view;
    this.#isPending = true;
    this.#flags = 0;
    view.setUint16(AT.kind, kind, true);
    view.setUint16(AT.side, order.side, true); // And no reason, which is the byte behind it.
    writeSafe(view, AT.eventNumber, ++this.eventNumber);
    writeSafe(view, AT.clientOrderId, order.clientOrderId);
    writeSafe(view, AT.orderId, order.orderId);
    writeSafe(view, AT.price, order.price);
    writeSafe(view, AT.levelQuantity, 0);
    if (this.#hasMaker) this.#clearMaker();
    view.setUint16(AT.answerKind, 0, true);
    return this;
  }

  /** Adds why. */
  because(reason: number): this {
    this.#view.setUint8(AT.reason, reason);
    return this;
  }

  /** Adds what it is about, and what is open afterwards. */
  amounts(quantity: number, remaining: number): this {
    writeSafe(this.#view, AT.quantity, quantity);
    writeSafe(this.#view, AT.remaining, remaining);
    return this;
  }

  /** Adds that the book has changed: what rests at the level now. */
  changesBook(levelQuantity: number): this {
    this.#flags |= EVENT_BOOK_CHANGED;
    writeSafe(this.#view, AT.levelQuantity, levelQuantity);
    return this;
  }

  /** Adds who has rested in a trade, at whose price it was. */
  with(maker: OrderImage, sessionId: number): this {
    const view = this.#view;
    this.#hasMaker = true;
    writeSafe(view, AT.price, maker.price);
    writeSafe(view, AT.makerSessionId, sessionId);
    writeSafe(view, AT.makerClientOrderId, maker.clientOrderId);
    writeSafe(view, AT.makerOrderId, maker.orderId);
    writeSafe(view, AT.makerRemaining, maker.remaining);
    return this;
  }

  /** Adds what was answered before. */
  again(answerKind: number): this {
    this.#view.setUint16(AT.answerKind, answerKind, true);
    return this;
  }

  #clearMaker(): void {
    const view = this.#view;
    this.#hasMaker = false;
    writeSafe(view, AT.makerSessionId, 0);
    writeSafe(view, AT.makerClientOrderId, 0);
    writeSafe(view, AT.makerOrderId, 0);
    writeSafe(view, AT.makerRemaining, 0);
  }

  #handOver(): void {
    this.#view.setUint8(AT.flags, this.#flags);
    this.#view.setFloat64(AT.engineTimeNs, 0, true);
    this.#onEvent(this.#view, 0, EngineEvent.sizeBytes);
  }
}

/**
 * Requests, read out of bytes that may hold anything.
 *
 * @module
 */

import {
  FLAG_POST_ONLY,
  KIND_CANCEL_ORDER,
  KIND_NEW_ORDER,
  KIND_REPLACE_ORDER,
  offsetsOf,
  OrderRequest,
  REASONS,
  SIDE_BUY,
  SIDE_SELL,
  STP_CANCEL_BOTH,
  TIF_FOK,
  TIF_GTC,
  TYPE_LIMIT,
  TYPE_MARKET,
} from "../orders.ts";
import { readSafe } from "./safe_integer.ts";

const AT = offsetsOf(OrderRequest);

/** Largest time in nanoseconds: beyond, an `f64` is no whole number. */
const TIME_NS_MAX = Number.MAX_SAFE_INTEGER;

/**
 * The fields of one request, used again for the next. Each wide one is a whole number from 0 to
 * 2^53 - 1, or -1 where the bytes are none.
 */
export class RequestFields {
  kind = 0;
  side = 0;
  orderType = 0;
  instrumentId = 0;
  sessionId = 0;
  clientSequence = 0;
  clientOrderId = 0;
  targetOrderId = 0;
  price = 0;
  quantity = 0;
  timeInForce = 0;
  flags = 0;
  selfTradePrevention = 0;
  intendedTimeNs = 0;
  gatewayTimeNs = 0;
  #isReservedZero = true;

  /** Reads a request. What is no time counts as 0, which is that it was not told. */
  read(view: DataView, at: number): void {
    this.kind = view.getUint16(at + AT.kind, true);
    this.side = view.getUint8(at + AT.side);
    this.orderType = view.getUint8(at + AT.orderType);
    this.instrumentId = view.getUint32(at + AT.instrumentId, true);
    this.sessionId = readSafe(view, at + AT.sessionId);
    this.clientSequence = readSafe(view, at + AT.clientSequence);
    this.clientOrderId = readSafe(view, at + AT.clientOrderId);
    this.targetOrderId = readSafe(view, at + AT.targetOrderId);
    this.price = readSafe(view, at + AT.price);
    this.quantity = readSafe(view, at + AT.quantity);
    this.timeInForce = view.getUint8(at + AT.timeInForce);
    this.flags = view.getUint8(at + AT.flags);
    this.selfTradePrevention = view.getUint8(at + AT.selfTradePrevention);
    this.intendedTimeNs = toTime(view.getFloat64(at + AT.intendedTimeNs, true));
    this.gatewayTimeNs = toTime(view.getFloat64(at + AT.gatewayTimeNs, true));
    this.#isReservedZero = view.getUint8(at + AT.reserved0) === 0 &&
      view.getUint32(at + AT.reserved1, true) === 0 &&
      readSafe(view, at + AT.reserved2) === 0;
  }

  /** Makes it a request without any field, as which bytes are taken that are too few. */
  clear(): void {
    this.kind =
      this.side =
      this.orderType =
      this.instrumentId =
        0;
    this.sessionId =
      this.clientSequence =
      this.clientOrderId =
      this.targetOrderId =
        0;
    this.price = this.quantity = 0;
    this.timeInForce = this.flags = this.selfTradePrevention = 0;
    this.intendedTimeNs = this.gatewayTimeNs = 0;
    this.#isReservedZero = true;
  }

  /** Whether it can be attributed to a session. */
  get isAddressed(): boolean {
    return this.sessionId > 0 && this.clientSequence > 0;
  }

  /** Client order id of the order that it is about; 0 if that is none. */
  get subject(): number {
    const id = this.kind === KIND_CANCEL_ORDER ? this.targetOrderId : this.clientOrderId;
    return id > 0 ? id : 0;
  }

  /** Returns why no book could take this request: one of `REASONS`. */
  check(): number {
    if (!this.#isReservedZero || this.selfTradePrevention > STP_CANCEL_BOTH) {
      return REASONS.badOrder;
    }
    switch (this.kind) {
      case KIND_NEW_ORDER:
        return this.#checkNew();
      case KIND_CANCEL_ORDER:
        return this.#checkCancel();
      case KIND_REPLACE_ORDER:
        return this.#checkReplace();
      default:
        return REASONS.badOrder;
    }
  }

  #checkNew(): number {
    const isLimit = this.orderType === TYPE_LIMIT;
    const isShaped = (this.side === SIDE_BUY || this.side === SIDE_SELL) &&
      (isLimit || this.orderType === TYPE_MARKET) &&
      this.timeInForce >= TIF_GTC && this.timeInForce <= TIF_FOK &&
      (this.flags & ~FLAG_POST_ONLY) === 0 &&
      this.clientOrderId > 0 && this.targetOrderId === 0;
    if (!isShaped) return REASONS.badOrder;
    // A post-only order does nothing but rest.
    const isPostOnly = (this.flags & FLAG_POST_ONLY) !== 0;
    if (isPostOnly && !(isLimit && this.timeInForce === TIF_GTC)) return REASONS.badOrder;
    if (isLimit ? this.price <= 0 : this.price !== 0) return REASONS.badPrice;
    return this.quantity > 0 ? REASONS.none : REASONS.badQuantity;
  }

  #checkCancel(): number {
    const isShaped = this.#isChange && this.flags === 0 && this.price === 0 && this.quantity === 0;
    return isShaped ? REASONS.none : REASONS.badOrder;
  }

  #checkReplace(): number {
    const isShaped = this.#isChange && (this.flags & ~FLAG_POST_ONLY) === 0 &&
      this.clientOrderId > 0;
    if (!isShaped) return REASONS.badOrder;
    if (this.price <= 0) return REASONS.badPrice;
    return this.quantity > 0 ? REASONS.none : REASONS.badQuantity;
  }

  /** Whether it names an order, and nothing that only a new one has. */
  get #isChange(): boolean {
    return this.side === 0 && this.orderType === 0 && this.timeInForce === 0 &&
      this.targetOrderId > 0;
  }
}

function toTime(time: number): number {
  return time >= 0 && time <= TIME_NS_MAX ? time : 0; // Not for NaN either.
}

/**
 * The engine's events as a session's client is told of them, in JSON.
 *
 * @module
 */

import { formatDecimal } from "../../market/decimal.ts";
import type { InstrumentLookup } from "./order_entry.ts";
import { isMakerOf } from "./gateway_session.ts";
import {
  EngineEvent,
  KIND_ACCEPTED,
  KIND_BOOKED,
  KIND_CANCELLED,
  KIND_DUPLICATE,
  KIND_REJECTED,
  KIND_REPLACED,
  KIND_TRADED,
  REASONS,
  SIDE_BUY,
} from "../orders.ts";

/** What happened, in a word. */
export type EventType =
  | "accepted"
  | "rejected"
  | "booked"
  | "traded"
  | "cancelled"
  | "replaced"
  | "duplicate";

/** The words of kinds. */
export const EVENT_TYPES: Readonly<Record<number, EventType>> = {
  [KIND_ACCEPTED]: "accepted",
  [KIND_REJECTED]: "rejected",
  [KIND_BOOKED]: "booked",
  [KIND_TRADED]: "traded",
  [KIND_CANCELLED]: "cancelled",
  [KIND_REPLACED]: "replaced",
  [KIND_DUPLICATE]: "duplicate",
};

const REASON_NAMES = new Map<number, string>(
  Object.entries(REASONS).map(([name, reason]) => [reason, name]),
);

/** What a client is told of an event. Prices and quantities are decimal text. */
export interface SessionEvent {
  type: EventType;
  /** 1, 2, 3 … in the session. */
  number: number;
  /** 1, 2, 3 … of the engine. */
  eventNumber: number;
  /** Of the request that caused it; 0 if it was another session's. */
  clientSequence: number;
  clientOrderId: number;
  orderId: number;
  symbol: string;
  side?: "buy" | "sell";
  price: string;
  /** Accepted, booked, traded or cancelled. */
  quantity: string;
  /** Open afterwards. */
  remaining: string;
  /** Why it was rejected or cancelled: a name out of {@linkcode REASONS}. */
  reason?: string;
  /** In a trade: whether the order rested, or met one that did. */
  liquidity?: "maker" | "taker";
  /** In a duplicate: what the answer was. */
  answer?: EventType;
  gatewayTimeNs: number;
  engineTimeNs: number;
}

const accessor = EngineEvent.accessor();

/** Returns an event as the session's client is told of it. */
export function toSessionEvent(
  view: DataView,
  offset: number,
  { number, sessionId, instruments }: {
    number: number;
    sessionId: number;
    instruments: Pick<InstrumentLookup, "at">;
  },
): SessionEvent {
  const event = accessor.wrap(view, offset, EngineEvent.sizeBytes);
  const { kind, reason, side } = event;
  const isMaker = isMakerOf(event, sessionId);
  const instrument = instruments.at(event.instrumentId);
  const { priceDecimals = 0, quantityDecimals = 0 } = instrument ?? {};
  const told: SessionEvent = {
    type: EVENT_TYPES[kind] ?? "rejected",
    number,
    eventNumber: event.eventNumber,
    clientSequence: isMaker ? 0 : event.clientSequence,
    clientOrderId: isMaker ? event.makerClientOrderId : event.clientOrderId,
    orderId: isMaker ? event.makerOrderId : event.orderId,
    symbol: instrument?.symbol ?? `#${event.instrumentId}`,
    price: formatDecimal(event.price, priceDecimals),
    quantity: formatDecimal(event.quantity, quantityDecimals),
    remaining: formatDecimal(isMaker ? event.makerRemaining : event.remaining, quantityDecimals),
    gatewayTimeNs: event.gatewayTimeNs,
    engineTimeNs: event.engineTimeNs,
  };
  if (side !== 0) told.side = (side === SIDE_BUY) !== isMaker ? "buy" : "sell";
  if (reason !== 0) told.reason = REASON_NAMES.get(reason) ?? String(reason);
  if (kind === KIND_TRADED) told.liquidity = isMaker ? "maker" : "taker";
  if (kind === KIND_DUPLICATE) told.answer = EVENT_TYPES[event.answerKind] ?? "rejected";
  return told;
}

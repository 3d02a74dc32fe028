/**
 * How a client reaches its gateway, and what the gateway tells it, whatever the bytes are.
 *
 * @module
 */

import type { Level } from "../../channel/producer.ts";
import type { SessionEvent } from "../gateway/event_text.ts";
import type { RefusalReason } from "../gateway/refusal.ts";

/** The session that a client has logged on to. */
export interface SessionMessage {
  type: "session";
  sessionId: number;
  /** What the client comes back with. Whoever has it is the client: keep it secret. */
  token: string;
  isResumed: boolean;
  heartbeatMs: number;
  /** Highest client sequence that the gateway has taken: what is not above it is a resend. */
  lastClientSequence: number;
  /** Number of the session's newest event. */
  lastNumber: number;
  ordersPerSecond: number;
  instruments: { symbol: string; priceDecimals: number; quantityDecimals: number }[];
}

/** A request is as durable as `level` says. */
export interface AckMessage {
  type: "ack";
  clientSequence: number;
  /** Its place in `gateway.orders`. */
  sequence: number;
  level: Level;
}

/** The gateway does not take a request, of which nothing is left. */
export interface RejectMessage {
  type: "reject";
  /** Null where the request could not be read. */
  clientSequence: number | null;
  reason: RefusalReason;
  text: string;
  /** When it may be tried again, with another client sequence; undefined where that is useless. */
  retryAfterMs?: number;
}

/** Events that are not kept any more: the client was away too long. */
export interface GapMessage {
  type: "gap";
  from: number;
  to: number;
}

/** Everything that a gateway says. */
export type GatewayMessage =
  | SessionMessage
  | AckMessage
  | RejectMessage
  | SessionEvent
  | GapMessage
  | { type: "heartbeat"; number: number }
  | { type: "error"; reason: RefusalReason; text: string };

/** What a client asks for, without its client sequence. Prices and quantities are decimal text. */
export type ClientRequest =
  | {
    type: "new";
    /** The client's own number of the order: 1 and up, of no other open one. */
    clientOrderId: number;
    symbol: string;
    side: "buy" | "sell";
    orderType: "limit" | "market";
    timeInForce: "gtc" | "ioc" | "fok";
    /** None in a market order. */
    price?: string;
    quantity: string;
    postOnly?: boolean;
    selfTradePrevention?: "cancelNewest" | "cancelOldest" | "cancelBoth";
    /** When it should have been sent, by `monotonicNs()`. */
    intendedTimeNs?: number;
  }
  | { type: "cancel"; symbol: string; targetOrderId: number; intendedTimeNs?: number }
  | {
    type: "replace";
    symbol: string;
    clientOrderId: number;
    targetOrderId: number;
    price: string;
    /** What shall be open afterwards. */
    quantity: string;
    postOnly?: boolean;
    selfTradePrevention?: "cancelNewest" | "cancelOldest" | "cancelBoth";
    intendedTimeNs?: number;
  };

/** One connection to a gateway. Open from the start: what is sent early waits. */
export interface ClientTransport {
  /**
   * Called with each message, and with undefined when it has ended, or has come to what no gateway
   * says: there is nothing behind that.
   */
  onMessage: (message: GatewayMessage | undefined) => void;
  /** Bytes that are not on their way yet. */
  readonly bufferedBytes: number;
  logon(token: string | undefined, lastReceived: number): void;
  request(clientSequence: number, request: ClientRequest): void;
  heartbeat(): void;
  logout(): void;
  /** Ends it; nothing more is called. */
  close(): void;
}

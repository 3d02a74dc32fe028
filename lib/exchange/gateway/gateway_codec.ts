/**
 * What a gateway and its clients tell each other, whatever the bytes are.
 *
 * @module
 */

import type { Level } from "../../channel/producer.ts";
import type { Instrument } from "../../market/instruments.ts";
import { OrderRequest } from "../orders.ts";
import type { Outbox } from "./outbox.ts";
import type { Refusal } from "./refusal.ts";

/** What a message of a client is. */
export type ClientMessageType =
  /** None yet: part of a message, or a ping. */
  | "none"
  /** The connection may begin: the handshake of a WebSocket. */
  | "open"
  | "logon"
  | "order"
  | "heartbeat"
  | "logout"
  /** A request that is refused; the connection goes on. */
  | "refused"
  /** Bytes behind which there is nothing to go on with. */
  | "violation"
  /** The client has closed. */
  | "closed";

/** What a client has sent. One object for each connection, used again for each message. */
export class ClientMessage {
  type: ClientMessageType = "none";
  /** Of an order, or of a request that is refused; 0 where it is not known. */
  clientSequence = 0;
  /** An order: an {@linkcode OrderRequest} without what is the gateway's own. */
  readonly order: Uint8Array<ArrayBuffer> = new Uint8Array(OrderRequest.sizeBytes);
  /** The same bytes. */
  readonly orderView: DataView<ArrayBuffer> = new DataView(this.order.buffer);
  /** Of a logon: the token, none for a new session. */
  token: Uint8Array<ArrayBuffer> | undefined;
  /** Of a logon: number of the last event that the client has. */
  lastReceived = 0;
  /** Why it is refused, or a violation. */
  refusal: Refusal | undefined;

  /** Makes it a refused request. */
  refuse(refusal: Refusal, clientSequence = 0): void {
    this.type = "refused";
    this.refusal = refusal;
    this.clientSequence = clientSequence;
  }

  /** Makes it a violation. */
  violate(reason: Refusal["reason"], text: string): void {
    this.type = "violation";
    this.refusal = { reason, text };
  }
}

/** What a client is told about its session. */
export interface SessionFacts {
  sessionId: number;
  token: Uint8Array<ArrayBuffer>;
  isResumed: boolean;
  heartbeatMs: number;
  /** Highest client sequence that was published: what is not above it is a resend. */
  lastClientSequence: number;
  /** Number of the session's newest event. */
  lastNumber: number;
  ordersPerSecond: number;
  instruments: readonly Instrument[];
}

/** Bytes to messages of one client, and messages to its bytes. */
export interface GatewayCodec {
  /** Whether a full ring is told by not reading on, rather than by a reject. */
  readonly pauses: boolean;
  /** Bytes of the longest thing that a client may send in one piece. */
  readonly receiveBytesMax: number;
  /** What {@linkcode GatewayCodec.decode} has found. */
  readonly message: ClientMessage;
  /** What the messages to the client are written to. */
  readonly outbox: Outbox;

  /**
   * Reads the next message.
   *
   * @param bytes From a client. May be changed between `start` and `end`.
   * @returns Bytes that it took, at most `end - start`; 0 if the message is not all there.
   */
  decode(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): number;

  session(facts: SessionFacts): void;
  ack(clientSequence: number, sequence: number, level: Level): void;
  /** Says that a request, of which only 0 may be known, is not taken. */
  reject(clientSequence: number, refusal: Refusal, retryAfterMs: number): void;
  /** Tells of one of the engine's events, numbered for the session. */
  event(view: DataView<ArrayBuffer>, offset: number, number: number, sessionId: number): void;
  gap(from: number, to: number): void;
  heartbeat(number: number): void;
  /** The last words: why the connection ends. */
  error(refusal: Refusal): void;
  /** The last words where all is well. */
  close(): void;
}

/**
 * The binary protocol, as a gateway speaks it.
 *
 * @module
 */

import type { Level } from "../../channel/producer.ts";
import { ClientMessage, type GatewayCodec, type SessionFacts } from "./gateway_codec.ts";
import { clientSequenceOf, type OrderEntry } from "./order_entry.ts";
import { EngineEvent, OrderRequest } from "../orders.ts";
import { Outbox } from "./outbox.ts";
import type { Refusal } from "./refusal.ts";
import { readSafe, writeSafe } from "../engine/safe_integer.ts";
import { TOKEN_BYTES } from "./session_token.ts";
import * as wire from "./wire.ts";

const encoder = new TextEncoder();

/** Acknowledged in memory, and on the disk. */
const LEVELS: Readonly<Record<Level, number>> = { memory: 1, disk: 2 };

/** Frames over TCP. A full ring pauses the client: bytes that are not read hold it up. */
export class BinaryCodec implements GatewayCodec {
  readonly pauses = true;
  readonly receiveBytesMax: number = wire.FRAME_HEADER_BYTES + wire.CLIENT_PAYLOAD_BYTES_MAX;
  readonly message: ClientMessage = new ClientMessage();
  readonly outbox: Outbox = new Outbox();
  readonly #entry: OrderEntry;
  readonly #reader = new wire.FrameReader(wire.CLIENT_PAYLOAD_BYTES_MAX);
  #view = new DataView(new ArrayBuffer(0));

  /** Checks orders by `entry`. */
  constructor(entry: OrderEntry) {
    this.#entry = entry;
  }

  /** See {@linkcode GatewayCodec.decode}. */
  decode(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): number {
    if (this.#view.buffer !== bytes.buffer) {
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    const reader = this.#reader;
    const size = reader.read(this.#view, start, end);
    if (size === 0) return 0;
    const { message } = this;
    if (size < 0) {
      message.violate("protocol_violation", reader.fault);
      return end - start;
    }
    switch (reader.type) {
      case wire.FRAME_ORDER:
        if (this.#hasPayload(OrderRequest.sizeBytes)) this.#readOrder(bytes);
        break;
      case wire.FRAME_LOGON:
        if (this.#hasPayload(wire.WireLogon.sizeBytes)) this.#readLogon();
        break;
      case wire.FRAME_HEARTBEAT:
        if (this.#hasPayload(0)) message.type = "heartbeat";
        break;
      case wire.FRAME_LOGOUT:
        if (this.#hasPayload(0)) message.type = "logout";
        break;
      default:
        message.violate("protocol_violation", `frame type: expected 1 to 4, found ${reader.type}`);
    }
    return size;
  }

  #hasPayload(expected: number): boolean {
    const { payloadBytes, type } = this.#reader;
    if (payloadBytes === expected) return true;
    const found = `found ${payloadBytes}`;
    const text = `payload of frame type ${type}: expected ${expected} bytes, ${found}`;
    this.message.violate("protocol_violation", text);
    return false;
  }

  #readOrder(bytes: Uint8Array<ArrayBuffer>): void {
    const { payloadAt } = this.#reader;
    const { message } = this;
    message.order.set(bytes.subarray(payloadAt, payloadAt + OrderRequest.sizeBytes));
    message.clientSequence = clientSequenceOf(message.orderView, 0);
    const refusal = this.#entry.check(message.orderView, 0);
    if (refusal === undefined) message.type = "order";
    else message.refuse(refusal, message.clientSequence);
  }

  #readLogon(): void {
    const { message } = this;
    const at = this.#reader.payloadAt;
    const lastReceived = readSafe(this.#view, at);
    const logon = wire.WireLogon.accessor().wrap(this.#view, at);
    if (lastReceived < 0 || logon.hasToken > 1) {
      const found = `found ${lastReceived} and ${logon.hasToken}`;
      const text = `logon: expected lastReceived below 2^53 and hasToken 0 or 1, ${found}`;
      return message.violate("bad_logon", text);
    }
    message.type = "logon";
    message.lastReceived = lastReceived;
    message.token = logon.hasToken === 0 ? undefined : Uint8Array.from(
      { length: TOKEN_BYTES },
      (_, index) => logon.token(index),
    );
  }

  /** Tells of a session, and of all instruments. */
  session(facts: SessionFacts): void {
    const { outbox } = this;
    const at = this.#frame(wire.FRAME_SESSION, wire.WireSession.sizeBytes);
    const session = wire.WireSession.accessor().wrap(outbox.view, at);
    session.sessionId = facts.sessionId;
    session.lastClientSequence = facts.lastClientSequence;
    session.lastNumber = facts.lastNumber;
    session.heartbeatMs = facts.heartbeatMs;
    session.ordersPerSecond = facts.ordersPerSecond;
    session.instruments = facts.instruments.length;
    session.isResumed = Number(facts.isResumed);
    facts.token.forEach((byte, index) => session.setToken(index, byte));
    for (const { id, symbol, priceDecimals, quantityDecimals } of facts.instruments) {
      const bytes = encoder.encode(symbol);
      const size = wire.WireInstrument.sizeBytes;
      const at = this.#frame(wire.FRAME_INSTRUMENT, size + bytes.length);
      const instrument = wire.WireInstrument.accessor().wrap(outbox.view, at);
      instrument.id = id;
      instrument.priceDecimals = priceDecimals;
      instrument.quantityDecimals = quantityDecimals;
      outbox.bytes.set(bytes, at + size);
    }
  }

  /** Acknowledges an order. */
  ack(clientSequence: number, sequence: number, level: Level): void {
    const at = this.#frame(wire.FRAME_ACK, wire.WireAck.sizeBytes);
    const ack = this.#ack.wrap(this.outbox.view, at);
    ack.clientSequence = clientSequence;
    ack.sequence = sequence;
    ack.level = LEVELS[level];
  }

  readonly #ack = wire.WireAck.accessor();

  /** Refuses a request. */
  reject(clientSequence: number, refusal: Refusal, retryAfterMs: number): void {
    this.#refusal(wire.FRAME_REJECT, refusal, clientSequence, retryAfterMs);
  }

  /** Says why the connection ends. */
  error(refusal: Refusal): void {
    this.#refusal(wire.FRAME_ERROR, refusal, 0, 0);
  }

  /** Nothing: the end of the bytes is the end. */
  close(): void {}

  #refusal(type: number, refusal: Refusal, clientSequence: number, retryAfterMs: number): void {
    const text = encoder.encode(refusal.text);
    const at = this.#frame(type, wire.WireReject.sizeBytes + text.length);
    const reject = wire.WireReject.accessor().wrap(this.outbox.view, at);
    reject.clientSequence = clientSequence;
    reject.retryAfterMs = retryAfterMs;
    reject.reason = refusal.reason;
    this.outbox.bytes.set(text, at + wire.WireReject.sizeBytes);
  }

  /** Tells of an event: its number, and its bytes. */
  event(view: DataView<ArrayBuffer>, offset: number, number: number): void {
    const at = this.#frame(wire.FRAME_EVENT, wire.EVENT_PAYLOAD_BYTES);
    writeSafe(this.outbox.view, at, number);
    const event = new Uint8Array(view.buffer, view.byteOffset + offset, EngineEvent.sizeBytes);
    this.outbox.bytes.set(event, at + wire.NUMBER_BYTES);
  }

  /** Tells of events that are not kept any more. */
  gap(from: number, to: number): void {
    const at = this.#frame(wire.FRAME_GAP, wire.WireGap.sizeBytes);
    const gap = wire.WireGap.accessor().wrap(this.outbox.view, at);
    gap.from = from;
    gap.to = to;
  }

  /** Tells that the gateway is there. */
  heartbeat(number: number): void {
    const at = this.#frame(wire.FRAME_ALIVE, wire.NUMBER_BYTES);
    writeSafe(this.outbox.view, at, number);
  }

  /** Begins a frame; its payload is zeroed. Returns where that begins. */
  #frame(type: number, payloadBytes: number): number {
    const { outbox } = this;
    const at = outbox.reserve(wire.FRAME_HEADER_BYTES + payloadBytes);
    wire.writeFrameHeader(outbox.view, at, type, payloadBytes);
    const payloadAt = at + wire.FRAME_HEADER_BYTES;
    outbox.bytes.fill(0, payloadAt, payloadAt + payloadBytes);
    return payloadAt;
  }
}

/**
 * JSON over a WebSocket, as a gateway speaks it.
 *
 * @module
 */

import type { Level } from "../channel/producer.ts";
import { toSessionEvent } from "./event_text.ts";
import { ClientMessage, type GatewayCodec, type SessionFacts } from "./gateway_codec.ts";
import { type InstrumentLookup, isWhole, type OrderEntry } from "./order_entry.ts";
import { Outbox } from "./outbox.ts";
import { type Refusal, type RefusalReason, refuse } from "./refusal.ts";
import { formatToken, parseToken, TOKEN_BYTES } from "./session_token.ts";
import {
  answerHandshake,
  FRAME_OVERHEAD_BYTES,
  httpError,
  OPCODE_BINARY,
  OPCODE_CLOSE,
  OPCODE_CONTINUATION,
  OPCODE_PING,
  OPCODE_PONG,
  WebSocketReader,
  writeClose,
  writeControl,
  writeText,
} from "./websocket.ts";

/** Bytes of the request that begins a WebSocket, at most: more than any browser sends. */
const HANDSHAKE_BYTES_MAX = 8192;

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Codes that end a WebSocket (RFC 6455, section 7.4); others end by 1008, a broken rule. */
const CLOSE_CODES: Partial<Record<RefusalReason, number>> = {
  protocol_violation: 1002,
  frame_too_large: 1009,
  going_away: 1001,
};

const HTTP_STATUSES: Partial<Record<RefusalReason, number>> = {
  frame_too_large: 431,
  logon_timeout: 408,
  too_many_connections: 503,
  going_away: 503,
};

/** JSON in messages of text. A full ring is told by a reject. */
export class JsonCodec implements GatewayCodec {
  readonly pauses = false;
  readonly receiveBytesMax: number;
  readonly message: ClientMessage = new ClientMessage();
  readonly outbox: Outbox = new Outbox();
  readonly #entry: OrderEntry;
  readonly #instruments: InstrumentLookup;
  readonly #reader: WebSocketReader;
  readonly #messageBytesMax: number;
  /** Parts of a message that is not whole. */
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  #isInMessage = false;
  #isOpen = false;
  #hasAnswered = false;
  #searchedBytes = 0;

  /** Checks orders by `entry`; a message may have `messageBytesMax` bytes. */
  constructor(entry: OrderEntry, instruments: InstrumentLookup, messageBytesMax: number) {
    this.#entry = entry;
    this.#instruments = instruments;
    this.#messageBytesMax = messageBytesMax;
    this.#reader = new WebSocketReader(messageBytesMax);
    this.receiveBytesMax = Math.max(HANDSHAKE_BYTES_MAX, messageBytesMax + FRAME_OVERHEAD_BYTES);
  }

  /** See {@linkcode GatewayCodec.decode}. */
  decode(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): number {
    const { message } = this;
    message.type = "none";
    if (!this.#isOpen) return this.#handshake(bytes, start, end);
    const reader = this.#reader;
    const size = reader.read(bytes, start, end);
    if (size === 0) return 0;
    if (size < 0) {
      message.violate(reader.isTooLong ? "frame_too_large" : "protocol_violation", reader.fault);
      return end - start;
    }
    const payload = bytes.subarray(reader.payloadAt, reader.payloadAt + reader.payloadBytes);
    switch (reader.opcode) {
      case OPCODE_PING:
        writeControl(this.outbox, OPCODE_PONG, payload);
        break;
      case OPCODE_PONG:
        break;
      case OPCODE_CLOSE:
        this.close();
        message.type = "closed";
        break;
      default:
        this.#readPart(payload, reader);
    }
    return size;
  }

  #handshake(bytes: Uint8Array, start: number, end: number): number {
    const from = Math.max(start, start + this.#searchedBytes - 3);
    const at = endOfHeaders(bytes, from, end);
    this.#searchedBytes = end - start;
    if (at < 0 && end - start < HANDSHAKE_BYTES_MAX) return 0;
    const { message, outbox } = this;
    if (at < 0) {
      const text = `request: expected at most ${HANDSHAKE_BYTES_MAX} bytes of headers`;
      message.violate("frame_too_large", text);
      return end - start;
    }
    const request = String.fromCharCode(...bytes.subarray(start, at));
    const { response, fault } = answerHandshake(request);
    const offset = outbox.reserve(response.length);
    for (let i = 0; i < response.length; i++) outbox.bytes[offset + i] = response.charCodeAt(i);
    if (fault === undefined) {
      this.#isOpen = true;
      message.type = "open";
    } else {
      this.#hasAnswered = true;
      message.violate("protocol_violation", fault);
    }
    return at + 4 - start;
  }

  #readPart(payload: Uint8Array, { opcode, isFinal }: WebSocketReader): void {
    const { message } = this;
    if (opcode === OPCODE_BINARY) {
      return message.violate("protocol_violation", "message: expected text, found bytes");
    }
    if (opcode === OPCODE_CONTINUATION !== this.#isInMessage) {
      return message.violate("protocol_violation", "message: expected its parts in a row");
    }
    this.#isInMessage = !isFinal;
    if (isFinal && this.#parts.length === 0) return this.#readText(payload);
    this.#partBytes += payload.length + 1; // Empty parts count, as they take memory.
    if (this.#partBytes > this.#messageBytesMax) {
      const text = `message: expected at most ${this.#messageBytesMax} bytes, found more in parts`;
      return message.violate("frame_too_large", text);
    }
    this.#parts.push(payload.slice());
    if (!isFinal) return;
    const whole = new Uint8Array(this.#parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#partBytes = 0;
    this.#readText(whole);
  }

  #readText(bytes: Uint8Array): void {
    const { message } = this;
    let text = "";
    let value: unknown;
    try {
      text = decoder.decode(bytes);
    } catch {
      return message.violate("protocol_violation", "message: expected UTF-8");
    }
    try {
      value = JSON.parse(text);
    } catch {
      return message.refuse(refuse("bad_json", "message", "a JSON object", text));
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return message.refuse(refuse("bad_message", "message", "a JSON object", value));
    }
    this.#readObject(value as Readonly<Record<string, unknown>>);
  }

  #readObject(value: Readonly<Record<string, unknown>>): void {
    const { message } = this;
    switch (value.type) {
      case "heartbeat":
        message.type = "heartbeat";
        break;
      case "logout":
        message.type = "logout";
        break;
      case "logon":
        this.#readLogon(value);
        break;
      default: {
        const { clientSequence } = value;
        message.clientSequence = isWhole(clientSequence) ? clientSequence : 0;
        const refusal = this.#entry.readJson(value, message.orderView, 0);
        if (refusal === undefined) message.type = "order";
        else message.refuse(refusal, message.clientSequence);
      }
    }
  }

  #readLogon(value: Readonly<Record<string, unknown>>): void {
    const { message } = this;
    const { token, lastReceived = 0 } = value;
    const stranger = Object.keys(value).find((field) => !LOGON_FIELDS.includes(field));
    const bytes = token === undefined ? undefined : parseToken(token);
    if (stranger !== undefined) {
      return message.violate("bad_logon", `logon: expected one of ${LOGON_FIELDS.join(", ")}`);
    }
    if (token !== undefined && bytes === undefined) { // Not quoted: a token is told to nobody.
      return message.violate("bad_logon", `token: expected ${TOKEN_BYTES} bytes in base64url`);
    }
    if (lastReceived !== 0 && !isWhole(lastReceived)) {
      const { text } = refuse("bad_logon", "lastReceived", "a whole number", lastReceived);
      return message.violate("bad_logon", text);
    }
    message.type = "logon";
    message.token = bytes;
    message.lastReceived = lastReceived as number;
  }

  /** Tells of a session. */
  session({ token, instruments, ...facts }: SessionFacts): void {
    const traded = instruments.map(({ symbol, priceDecimals, quantityDecimals }) => (
      { symbol, priceDecimals, quantityDecimals }
    ));
    this.#write({ type: "session", token: formatToken(token), ...facts, instruments: traded });
  }

  /** Acknowledges an order. */
  ack(clientSequence: number, sequence: number, level: Level): void {
    writeText(
      this.outbox,
      `{"type":"ack","clientSequence":${clientSequence},"sequence":${sequence},"level":"${level}"}`,
    );
  }

  /** Refuses a request. */
  reject(clientSequence: number, { reason, text }: Refusal, retryAfterMs: number): void {
    const retry = retryAfterMs > 0 ? { retryAfterMs } : {};
    const sequence = clientSequence === 0 ? null : clientSequence;
    this.#write({ type: "reject", clientSequence: sequence, reason, text, ...retry });
  }

  /** Tells of an event. */
  event(view: DataView<ArrayBuffer>, offset: number, number: number, sessionId: number): void {
    const instruments = this.#instruments;
    this.#write(toSessionEvent(view, offset, { number, sessionId, instruments }));
  }

  /** Tells of events that are not kept any more. */
  gap(from: number, to: number): void {
    this.#write({ type: "gap", from, to });
  }

  /** Tells that the gateway is there. */
  heartbeat(number: number): void {
    this.#write({ type: "heartbeat", number });
  }

  /** Says why the connection ends. */
  error({ reason, text }: Refusal): void {
    if (this.#hasAnswered) return;
    this.#hasAnswered = true;
    if (this.#isOpen) {
      this.#write({ type: "error", reason, text });
      writeClose(this.outbox, CLOSE_CODES[reason] ?? 1008);
    } else {
      const response = httpError(HTTP_STATUSES[reason] ?? 400, `${reason}: ${text}`);
      this.outbox.append(new TextEncoder().encode(response));
    }
  }

  /** Ends the WebSocket in order. */
  close(): void {
    if (this.#hasAnswered || !this.#isOpen) return;
    this.#hasAnswered = true;
    writeClose(this.outbox, 1000);
  }

  #write(message: object): void {
    writeText(this.outbox, JSON.stringify(message));
  }
}

const LOGON_FIELDS = ["type", "token", "lastReceived"];

/** Index of the empty line that ends the headers of a request; -1 if there is none. */
function endOfHeaders(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at + 4 <= end; at++) {
    if (bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) {
      return at;
    }
  }
  return -1;
}

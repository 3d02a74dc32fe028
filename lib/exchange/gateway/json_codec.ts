/**
 * JSON over a WebSocket, as a gateway speaks it.
 *
 * @module
 */

import type { Level } from "../../channel/producer.ts";
import {
  CLOSE_GOING_AWAY,
  CLOSE_NORMAL,
  CLOSE_POLICY,
  CLOSE_PROTOCOL_ERROR,
  CLOSE_TOO_LARGE,
  HEAD_BYTES_MAX,
  OPCODE_CLOSE,
  OPCODE_CONTINUATION,
  OPCODE_PING,
  OPCODE_PONG,
  OPCODE_TEXT,
  WebSocketError,
} from "../../web_socket/frame.ts";
import {
  answerUpgrade,
  endOfHead,
  errorResponse,
  HEAD_END,
  type HostRule,
  latin1,
} from "../../web_socket/handshake.ts";
import { MessageReader } from "../../web_socket/message_reader.ts";
import { toSessionEvent } from "./event_text.ts";
import { ClientMessage, type GatewayCodec, type SessionFacts } from "./gateway_codec.ts";
import { type InstrumentLookup, isWhole, type OrderEntry } from "./order_entry.ts";
import { Outbox } from "./outbox.ts";
import { type Refusal, type RefusalReason, refuse } from "./refusal.ts";
import { formatToken, parseToken, TOKEN_BYTES } from "./session_token.ts";
import { writeClose, writeFrame, writeText } from "./web_socket_writer.ts";

/** Bytes of the request that begins a WebSocket, at most: more than any browser sends. */
const HANDSHAKE_BYTES_MAX = 8192;

const encoder = new TextEncoder();

/** Codes that end a WebSocket (RFC 6455, section 7.4); others end by 1008, a broken rule. */
const CLOSE_CODES: Partial<Record<RefusalReason, number>> = {
  protocol_violation: CLOSE_PROTOCOL_ERROR,
  frame_too_large: CLOSE_TOO_LARGE,
  going_away: CLOSE_GOING_AWAY,
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
  readonly #hostRule: HostRule;
  readonly #reader: MessageReader;
  #isOpen = false;
  #hasAnswered = false;
  #searchedBytes = 0;

  /** Checks orders by `entry`; a message may have `messageBytesMax` bytes. */
  constructor(
    entry: OrderEntry,
    instruments: InstrumentLookup,
    { messageBytesMax, ...hostRule }: HostRule & { messageBytesMax: number },
  ) {
    this.#entry = entry;
    this.#instruments = instruments;
    this.#hostRule = hostRule;
    this.#reader = new MessageReader({ messageBytesMax, isMasked: true });
    this.receiveBytesMax = Math.max(HANDSHAKE_BYTES_MAX, messageBytesMax + HEAD_BYTES_MAX);
  }

  /** See {@linkcode GatewayCodec.decode}. */
  decode(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): number {
    this.message.type = "none";
    if (!this.#isOpen) return this.#handshake(bytes.subarray(start, end));
    try {
      const size = this.#reader.read(bytes, start, end);
      if (size > 0) this.#take(this.#reader);
      return size;
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
      const isTooLarge = error.code === CLOSE_TOO_LARGE;
      this.message.violate(isTooLarge ? "frame_too_large" : "protocol_violation", error.message);
      return end - start;
    }
  }

  #take(reader: MessageReader): void {
    switch (reader.opcode) {
      case OPCODE_TEXT:
        return this.#readText(reader.text);
      case OPCODE_PING:
        return writeFrame(this.outbox, OPCODE_PONG, reader.payload);
      case OPCODE_PONG:
      case OPCODE_CONTINUATION:
        return;
      case OPCODE_CLOSE:
        this.close();
        this.message.type = "closed";
        return;
      default:
        this.message.violate("protocol_violation", "message: expected text, found bytes");
    }
  }

  #handshake(bytes: Uint8Array): number {
    const { message, outbox } = this;
    const at = endOfHead(bytes, this.#searchedBytes, bytes.length);
    this.#searchedBytes = bytes.length;
    if (at < 0 && bytes.length < HANDSHAKE_BYTES_MAX) return 0;
    if (at < 0) {
      const text = `request: expected at most ${HANDSHAKE_BYTES_MAX} bytes of headers`;
      message.violate("frame_too_large", text);
      return bytes.length;
    }
    const { response, fault } = answerUpgrade(latin1(bytes.subarray(0, at)), this.#hostRule);
    outbox.append(encoder.encode(response));
    if (fault === undefined) {
      this.#isOpen = true;
      message.type = "open";
    } else {
      this.#hasAnswered = true;
      message.violate("protocol_violation", fault);
    }
    return at + HEAD_END.length;
  }

  #readText(text: string): void {
    const { message } = this;
    let value: unknown;
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
      writeClose(this.outbox, CLOSE_CODES[reason] ?? CLOSE_POLICY);
    } else {
      const fault = { status: HTTP_STATUSES[reason] ?? 400, text: `${reason}: ${text}` };
      this.outbox.append(encoder.encode(errorResponse(fault)));
    }
  }

  /** Ends the WebSocket in order. */
  close(): void {
    if (this.#hasAnswered || !this.#isOpen) return;
    this.#hasAnswered = true;
    writeClose(this.outbox, CLOSE_NORMAL);
  }

  #write(message: object): void {
    writeText(this.outbox, JSON.stringify(message));
  }
}

const LOGON_FIELDS = ["type", "token", "lastReceived"];

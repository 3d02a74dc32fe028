/**
 * One client of the fake exchange's streams, and what befalls its messages.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import type { FakeEvent } from "./fake_instrument.ts";
import type { FaultPlan, StreamFault } from "./fault_plan.ts";
import {
  CLOSE_GOING_AWAY,
  encodeClose,
  encodeFrame,
  encodeText,
  OPCODE_BINARY,
  OPCODE_CLOSE,
  OPCODE_PING,
  OPCODE_PONG,
  OPCODE_TEXT,
  WebSocketError,
} from "../../web_socket/frame.ts";
import type { Message } from "../../web_socket/message_reader.ts";
import { MessageStream } from "../../web_socket/message_stream.ts";

/** Longest request of a client. Arbitrary: a thousand stream names. */
const REQUEST_BYTES_MAX = 64 * 1024;

/** Bytes that a client may leave unread before it is cut off, as exchanges do. Arbitrary. */
const UNREAD_BYTES_MAX = 64 * 1024 * 1024;

/** Pings that may stay unanswered: Binance sends one in 20 s and waits for a minute. */
const PINGS_UNANSWERED_MAX = 3;

/** Messages between the announcement of a shutdown and the end. Arbitrary: about a second. */
const MESSAGES_BEFORE_SHUTDOWN = 1_000;

/** A text frame that announces 2^40 bytes. */
const HUGE_FRAME = Uint8Array.of(0x80 | OPCODE_TEXT, 127, 0, 0, 1, 0, 0, 0, 0, 0);

const encoder = new TextEncoder();

/** How a client has connected. */
export interface FakeStreamOptions {
  /** Streams that it named in its address. */
  readonly streams: readonly string[];
  /** Whether messages tell their stream: `{"stream":…,"data":…}`. */
  readonly isCombined: boolean;
  /** Decides about faults. */
  readonly faults: FaultPlan<StreamFault>;
  /** Chooses the garbage: 0 to 1 without 1. */
  readonly random: () => number;
}

/** The exchange's end of a connection. */
export class FakeStream {
  readonly #socket: Duplex;
  readonly #streams: Set<string>;
  readonly #isCombined: boolean;
  readonly #faults: FaultPlan<StreamFault>;
  readonly #random: () => number;
  readonly #requests = new MessageStream({ messageBytesMax: REQUEST_BYTES_MAX, isMasked: true });
  /** A message that is sent after the next one. */
  #heldBack: string | undefined;
  #depthUpdatesToLose = 0;
  #messagesLeft = Infinity;
  #pingsUnanswered = 0;
  #isStalled = false;

  /** Takes over a socket whose handshake is done. */
  constructor(socket: Duplex, options: FakeStreamOptions) {
    this.#socket = socket;
    this.#streams = new Set(options.streams);
    this.#isCombined = options.isCombined;
    this.#faults = options.faults;
    this.#random = options.random;
    socket.on("data", (bytes: Uint8Array) => this.#read(bytes));
    // The client has gone. The server's sockets would stay open for our half.
    for (const end of ["end", "error"]) socket.on(end, () => socket.destroy());
  }

  /** Cuts the connection without a word. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Sends a ping, or ends the connection to a client that has not answered the last ones. */
  ping(): void {
    if (this.#isStalled) return;
    if (this.#pingsUnanswered === PINGS_UNANSWERED_MAX) return this.destroy();
    this.#pingsUnanswered++;
    this.#write(encodeFrame(OPCODE_PING, new Uint8Array(0)));
  }

  /** Sends an event to a subscriber, unless a fault comes between. */
  send({ stream, json }: FakeEvent): void {
    if (this.#isStalled || !this.#streams.has(stream)) return;
    const text = this.#isCombined ? `{"stream":"${stream}","data":${json}}` : json;
    const fault = this.#faults.next();
    if (fault === undefined) this.#sendOrLose(stream, text);
    else this.#sendFaulty(fault, stream, text);
    if (--this.#messagesLeft <= 0) this.#close(CLOSE_GOING_AWAY);
  }

  #sendOrLose(stream: string, text: string): void {
    if (this.#depthUpdatesToLose > 0 && stream.includes("@depth")) this.#depthUpdatesToLose--;
    else this.#sendText(text);
    if (this.#heldBack === undefined) return;
    const heldBack = this.#heldBack;
    this.#heldBack = undefined;
    this.#sendText(heldBack);
  }

  #sendFaulty(fault: StreamFault, stream: string, text: string): void {
    switch (fault) {
      case "drop":
        return;
      case "disconnect":
        return this.destroy();
      case "stall":
        this.#isStalled = true;
        return;
      case "reorder":
        if (this.#heldBack === undefined) this.#heldBack = text;
        else this.#sendText(text);
        return;
      case "duplicate":
        this.#sendText(text);
        return this.#sendText(text);
      case "gap":
        this.#depthUpdatesToLose++;
        return this.#sendOrLose(stream, text);
      case "garbage":
        this.#sendGarbage(text);
        return this.#sendOrLose(stream, text);
      case "huge":
        return this.#write(HUGE_FRAME);
      case "shutdown":
        this.#sendText(`{"e":"serverShutdown","E":${Date.now()}}`);
        this.#messagesLeft = Math.min(this.#messagesLeft, MESSAGES_BEFORE_SHUTDOWN);
        return this.#sendOrLose(stream, text);
    }
  }

  /** Sends what is no message, made of one where that is meaner. */
  #sendGarbage(text: string): void {
    const kinds: (() => void)[] = [
      () => this.#sendText(text.slice(0, Math.floor(this.#random() * text.length))),
      () => this.#sendText(["", "null", "[]", '"', "{}", "\0", "{".repeat(99)][this.#pick(7)]!),
      () => this.#sendText(text.replaceAll(/"(p|q|b|a|B|A|bids|asks)":"[^"]*"/g, '"$1":1e999')),
      () => this.#sendText(text.replaceAll(/"(E|T|t|u|U)":\d+/g, '"$1":-9007199254740993.5')),
      () => this.#sendText(text.replaceAll(/"s":"[^"]*"/g, '"s":"NO-SUCH-SYMBOL"')),
      () => this.#sendText(text.replaceAll(/"s":"[^"]*"/g, '"s":null')),
      () => this.#sendText(text.replaceAll(/"e":"[^"]*"/g, '"e":"somethingNew"')),
      () => this.#sendText(text.replaceAll(/"U":\d+/g, '"U":9007199254740991')),
      () => this.#sendText(`{"stream":"${text}","data":[[[[{}]]]]}`),
      () => this.#sendText(`{"data":${"[".repeat(100_000)}`),
      () => this.#sendText(`{"pad":"${"x".repeat(1_000_000)}"}`),
      () => this.#write(encodeFrame(OPCODE_BINARY, encoder.encode(text))),
      () => this.#write(encodeFrame(OPCODE_TEXT, Uint8Array.of(0xff, 0xfe, 0x80, 0xc0))),
    ];
    kinds[this.#pick(kinds.length)]!();
  }

  #pick(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #sendText(text: string): void {
    this.#write(encodeText(text));
  }

  #write(frame: Uint8Array): void {
    if (this.#socket.destroyed) return;
    if (this.#socket.writableLength > UNREAD_BYTES_MAX) return this.destroy();
    this.#socket.write(Buffer.from(frame.buffer, frame.byteOffset, frame.length));
  }

  #close(code: number): void {
    if (this.#socket.destroyed) return;
    this.#write(encodeClose(code));
    this.#socket.end();
    this.#isStalled = true;
  }

  #read(bytes: Uint8Array): void {
    if (this.#isStalled) return;
    try {
      this.#requests.append(bytes);
      for (let message = this.#requests.next(); message; message = this.#requests.next()) {
        this.#take(message);
        if (this.#isStalled) return;
      }
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
      this.#close(error.code);
    }
  }

  #take(message: Message): void {
    switch (message.opcode) {
      case OPCODE_PONG:
        this.#pingsUnanswered = 0;
        return;
      case OPCODE_PING:
        return this.#write(encodeFrame(OPCODE_PONG, message.payload));
      case OPCODE_CLOSE:
        return this.#close(message.closeCode);
      case OPCODE_TEXT:
        return this.#answer(message.text);
    }
  }

  /** Answers `SUBSCRIBE`, `UNSUBSCRIBE` and `LIST_SUBSCRIPTIONS`. */
  #answer(text: string): void {
    const { id = null, method, params } = parseRequest(text);
    const streams = Array.isArray(params) ? params.filter((name) => typeof name === "string") : [];
    let result: unknown = null;
    if (method === "SUBSCRIBE") { for (const name of streams) this.#streams.add(name); }
    else if (method === "UNSUBSCRIBE") { for (const name of streams) this.#streams.delete(name); }
    else if (method === "LIST_SUBSCRIPTIONS") result = [...this.#streams];
    else return this.#sendText(JSON.stringify({ error: { code: 2, msg: "Invalid request" }, id }));
    this.#sendText(JSON.stringify({ result, id }));
  }
}

function parseRequest(text: string): { id?: unknown; method?: unknown; params?: unknown } {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

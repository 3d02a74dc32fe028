/**
 * A client's connection to its gateway in the binary protocol.
 *
 * @module
 */

import type { Level } from "../../channel/producer.ts";
import { isDecimals } from "../../market/decimal.ts";
import type { Instrument } from "../../market/instruments.ts";
import type {
  ClientRequest,
  ClientTransport,
  GatewayMessage,
  SessionMessage,
} from "./client_transport.ts";
import { isGatewayMessage } from "./gateway_message.ts";
import { toSessionEvent } from "../gateway/event_text.ts";
import { OrderEntry } from "../gateway/order_entry.ts";
import { OrderRequest } from "../orders.ts";
import { Outbox } from "../gateway/outbox.ts";
import type { RefusalReason } from "../gateway/refusal.ts";
import { readSafe } from "../engine/safe_integer.ts";
import { formatToken, parseToken, TOKEN_BYTES } from "../gateway/session_token.ts";
import { closeSocket, isSocketError } from "../gateway/socket_error.ts";
import * as wire from "../gateway/wire.ts";

const READ_BYTES = 65_536;
const LEVELS: readonly Level[] = ["memory", "memory", "disk"];
const decoder = new TextDecoder();

/** Stands for what no gateway says. */
const NO_MESSAGE = null;

/** Bytes that a payload has at least, by the type of its frame. */
const LEAST_BYTES: Readonly<Record<number, number>> = {
  [wire.FRAME_SESSION]: wire.WireSession.sizeBytes,
  [wire.FRAME_INSTRUMENT]: wire.WireInstrument.sizeBytes,
  [wire.FRAME_ACK]: wire.WireAck.sizeBytes,
  [wire.FRAME_REJECT]: wire.WireReject.sizeBytes,
  [wire.FRAME_EVENT]: wire.EVENT_PAYLOAD_BYTES,
  [wire.FRAME_GAP]: wire.WireGap.sizeBytes,
  [wire.FRAME_ALIVE]: wire.NUMBER_BYTES,
  [wire.FRAME_ERROR]: wire.WireReject.sizeBytes,
};

/** Frames over TCP. */
export class TcpTransport implements ClientTransport {
  onMessage: (message: GatewayMessage | undefined) => void = () => {};
  readonly #outbox = new Outbox();
  readonly #reader = new wire.FrameReader(wire.GATEWAY_PAYLOAD_BYTES_MAX);
  readonly #bySymbol = new Map<string, Instrument>();
  readonly #byId = new Map<number, Instrument>();
  readonly #entry = new OrderEntry({
    find: (symbol) => this.#bySymbol.get(symbol),
    at: (id) => this.#byId.get(id),
  });
  readonly #ack = wire.WireAck.accessor();
  #socket: Deno.TcpConn | undefined;
  /** The session that was logged on to; told when all its instruments are there. */
  #session: SessionMessage | undefined;
  #missingInstruments = 0;
  #writingBytes = 0;
  #isWriting = false;
  #isClosed = false;

  /** Connects. */
  constructor(hostname: string, port: number) {
    void this.#run(hostname, port);
  }

  /** See {@linkcode ClientTransport}. */
  get bufferedBytes(): number {
    return this.#outbox.length + this.#writingBytes;
  }

  async #run(hostname: string, port: number): Promise<void> {
    try {
      const socket = await Deno.connect({ hostname, port });
      this.#socket = socket;
      if (this.#isClosed) return;
      socket.setNoDelay(true);
      this.#flush();
      await this.#read(socket);
    } catch (error) {
      if (!isSocketError(error)) throw error;
    } finally {
      if (this.#socket !== undefined) closeSocket(this.#socket);
      this.onMessage(undefined);
    }
  }

  async #read(socket: Deno.TcpConn): Promise<void> {
    const bytes = new Uint8Array(READ_BYTES);
    const view = new DataView(bytes.buffer);
    const reader = this.#reader;
    let end = 0;
    for (;;) {
      const count = await socket.read(bytes.subarray(end));
      if (count === null) return;
      end += count;
      let start = 0;
      for (;;) {
        const size = reader.read(view, start, end);
        if (size < 0) return; // No gateway: nothing can be made of the rest.
        if (size === 0) break;
        const message = this.#take(bytes, view);
        if (message !== undefined && !isGatewayMessage(message)) return;
        if (message !== undefined) this.onMessage(message);
        start += size;
      }
      bytes.copyWithin(0, start, end);
      end -= start;
    }
  }

  /** Returns what the frame says that was read, whatever it is; undefined if nothing yet. */
  #take(bytes: Uint8Array<ArrayBuffer>, view: DataView): unknown {
    try {
      return this.#decode(bytes, view);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return NO_MESSAGE; // It has a number that is none of ours.
    }
  }

  #decode(bytes: Uint8Array<ArrayBuffer>, view: DataView): unknown {
    const { type, payloadAt: at, payloadBytes } = this.#reader;
    if (payloadBytes < (LEAST_BYTES[type] ?? 0)) return NO_MESSAGE;
    const textFrom = (offset: number) =>
      decoder.decode(bytes.subarray(at + offset, at + payloadBytes));
    switch (type) {
      case wire.FRAME_EVENT:
        return this.#decodeEvent(view, at);
      case wire.FRAME_ACK: {
        const { clientSequence, sequence, level } = this.#ack.wrap(view, at);
        const word = LEVELS[level] ?? "memory";
        return { type: "ack", clientSequence, sequence, level: word };
      }
      case wire.FRAME_SESSION:
        return this.#takeSession(view, at);
      case wire.FRAME_INSTRUMENT: {
        const { id, priceDecimals, quantityDecimals } = wire.WireInstrument.accessor()
          .wrap(view, at);
        const symbol = textFrom(wire.WireInstrument.sizeBytes);
        return this.#takeInstrument({ id, symbol, priceDecimals, quantityDecimals });
      }
      case wire.FRAME_REJECT:
      case wire.FRAME_ERROR: {
        const found = wire.WireReject.accessor().wrap(view, at);
        const reason = found.reason as RefusalReason;
        const text = textFrom(wire.WireReject.sizeBytes);
        if (type === wire.FRAME_ERROR) return { type: "error", reason, text };
        const clientSequence = found.clientSequence === 0 ? null : found.clientSequence;
        const retry = found.retryAfterMs === 0 ? {} : { retryAfterMs: found.retryAfterMs };
        return { type: "reject", clientSequence, reason, text, ...retry };
      }
      case wire.FRAME_GAP: {
        const { from, to } = wire.WireGap.accessor().wrap(view, at);
        return { type: "gap", from, to };
      }
      case wire.FRAME_ALIVE:
        return { type: "heartbeat", number: readSafe(view, at) };
      default:
        return undefined; // Of a newer gateway.
    }
  }

  #decodeEvent(view: DataView, at: number): unknown {
    const number = readSafe(view, at);
    const sessionId = this.#session?.sessionId ?? 0;
    const instruments = { at: (id: number) => this.#byId.get(id) };
    const place = at + wire.NUMBER_BYTES;
    return toSessionEvent(view, place, { number, sessionId, instruments });
  }

  #takeSession(view: DataView, at: number): unknown {
    const found = wire.WireSession.accessor().wrap(view, at);
    const token = Uint8Array.from({ length: TOKEN_BYTES }, (_, index) => found.token(index));
    const { sessionId, heartbeatMs, lastClientSequence, lastNumber, ordersPerSecond } = found;
    this.#missingInstruments = found.instruments;
    this.#session = {
      ...{ type: "session", sessionId, token: formatToken(token), heartbeatMs },
      ...{ lastClientSequence, lastNumber, ordersPerSecond, instruments: [] },
      isResumed: found.isResumed !== 0,
    };
    return found.instruments === 0 ? this.#session : undefined;
  }

  #takeInstrument(instrument: Instrument): unknown {
    const { symbol, priceDecimals, quantityDecimals } = instrument;
    if (!isDecimals(priceDecimals) || !isDecimals(quantityDecimals)) return NO_MESSAGE;
    this.#byId.set(instrument.id, instrument);
    this.#bySymbol.set(symbol, instrument);
    this.#session?.instruments.push({ symbol, priceDecimals, quantityDecimals });
    return --this.#missingInstruments === 0 ? this.#session : undefined;
  }

  /** Logs on. */
  logon(token: string | undefined, lastReceived: number): void {
    const at = this.#frame(wire.FRAME_LOGON, wire.WireLogon.sizeBytes);
    const logon = wire.WireLogon.accessor().wrap(this.#outbox.view, at);
    if (token === undefined) return;
    logon.lastReceived = lastReceived;
    logon.hasToken = 1;
    parseToken(token)?.forEach((byte, index) => logon.setToken(index, byte));
  }

  /** Sends a request, or refuses it here, where it cannot be written in bytes. */
  request(clientSequence: number, request: ClientRequest): void {
    const outbox = this.#outbox;
    const before = outbox.length;
    const at = this.#frame(wire.FRAME_ORDER, OrderRequest.sizeBytes);
    const refusal = this.#entry.readJson({ clientSequence, ...request }, outbox.view, at);
    if (refusal === undefined) return;
    outbox.shrink(before);
    queueMicrotask(() => this.onMessage({ type: "reject", clientSequence, ...refusal }));
  }

  /** Says that it is there. */
  heartbeat(): void {
    this.#frame(wire.FRAME_HEARTBEAT, 0);
  }

  /** Says that it goes. */
  logout(): void {
    this.#frame(wire.FRAME_LOGOUT, 0);
  }

  /** Begins a frame; its payload is zero. Returns where that begins. */
  #frame(type: number, payloadBytes: number): number {
    const outbox = this.#outbox;
    const at = outbox.reserve(wire.FRAME_HEADER_BYTES + payloadBytes);
    wire.writeFrameHeader(outbox.view, at, type, payloadBytes);
    const payloadAt = at + wire.FRAME_HEADER_BYTES;
    outbox.bytes.fill(0, payloadAt, payloadAt + payloadBytes);
    this.#flush();
    return payloadAt;
  }

  #flush(): void {
    if (this.#isWriting || this.#socket === undefined) return;
    this.#isWriting = true;
    queueMicrotask(() => void this.#write(this.#socket!));
  }

  async #write(socket: Deno.TcpConn): Promise<void> {
    try {
      while (this.#outbox.length > 0) {
        let bytes = this.#outbox.take();
        while (bytes.length > 0) {
          this.#writingBytes = bytes.length;
          bytes = bytes.subarray(await socket.write(bytes));
        }
        this.#writingBytes = 0;
      }
      this.#isWriting = false;
    } catch (error) {
      if (!isSocketError(error)) throw error; // Reading ends, which tells.
    }
  }

  /** Ends it. */
  close(): void {
    this.#isClosed = true;
    this.onMessage = () => {};
    if (this.#socket !== undefined) closeSocket(this.#socket);
  }
}

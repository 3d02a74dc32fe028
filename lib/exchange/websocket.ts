/**
 * WebSockets as a server needs them (RFC 6455): the handshake, and frames in both directions.
 *
 * Why not `Deno.serve`: it takes messages of 64 MiB, waits without end for a request's headers, and
 * can neither pause a client nor say how many it has (tried on Deno 2.9.6). Here each of them is a
 * limit.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Outbox } from "./outbox.ts";

/** A part of a message that is not its first. */
export const OPCODE_CONTINUATION = 0;
/** A message of text. */
export const OPCODE_TEXT = 1;
/** A message of bytes. */
export const OPCODE_BINARY = 2;
/** The end of the connection. */
export const OPCODE_CLOSE = 8;
/** A question whether somebody is there. */
export const OPCODE_PING = 9;
/** The answer. */
export const OPCODE_PONG = 10;

/** Bytes of a frame in front of its payload, at most. */
export const FRAME_OVERHEAD_BYTES = 14;

const CONTROL_PAYLOAD_BYTES_MAX = 125;
const FINAL = 0x80;
const RESERVED = 0x70;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** What a handshake is answered with. */
export interface HandshakeAnswer {
  /** The whole response. */
  response: string;
  /** What is wrong with the request; undefined if the connection may begin. */
  fault: string | undefined;
}

/**
 * Answers the request that begins a WebSocket.
 *
 * A page of another site is refused (its `Origin` is not this host), because a browser would let it
 * speak to an address on the user's own machine.
 *
 * @param request Everything up to the empty line.
 */
export function answerHandshake(request: string): HandshakeAnswer {
  const [line = "", ...rest] = request.split("\r\n");
  const headers = new Map<string, string>();
  for (const header of rest) {
    const colon = header.indexOf(":");
    if (colon > 0) {
      headers.set(header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim());
    }
  }
  if (!/^GET \/[^ ]* HTTP\/1\.1$/.test(line)) return refuse(400, "a GET request of HTTP/1.1");
  const isUpgrade = /(^|,\s*)upgrade(\s*,|$)/i.test(headers.get("connection") ?? "");
  if (!isUpgrade || headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return refuse(426, "a WebSocket");
  }
  if (headers.get("sec-websocket-version") !== "13") return refuse(426, "WebSocket version 13");
  const key = headers.get("sec-websocket-key") ?? "";
  if (!/^[A-Za-z0-9+/]{22}==$/.test(key)) return refuse(400, "a Sec-WebSocket-Key of 16 bytes");
  const origin = headers.get("origin");
  if (origin !== undefined && origin.replace(/^https?:\/\//, "") !== headers.get("host")) {
    return refuse(403, "no page of another origin");
  }
  const accept = createHash("sha1").update(key + GUID).digest("base64");
  const lines = [
    ...["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"],
    `Sec-WebSocket-Accept: ${accept}`,
  ];
  return { response: `${lines.join("\r\n")}\r\n\r\n`, fault: undefined };
}

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  408: "Request Timeout",
  426: "Upgrade Required",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable",
};

function refuse(status: number, expected: string): HandshakeAnswer {
  const fault = `request: expected ${expected}`;
  return { response: httpError(status, fault), fault };
}

/** A response that ends a connection before it was a WebSocket. `text` is ASCII. */
export function httpError(status: number, text: string): string {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_TEXTS[status]}`,
    ...(status === 426 ? ["Upgrade: websocket", "Sec-WebSocket-Version: 13"] : []),
    ...["Connection: close", "Content-Type: text/plain", `Content-Length: ${text.length + 1}`],
  ];
  return `${lines.join("\r\n")}\r\n\r\n${text}\n`;
}

/** Reads frames of a client out of bytes that come in pieces of any size. */
export class WebSocketReader {
  /** What the frame that was read is. */
  opcode = 0;
  /** Whether it is the last of its message. */
  isFinal = false;
  /** Where its payload begins; it is unmasked. */
  payloadAt = 0;
  /** Bytes of it. */
  payloadBytes = 0;
  /** What is wrong, where `read` has returned -1. */
  fault = "";
  /** Whether it is that the frame is too long. */
  isTooLong = false;
  readonly #payloadBytesMax: number;

  /** Reads frames with at most so many bytes of payload. */
  constructor(payloadBytesMax: number) {
    this.#payloadBytesMax = payloadBytesMax;
  }

  /**
   * Reads the frame that begins at `at`, and unmasks its payload where it lies. A frame that is too
   * long is refused by its first bytes.
   *
   * @returns Bytes of the frame; 0 if it is not all there; -1 if it is none.
   */
  read(bytes: Uint8Array, at: number, end: number): number {
    const size = end - at;
    if (size < 2) return 0;
    const first = bytes[at]!;
    const second = bytes[at + 1]!;
    const opcode = first & 0x0f;
    const isControl = opcode >= OPCODE_CLOSE;
    this.isFinal = (first & FINAL) !== 0;
    if ((first & RESERVED) !== 0) return this.#refuse("reserved bits: expected none");
    if (opcode > OPCODE_BINARY && !isControl || opcode > OPCODE_PONG) {
      return this.#refuse(`opcode: expected 0, 1, 8, 9 or 10, found ${opcode}`);
    }
    if ((second & MASKED) === 0) return this.#refuse("mask: expected one, found none");
    const short = second & 0x7f;
    if (isControl && (!this.isFinal || short > CONTROL_PAYLOAD_BYTES_MAX)) {
      return this.#refuse("control frame: expected one whole frame of at most 125 bytes");
    }
    const lengthBytes = short === LENGTH_64 ? 8 : short === LENGTH_16 ? 2 : 0;
    if (size < 2 + lengthBytes) return 0;
    let payloadBytes = lengthBytes === 0 ? short : 0;
    for (let index = 0; index < lengthBytes; index++) {
      payloadBytes = payloadBytes * 256 + bytes[at + 2 + index]!;
    }
    if (payloadBytes > this.#payloadBytesMax) {
      this.isTooLong = true;
      const most = `at most ${this.#payloadBytesMax} bytes`;
      return this.#refuse(`message: expected ${most}, found ${payloadBytes} or more`);
    }
    const maskAt = at + 2 + lengthBytes;
    const payloadAt = maskAt + 4;
    if (end < payloadAt + payloadBytes) return 0;
    for (let index = 0; index < payloadBytes; index++) {
      bytes[payloadAt + index]! ^= bytes[maskAt + (index & 3)]!;
    }
    this.opcode = opcode;
    this.payloadAt = payloadAt;
    this.payloadBytes = payloadBytes;
    return payloadAt + payloadBytes - at;
  }

  #refuse(fault: string): -1 {
    this.fault = `frame ${fault}`;
    return -1;
  }
}

const encoder = new TextEncoder();

/** Writes a message of text. */
export function writeText(outbox: Outbox, text: string): void {
  // Nearly all is ASCII, which is encoded in its place; the rest takes a copy.
  const at = writeHeader(outbox, OPCODE_TEXT, text.length);
  const { read, written } = encoder.encodeInto(text, outbox.bytes.subarray(at, at + text.length));
  if (read === text.length && written === text.length) return;
  outbox.shrink(outbox.length - headerBytes(text.length) - text.length);
  const bytes = encoder.encode(text);
  const payloadAt = writeHeader(outbox, OPCODE_TEXT, bytes.length);
  outbox.bytes.set(bytes, payloadAt);
}

/** Writes a control frame. At most 125 bytes. */
export function writeControl(outbox: Outbox, opcode: number, payload: Uint8Array): void {
  const at = writeHeader(outbox, opcode, payload.length);
  outbox.bytes.set(payload, at);
}

/** Writes the end of a connection. */
export function writeClose(outbox: Outbox, code: number): void {
  writeControl(outbox, OPCODE_CLOSE, Uint8Array.of(code >> 8, code & 0xff));
}

function headerBytes(payloadBytes: number): number {
  return payloadBytes < LENGTH_16 ? 2 : payloadBytes <= 0xffff ? 4 : 10;
}

/** Begins a frame. Returns where its payload begins. */
function writeHeader(outbox: Outbox, opcode: number, payloadBytes: number): number {
  const size = headerBytes(payloadBytes);
  const at = outbox.reserve(size + payloadBytes);
  const { bytes, view } = outbox;
  bytes[at] = FINAL | opcode;
  if (size === 2) {
    bytes[at + 1] = payloadBytes;
  } else if (size === 4) {
    bytes[at + 1] = LENGTH_16;
    view.setUint16(at + 2, payloadBytes);
  } else {
    bytes[at + 1] = LENGTH_64;
    view.setUint32(at + 2, Math.floor(payloadBytes / 0x1_0000_0000));
    view.setUint32(at + 6, payloadBytes >>> 0);
  }
  return at + size;
}

/**
 * WebSocket frames (RFC 6455): how they are written, and how one is read where it lies.
 *
 * @module
 */

/** A part of a message that is not its first. */
export const OPCODE_CONTINUATION = 0;
/** A message of text, or its first part. */
export const OPCODE_TEXT = 1;
/** A message of bytes, or its first part. */
export const OPCODE_BINARY = 2;
/** The last frame of a side. */
export const OPCODE_CLOSE = 8;
/** Wants a pong with the same bytes. */
export const OPCODE_PING = 9;
/** The answer to a ping. */
export const OPCODE_PONG = 10;

/** All is done. */
export const CLOSE_NORMAL = 1000;
/** This side ends, or leaves the page. */
export const CLOSE_GOING_AWAY = 1001;
/** The other side has broken RFC 6455. */
export const CLOSE_PROTOCOL_ERROR = 1002;
/** It has sent a kind of message that this side does not take. */
export const CLOSE_UNSUPPORTED = 1003;
/** It has sent text that is not UTF-8. */
export const CLOSE_BAD_TEXT = 1007;
/** It has broken a rule of this side. */
export const CLOSE_POLICY = 1008;
/** It has sent too long a message. */
export const CLOSE_TOO_LARGE = 1009;

/** Bytes of a frame in front of its payload, at most. */
export const HEAD_BYTES_MAX = 14;

/** Longest payload of a control frame, and longest whose length is in the second byte. */
const SHORT_BYTES_MAX = 125;
/** Stands in the second byte where the length follows in two bytes. */
const LENGTH_IN_2_BYTES = 126;
/** Stands in the second byte where the length follows in eight bytes. */
const LENGTH_IN_8_BYTES = 127;
const FINAL_BIT = 0x80;
const RESERVED_BITS = 0x70;
const MASK_BIT = 0x80;
const MASK_BYTES = 4;

const encoder = new TextEncoder();

/** Thrown when a peer does not keep to RFC 6455, or says more than it may. */
export class WebSocketError extends Error {
  /** Name of the class. */
  override name = "WebSocketError";
  /** With which its connection is to be closed: a `CLOSE_…`. */
  readonly code: number;

  /** `message` is ASCII, and may be told to the peer. */
  constructor(message: string, code: number = CLOSE_PROTOCOL_ERROR) {
    super(message);
    this.code = code;
  }
}

/** Bytes in front of a payload that is not masked. */
export function headBytes(payloadBytes: number): number {
  return payloadBytes <= SHORT_BYTES_MAX ? 2 : payloadBytes <= 0xffff ? 4 : 10;
}

/**
 * Writes what stands in front of a payload: of a frame that ends its message, and is not masked.
 *
 * @param bytes Have room at `at` for {@linkcode headBytes}.
 * @returns Where the payload begins.
 */
export function writeHead(
  bytes: Uint8Array,
  at: number,
  opcode: number,
  payloadBytes: number,
): number {
  const end = at + headBytes(payloadBytes);
  bytes[at] = FINAL_BIT | opcode;
  if (payloadBytes <= SHORT_BYTES_MAX) {
    bytes[at + 1] = payloadBytes;
    return end;
  }
  bytes[at + 1] = payloadBytes <= 0xffff ? LENGTH_IN_2_BYTES : LENGTH_IN_8_BYTES;
  let rest = payloadBytes;
  for (let index = end - 1; index > at + 1; index--) {
    bytes[index] = rest; // The lowest eight bits of it.
    rest = Math.floor(rest / 256);
  }
  return end;
}

/**
 * Makes a frame that ends its message.
 *
 * @param mask Four random bytes where a client sends; a server masks nothing.
 */
export function encodeFrame(
  opcode: number,
  payload: Uint8Array,
  mask?: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const maskBytes = mask === undefined ? 0 : MASK_BYTES;
  const frame = new Uint8Array(headBytes(payload.length) + maskBytes + payload.length);
  const headEnd = writeHead(frame, 0, opcode, payload.length);
  frame.set(payload, headEnd + maskBytes);
  if (mask === undefined) return frame;
  frame[1]! |= MASK_BIT;
  frame.set(mask, headEnd);
  applyMask(frame, headEnd, payload.length);
  return frame;
}

/** Makes a server's frame of text. */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  return encodeFrame(OPCODE_TEXT, encoder.encode(text));
}

/** Makes a server's frame that says why the connection ends, as far as the reason has room. */
export function encodeClose(code: number, reason = ""): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(SHORT_BYTES_MAX);
  payload.set([code >> 8, code & 0xff]);
  const { written } = encoder.encodeInto(reason, payload.subarray(2));
  return encodeFrame(OPCODE_CLOSE, payload.subarray(0, 2 + written));
}

/** Masks the payload behind a mask, or unmasks it. */
function applyMask(bytes: Uint8Array, maskAt: number, payloadBytes: number): void {
  const payloadAt = maskAt + MASK_BYTES;
  for (let index = 0; index < payloadBytes; index++) {
    bytes[payloadAt + index]! ^= bytes[maskAt + (index & 3)]!;
  }
}

/** Reads frames out of bytes that are the peer's, whatever they are. */
export class FrameReader {
  /** What the frame that was read is. */
  opcode = 0;
  /** Whether it ends its message. */
  isFinal = false;
  /** Where its payload begins; it is not masked any more. */
  payloadAt = 0;
  /** Bytes of it. */
  payloadBytes = 0;
  /** Longest payload of the next frame, unless that is a control frame. */
  payloadBytesMax: number;
  readonly #isMasked: boolean;

  /** `isMasked`: whether the peer is a client, which must mask its frames, or a server. */
  constructor({ payloadBytesMax, isMasked }: { payloadBytesMax: number; isMasked: boolean }) {
    this.payloadBytesMax = payloadBytesMax;
    this.#isMasked = isMasked;
  }

  /**
   * Reads the frame that begins at `at`, and unmasks its payload where it lies. What is too long is
   * refused by its first bytes.
   *
   * @returns Bytes of the frame; 0 if it is not all there, and then nothing has changed.
   * @throws {WebSocketError} If it is none that the peer may send. There is nothing behind it.
   */
  read(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < 2) return 0;
    const first = bytes[at]!;
    const second = bytes[at + 1]!;
    const isFinal = (first & FINAL_BIT) !== 0;
    const opcode = first & 0x0f;
    const short = second & 0x7f;
    this.#check(first, second);
    const lengthBytes = short <= SHORT_BYTES_MAX ? 0 : short === LENGTH_IN_2_BYTES ? 2 : 8;
    if (end - at < 2 + lengthBytes) return 0;
    let payloadBytes = lengthBytes === 0 ? short : 0;
    for (let index = 0; index < lengthBytes; index++) {
      payloadBytes = payloadBytes * 256 + bytes[at + 2 + index]!; // Above 2^53 not exact: refused.
    }
    if (payloadBytes > this.payloadBytesMax && opcode < OPCODE_CLOSE) {
      throw new WebSocketError(
        `frame: expected at most ${this.payloadBytesMax} bytes, found ${payloadBytes}`,
        CLOSE_TOO_LARGE,
      );
    }
    const headEnd = at + 2 + lengthBytes;
    const payloadAt = this.#isMasked ? headEnd + MASK_BYTES : headEnd;
    if (end < payloadAt + payloadBytes) return 0;
    if (this.#isMasked) applyMask(bytes, headEnd, payloadBytes);
    this.opcode = opcode;
    this.isFinal = isFinal;
    this.payloadAt = payloadAt;
    this.payloadBytes = payloadBytes;
    return payloadAt + payloadBytes - at;
  }

  #check(first: number, second: number): void {
    if ((first & RESERVED_BITS) !== 0) {
      throw new WebSocketError("frame: expected no reserved bits, found some");
    }
    const opcode = first & 0x0f;
    const isControl = opcode >= OPCODE_CLOSE;
    if (opcode > OPCODE_PONG || opcode > OPCODE_BINARY && !isControl) {
      throw new WebSocketError(`frame: expected opcode 0, 1, 2, 8, 9 or 10, found ${opcode}`);
    }
    if (((second & MASK_BIT) !== 0) !== this.#isMasked) {
      throw new WebSocketError(`frame: expected it ${this.#isMasked ? "" : "not "}masked`);
    }
    if (isControl && ((first & FINAL_BIT) === 0 || (second & 0x7f) > SHORT_BYTES_MAX)) {
      throw new WebSocketError(
        `control frame: expected a whole one of at most ${SHORT_BYTES_MAX} bytes`,
      );
    }
  }
}

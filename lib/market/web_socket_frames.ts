/**
 * WebSocket frames (RFC 6455): what the feed client and the fake exchange say to each other.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** A further part of a message. */
export const OPCODE_CONTINUATION = 0;
/** UTF-8 text, or its first part. */
export const OPCODE_TEXT = 1;
/** Bytes, or their first part. */
export const OPCODE_BINARY = 2;
/** The last frame of a side. */
export const OPCODE_CLOSE = 8;
/** Wants a pong. */
export const OPCODE_PING = 9;
/** The answer to a ping. */
export const OPCODE_PONG = 10;

const FINAL_BIT = 0x80;
const MASK_BIT = 0x80;
const RESERVED_BITS = 0x70;
/** Longest payload of a control frame, and longest whose length is in the second byte. */
const SHORT_BYTES_MAX = 125;
/** In the second byte: the length follows in two bytes. */
const LENGTH_IN_2_BYTES = 126;
/** In the second byte: the length follows in eight bytes. */
const LENGTH_IN_8_BYTES = 127;
const MASK_BYTES = 4;
/** Where a long length begins in a frame, and where its lower half, if it has eight bytes. */
const LENGTH_AT = 2;
const LENGTH_LOW_AT = 6;
/** Bytes that a reader has room for at first. Arbitrary: most messages have less. */
const BUFFER_BYTES = 16 * 1024;

/** Appended to a client's key by who has understood that it is a WebSocket: RFC 6455, 1.3. */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Thrown when a peer does not speak WebSocket, or says more than it may. */
export class WebSocketError extends Error {
  /** Name of the class. */
  override name = "WebSocketError";
}

/** One frame. */
export interface Frame {
  /** An `OPCODE_…`, or a number that has no meaning. */
  readonly opcode: number;
  /** Whether it ends its message. */
  readonly isFinal: boolean;
  /** Valid until the reader is given more bytes. */
  readonly payload: Uint8Array;
}

/** The answer to a client's key, by which it knows that it was understood. */
export function acceptKey(key: string): string {
  return createHash("sha1").update(key + ACCEPT_SUFFIX).digest("base64");
}

/**
 * Makes the bytes of a frame that ends its message.
 *
 * @param mask Four random bytes where a client sends; a server masks nothing.
 */
export function encodeFrame(
  opcode: number,
  payload: Uint8Array,
  mask?: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const { length } = payload;
  const maskBit = mask === undefined ? 0 : MASK_BIT;
  const lengthBytes = length <= SHORT_BYTES_MAX ? 0 : length <= 0xffff ? 2 : 8;
  const headBytes = 2 + lengthBytes + (mask === undefined ? 0 : MASK_BYTES);
  const frame = new Uint8Array(headBytes + length);
  const view = new DataView(frame.buffer);
  frame[0] = FINAL_BIT | opcode;
  if (lengthBytes === 0) frame[1] = maskBit | length;
  else if (lengthBytes === 2) {
    frame[1] = maskBit | LENGTH_IN_2_BYTES;
    view.setUint16(LENGTH_AT, length);
  } else {
    frame[1] = maskBit | LENGTH_IN_8_BYTES;
    view.setUint32(LENGTH_LOW_AT, length); // No array is so long that its upper half were not 0.
  }
  frame.set(payload, headBytes);
  if (mask !== undefined) {
    frame.set(mask, headBytes - MASK_BYTES);
    unmask(frame.subarray(headBytes), mask);
  }
  return frame;
}

function unmask(payload: Uint8Array, mask: Uint8Array): void {
  for (let index = 0; index < payload.length; index++) payload[index]! ^= mask[index & 3]!;
}

/**
 * Cuts a stream of bytes into frames.
 *
 * Every byte is the peer's: a length is refused before memory is taken for it.
 */
export class FrameReader {
  readonly #payloadBytesMax: number;
  readonly #isMasked: boolean;
  #bytes = new Uint8Array(BUFFER_BYTES);
  #start = 0;
  #end = 0;

  /** `isMasked`: whether the peer is a client, whose frames are masked, or a server. */
  constructor({ payloadBytesMax, isMasked }: { payloadBytesMax: number; isMasked: boolean }) {
    this.#payloadBytesMax = payloadBytesMax;
    this.#isMasked = isMasked;
  }

  /** Takes the next bytes of the stream; they are copied. */
  append(bytes: Uint8Array): void {
    const held = this.#end - this.#start;
    if (this.#end + bytes.length > this.#bytes.length) {
      let room = this.#bytes;
      if (held + bytes.length > room.length) {
        room = new Uint8Array(2 * Math.max(room.length, held + bytes.length));
      }
      room.set(this.#bytes.subarray(this.#start, this.#end));
      this.#bytes = room;
      this.#start = 0;
      this.#end = held;
    }
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /**
   * Returns the next frame, or undefined until more bytes have come.
   *
   * @throws {WebSocketError} If the bytes are no frames, or a payload is longer than allowed.
   */
  next(): Frame | undefined {
    const bytes = this.#bytes;
    const held = this.#end - this.#start;
    if (held < 2) return undefined;
    const [first, second] = [bytes[this.#start]!, bytes[this.#start + 1]!];
    const isFinal = (first & FINAL_BIT) !== 0;
    const opcode = first & 0x0f;
    const short = second & 0x7f;
    const isControl = opcode >= OPCODE_CLOSE;
    if ((first & RESERVED_BITS) !== 0 || isControl && (!isFinal || short > SHORT_BYTES_MAX)) {
      throw new WebSocketError(`Cannot read a frame: found it beginning with ${first}, ${second}`);
    }
    if (((second & MASK_BIT) !== 0) !== this.#isMasked) {
      throw new WebSocketError(`Cannot read a frame: expected masked ${this.#isMasked}`);
    }
    const length = this.#length(short, held);
    if (length === undefined) return undefined;
    const lengthBytes = short <= SHORT_BYTES_MAX ? 0 : short === LENGTH_IN_2_BYTES ? 2 : 8;
    const headBytes = 2 + lengthBytes + (this.#isMasked ? MASK_BYTES : 0);
    if (held < headBytes + length) return undefined;
    const at = this.#start + headBytes;
    const payload = bytes.subarray(at, at + length);
    if (this.#isMasked) unmask(payload, bytes.subarray(at - MASK_BYTES, at));
    this.#start = at + length;
    return { opcode, isFinal, payload };
  }

  /** The payload's length, or undefined if not all of its bytes are there. */
  #length(short: number, held: number): number | undefined {
    let length = short;
    if (short > SHORT_BYTES_MAX) {
      if (held < (short === LENGTH_IN_2_BYTES ? 4 : 10)) return undefined;
      const view = new DataView(this.#bytes.buffer, this.#start);
      length = short === LENGTH_IN_2_BYTES
        ? view.getUint16(LENGTH_AT)
        : view.getUint32(LENGTH_AT) * 2 ** 32 + view.getUint32(LENGTH_LOW_AT);
    }
    if (length <= this.#payloadBytesMax) return length;
    throw new WebSocketError(
      `Cannot read a frame: expected at most ${this.#payloadBytesMax} bytes, found ${length}`,
    );
  }
}

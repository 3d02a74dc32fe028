/**
 * WebSocket frames (RFC 6455): what a server sends, and what it takes from a client.
 *
 * @module
 */

/** Kinds of a frame. */
export const OPCODES = {
  continuation: 0,
  text: 1,
  binary: 2,
  close: 8,
  ping: 9,
  pong: 10,
} as const;

/** Reasons to close, of those that RFC 6455 names. */
export const CLOSE_CODES = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupported: 1003,
  badText: 1007,
  policy: 1008,
  tooLarge: 1009,
} as const;

/** Bytes of a control frame's payload at most, says RFC 6455. */
const CONTROL_BYTES_MAX = 125;

const encoder = new TextEncoder();

/** Returns a frame with a text: the same bytes for every client, as a server masks nothing. */
export function textFrame(text: string): Uint8Array<ArrayBuffer> {
  return frame(OPCODES.text, encoder.encode(text));
}

/** Returns a frame that says why the connection ends. */
export function closeFrame(code: number, reason: string): Uint8Array<ArrayBuffer> {
  const { read } = encoder.encodeInto(reason, new Uint8Array(CONTROL_BYTES_MAX - 2));
  const text = encoder.encode(reason.slice(0, read));
  const payload = new Uint8Array(2 + text.length);
  payload.set([code >> 8, code & 0xff]);
  payload.set(text, 2);
  return frame(OPCODES.close, payload);
}

/** Returns a whole frame. */
export function frame(opcode: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const { length } = payload;
  const headBytes = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const bytes = new Uint8Array(headBytes + length);
  bytes[0] = 0x80 | opcode;
  bytes[1] = headBytes === 2 ? length : headBytes === 4 ? 126 : 127;
  // Big-endian up to the head's end; of 8 bytes the upper half is 0: no text is that long.
  const lengthBytes = Math.min(4, headBytes - 2);
  for (let at = 1; at <= lengthBytes; at++) bytes[headBytes - at] = length >>> (8 * (at - 1));
  bytes.set(payload, headBytes);
  return bytes;
}

/** A client has broken the protocol: close with this code and reason. */
export class FrameError extends Error {
  override name = "FrameError";
  /** One of {@linkcode CLOSE_CODES}. */
  readonly code: number;

  constructor(code: number, reason: string) {
    super(reason);
    this.code = code;
  }
}

/** Told of what a client has sent. */
export interface FrameReceiver {
  /** A whole message. */
  onText(text: string): void;
  /** To be answered by a pong with the same bytes. */
  onPing(payload: Uint8Array): void;
  /** The answer to a ping. */
  onPong(): void;
  /** The client wants to end: to be answered with the same code. */
  onClose(code: number): void;
}

/**
 * Takes a client's bytes apart, whatever they are and in whatever pieces they come. Holds at most
 * one message, and none that is too large: that is refused by its head.
 */
export class FrameReader {
  readonly #receiver: FrameReceiver;
  readonly #messageBytesMax: number;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #rest: Uint8Array = new Uint8Array();
  /** Payloads of a message's first frames; undefined between messages. */
  #parts: Uint8Array[] | undefined;
  #partBytes = 0;

  /** `messageBytesMax` counts the payloads of all frames of a message. */
  constructor(receiver: FrameReceiver, messageBytesMax: number) {
    this.#receiver = receiver;
    this.#messageBytesMax = messageBytesMax;
  }

  /**
   * Takes bytes as they come.
   *
   * @throws {FrameError} If they are none that a client may send; then take no more.
   */
  take(bytes: Uint8Array): void {
    let data = this.#rest.length === 0 ? bytes : joined([this.#rest, bytes]);
    for (;;) {
      const size = this.#frameBytes(data);
      if (size === undefined || data.length < size.head + size.payload) break;
      const payload = data.slice(size.head, size.head + size.payload);
      const mask = data.subarray(size.head - 4, size.head);
      for (let at = 0; at < payload.length; at++) payload[at]! ^= mask[at & 3]!;
      this.#deliver(data[0]!, payload);
      data = data.subarray(size.head + size.payload);
    }
    this.#rest = data.slice();
  }

  /** Sizes of the frame that begins here; undefined where more has to come to know. */
  #frameBytes(data: Uint8Array): { head: number; payload: number } | undefined {
    if (data.length < 2) return undefined;
    const [first, second] = [data[0]!, data[1]!];
    if ((first & 0x70) !== 0) throw protocolError("a reserved bit");
    if ((second & 0x80) === 0) throw protocolError("a frame that is not masked");
    const short = second & 0x7f;
    const head = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + 4;
    if (data.length < head) return undefined;
    // Exact up to 2^53, and far more than that is refused anyway.
    const long = data.subarray(2, head - 4).reduce((sum, byte) => sum * 256 + byte, 0);
    const payload = short < 126 ? short : long;
    const isControl = (first & 8) !== 0;
    if (isControl && (payload > CONTROL_BYTES_MAX || (first & 0x80) === 0)) {
      throw protocolError("a control frame in parts, or one too long");
    }
    if (!isControl && payload + this.#partBytes > this.#messageBytesMax) {
      throw new FrameError(
        CLOSE_CODES.tooLarge,
        `expected at most ${this.#messageBytesMax} bytes a message`,
      );
    }
    return { head, payload };
  }

  #deliver(first: number, payload: Uint8Array): void {
    const opcode = first & 0x0f;
    switch (opcode) {
      case OPCODES.ping:
        return this.#receiver.onPing(payload);
      case OPCODES.pong:
        return this.#receiver.onPong();
      case OPCODES.close:
        return this.#receiver.onClose(closeCodeOf(payload));
      case OPCODES.binary:
        throw new FrameError(CLOSE_CODES.unsupported, "expected text, found a binary message");
      case OPCODES.text:
      case OPCODES.continuation:
        break;
      default:
        throw protocolError(`opcode ${opcode}`);
    }
    if ((opcode === OPCODES.text) !== (this.#parts === undefined)) {
      throw protocolError("a message inside of another, or a part of none");
    }
    this.#parts ??= [];
    // An empty part costs the sender 6 bytes and would cost us an object each.
    if (payload.length > 0) this.#parts.push(payload);
    this.#partBytes += payload.length;
    if ((first & 0x80) === 0) return;
    const whole = joined(this.#parts);
    this.#parts = undefined;
    this.#partBytes = 0;
    this.#receiver.onText(this.#decode(whole));
  }

  #decode(bytes: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new FrameError(CLOSE_CODES.badText, "expected UTF-8");
    }
  }
}

function closeCodeOf(payload: Uint8Array): number {
  if (payload.length === 0) return CLOSE_CODES.normal;
  const code = payload.length === 1 ? 0 : payload[0]! * 256 + payload[1]!;
  const isAllowed = code >= 1000 && code <= 1011 && ![1004, 1005, 1006].includes(code) ||
    code >= 3000 && code <= 4999;
  return isAllowed ? code : CLOSE_CODES.protocolError;
}

function protocolError(found: string): FrameError {
  return new FrameError(CLOSE_CODES.protocolError, `found ${found}`);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

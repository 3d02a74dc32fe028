/**
 * Messages of a WebSocket, put together from their frames.
 *
 * @module
 */

import {
  CLOSE_BAD_TEXT,
  CLOSE_NORMAL,
  CLOSE_PROTOCOL_ERROR,
  CLOSE_TOO_LARGE,
  FrameReader,
  OPCODE_CLOSE,
  OPCODE_CONTINUATION,
  WebSocketError,
} from "./frame.ts";

/** What a peer may send. */
export interface MessageLimits {
  /** Longest message in bytes, the payloads of all its frames together. */
  readonly messageBytesMax: number;
  /** Whether the peer is a client, which must mask its frames, or a server. */
  readonly isMasked: boolean;
}

/** A whole message, or a control frame. */
export interface Message {
  /** An `OPCODE_…`. */
  readonly opcode: number;
  /** Good until the next is read. */
  readonly payload: Uint8Array;
  /**
   * The payload as text.
   *
   * @throws {WebSocketError} If it is not UTF-8.
   */
  readonly text: string;
  /** Of `OPCODE_CLOSE`: the code to answer it with. */
  readonly closeCode: number;
}

/** Room for the parts of a message at first. Arbitrary. */
const PARTS_BYTES = 256;

const NOTHING = new Uint8Array(0);

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads messages out of bytes that are the peer's, where they lie.
 *
 * A message in parts is put together in one buffer, which is never longer than the longest message,
 * and is let go with the message. Each part counts as at least one byte, so that no message is
 * without end.
 */
export class MessageReader implements Message {
  /** What was read last; `OPCODE_CONTINUATION` for a part of a message that is not whole. */
  opcode = OPCODE_CONTINUATION;
  /** See {@linkcode Message.payload}. */
  payload: Uint8Array = NOTHING;
  readonly #frame: FrameReader;
  readonly #messageBytesMax: number;
  #parts = NOTHING;
  #partsBytes = 0;
  /** What the parts will be; `OPCODE_CONTINUATION` between messages. */
  #partsOpcode = OPCODE_CONTINUATION;

  /** Reads nothing yet. */
  constructor({ messageBytesMax, isMasked }: MessageLimits) {
    this.#frame = new FrameReader({ payloadBytesMax: messageBytesMax, isMasked });
    this.#messageBytesMax = messageBytesMax;
  }

  /**
   * Reads the next frame, unmasks it where it lies, and keeps a copy of it only if it is a part.
   *
   * @returns Bytes that it took; 0 if the frame is not all there, and then nothing has changed.
   * @throws {WebSocketError} If it is none that the peer may send; read no more then.
   */
  read(bytes: Uint8Array, at: number, end: number): number {
    const frame = this.#frame;
    const size = frame.read(bytes, at, end);
    if (size === 0) return 0;
    const payload = bytes.subarray(frame.payloadAt, frame.payloadAt + frame.payloadBytes);
    const isInParts = this.#partsOpcode !== OPCODE_CONTINUATION;
    if (frame.opcode < OPCODE_CLOSE) {
      if ((frame.opcode === OPCODE_CONTINUATION) !== isInParts) {
        throw new WebSocketError("message: expected its parts in a row");
      }
      if (isInParts || !frame.isFinal) {
        this.#takePart(payload);
        return size;
      }
    }
    this.opcode = frame.opcode;
    this.payload = payload;
    return size;
  }

  /** See {@linkcode Message.text}. */
  get text(): string {
    try {
      return decoder.decode(this.payload);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new WebSocketError("message: expected UTF-8", CLOSE_BAD_TEXT);
    }
  }

  /** See {@linkcode Message.closeCode}. */
  get closeCode(): number {
    const { payload } = this;
    if (payload.length === 0) return CLOSE_NORMAL;
    const code = payload.length === 1 ? 0 : payload[0]! * 256 + payload[1]!;
    const isAllowed = code >= 1000 && code <= 1011 && ![1004, 1005, 1006].includes(code) ||
      code >= 3000 && code <= 4999;
    return isAllowed ? code : CLOSE_PROTOCOL_ERROR;
  }

  #takePart(payload: Uint8Array): void {
    const frame = this.#frame;
    frame.payloadBytesMax -= Math.max(1, payload.length);
    if (frame.payloadBytesMax < 0) {
      throw new WebSocketError(
        `message: expected at most ${this.#messageBytesMax} bytes, found more in parts`,
        CLOSE_TOO_LARGE,
      );
    }
    this.#keep(payload);
    if (frame.opcode !== OPCODE_CONTINUATION) this.#partsOpcode = frame.opcode;
    if (!frame.isFinal) {
      this.opcode = OPCODE_CONTINUATION;
      this.payload = NOTHING;
      return;
    }
    this.opcode = this.#partsOpcode;
    this.payload = this.#parts.subarray(0, this.#partsBytes);
    this.#parts = NOTHING;
    this.#partsBytes = 0;
    this.#partsOpcode = OPCODE_CONTINUATION;
    frame.payloadBytesMax = this.#messageBytesMax;
  }

  #keep(payload: Uint8Array): void {
    const needed = this.#partsBytes + payload.length;
    if (needed > this.#parts.length) {
      const wanted = Math.max(PARTS_BYTES, 2 * needed);
      const grown = new Uint8Array(Math.min(wanted, this.#messageBytesMax));
      grown.set(this.#parts.subarray(0, this.#partsBytes));
      this.#parts = grown;
    }
    this.#parts.set(payload, this.#partsBytes);
    this.#partsBytes = needed;
  }
}

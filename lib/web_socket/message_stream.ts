/**
 * Messages of a WebSocket, out of bytes that come in pieces of any size.
 *
 * @module
 */

import { OPCODE_CONTINUATION } from "./frame.ts";
import { type Message, type MessageLimits, MessageReader } from "./message_reader.ts";

const NOTHING = new Uint8Array(0);

/**
 * Takes pieces, and gives the messages in them. Where all of a piece was given, it holds nothing;
 * it never holds more than some lengths of the longest message and the longest piece.
 */
export class MessageStream {
  readonly #reader: MessageReader;
  #bytes: Uint8Array = NOTHING;
  #at = 0;
  #end = 0;
  /** Whether the bytes are its own: those of a piece are the caller's. */
  #isOwn = true;

  /** Holds nothing yet. */
  constructor(limits: MessageLimits) {
    this.#reader = new MessageReader(limits);
  }

  /**
   * Takes the next piece. Its bytes are used where they lie, and changed, until `next` has returned
   * undefined.
   */
  append(piece: Uint8Array): void {
    const held = this.#end - this.#at;
    if (held === 0) {
      this.#bytes = piece;
      this.#at = 0;
      this.#end = piece.length;
      this.#isOwn = false;
      return;
    }
    const size = held + piece.length;
    if (!this.#isOwn || this.#end + piece.length > this.#bytes.length) {
      const isLarge = this.#isOwn && size <= this.#bytes.length;
      this.#moveTo(isLarge ? this.#bytes : new Uint8Array(2 * size));
    }
    this.#bytes.set(piece, this.#end);
    this.#end += piece.length;
  }

  /**
   * Returns the next message, or undefined until more bytes have come.
   *
   * @throws {WebSocketError} If the bytes are none that the peer may send; ask no more then.
   */
  next(): Message | undefined {
    const reader = this.#reader;
    for (;;) {
      const size = reader.read(this.#bytes, this.#at, this.#end);
      if (size === 0) break;
      this.#at += size;
      if (reader.opcode !== OPCODE_CONTINUATION) return reader;
    }
    if (this.#end === this.#at) this.#moveTo(NOTHING);
    else if (!this.#isOwn) this.#moveTo(new Uint8Array(this.#end - this.#at));
    return undefined;
  }

  /** Moves what it holds to the beginning of `room`. */
  #moveTo(room: Uint8Array): void {
    room.set(this.#bytes.subarray(this.#at, this.#end));
    this.#bytes = room;
    this.#end -= this.#at;
    this.#at = 0;
    this.#isOwn = true;
  }
}

/**
 * A message as a consumer hands it out. The bytes of a record: docs/format.md.
 *
 * @module
 */

import * as layout from "../native/_layout.ts";

/** Result of `offer` when the ring is full: retry later, or ask {@linkcode Producer.gating} who. */
export const BACK_PRESSURED: -2 = layout.BACK_PRESSURED;

/** Result of `offer` when the channel's log has no room: retry later, or make room. */
export const WAL_FULL: -33 = layout.WAL_FULL;

/** Bits that a producer may put on a message. */
export const MESSAGE_FLAGS = {
  /** Wants the strongest durability that its channel has. */
  critical: layout.RECORD_CRITICAL,
  /** Two bits that are the application's own. */
  user: layout.RECORD_USER,
} as const;

const decoder = new TextDecoder();

/**
 * One message. The object and its bytes are used again: both are good until the handler returns, or
 * until the loop asks for the next message. Copy what has to live longer.
 */
export class Message {
  /** Number of the message in its channel: 1, 2, 3 … A split one has that of its last record. */
  sequence = 0;
  /** Bytes of payload. */
  length = 0;
  /** Bits of {@linkcode MESSAGE_FLAGS} that its producer has set. */
  flags = 0;
  /** Nanoseconds from publishing to the poll that delivered it; 0 without timestamps. */
  latencyNs = 0;
  /** What the payload lies in. */
  view: DataView<ArrayBuffer>;
  /** Where it begins there. */
  offset = 0;

  /** Made by a consumer, once. */
  constructor(view: DataView<ArrayBuffer>) {
    this.view = view;
  }

  /** The payload. Costs an object; a schema's accessor on `view` and `offset` costs none. */
  get payload(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.view.buffer, this.offset, this.length);
  }

  /** The payload as UTF-8. */
  get text(): string {
    return decoder.decode(this.payload);
  }
}

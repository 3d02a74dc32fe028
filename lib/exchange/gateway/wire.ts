/**
 * The binary protocol of a gateway, over TCP: frames, and the layouts in them.
 *
 * | Offset | Size | Field    | Meaning                           |
 * | -----: | ---: | :------- | :-------------------------------- |
 * |      0 |    4 | length   | bytes behind this field: 4 and up |
 * |      4 |    2 | type     | `FRAME_…`                         |
 * |      6 |    2 | reserved | zero                              |
 * |      8 |      | payload  | `length - 4` bytes                |
 *
 * Little-endian, without padding between frames. Orders are {@linkcode OrderRequest}s, events
 * {@linkcode EngineEvent}s behind their number.
 *
 * @module
 */

import { defineSchema, type Schema } from "../../channel/schema.ts";
import { EngineEvent, OrderRequest } from "../orders.ts";

/** Client: a {@linkcode WireLogon}. */
export const FRAME_LOGON = 1;
/** Client: an {@linkcode OrderRequest}; session and gateway fields are not looked at. */
export const FRAME_ORDER = 2;
/** Client: it is there; no payload. */
export const FRAME_HEARTBEAT = 3;
/** Client: it goes; no payload. */
export const FRAME_LOGOUT = 4;
/** Gateway: a {@linkcode WireSession}. */
export const FRAME_SESSION = 16;
/** Gateway: a {@linkcode WireInstrument}, and behind it the symbol. */
export const FRAME_INSTRUMENT = 17;
/** Gateway: a {@linkcode WireAck}. */
export const FRAME_ACK = 18;
/** Gateway: a {@linkcode WireReject}, and behind it the text. */
export const FRAME_REJECT = 19;
/** Gateway: the event's number (`u64`), and behind it an {@linkcode EngineEvent}. */
export const FRAME_EVENT = 20;
/** Gateway: a {@linkcode WireGap}: events that are not kept any more. */
export const FRAME_GAP = 21;
/** Gateway: it is there; number of the session's newest event (`u64`). */
export const FRAME_ALIVE = 22;
/** Gateway: why it closes; a {@linkcode WireReject}, and behind it the text. */
export const FRAME_ERROR = 23;

/** Bytes of a frame in front of its payload. */
export const FRAME_HEADER_BYTES = 8;
/** Bytes of those that `length` counts. */
const COUNTED_BYTES = 4;

/** Fields of a {@linkcode WireLogon}. */
export const WIRE_LOGON_FIELDS = {
  lastReceived: "u64",
  hasToken: "u8",
  reserved: "u8[7]",
  token: "u8[32]",
} as const;

/** A logon: last event that the client has, 0 for none; and the token, unless it is the first. */
export const WireLogon: Schema<typeof WIRE_LOGON_FIELDS> = defineSchema(
  "wireLogon",
  WIRE_LOGON_FIELDS,
);

/** Fields of a {@linkcode WireSession}. */
export const WIRE_SESSION_FIELDS = {
  sessionId: "u64",
  lastClientSequence: "u64",
  lastNumber: "u64",
  heartbeatMs: "u32",
  ordersPerSecond: "u32",
  /** Frames of instruments that follow. */
  instruments: "u32",
  isResumed: "u8",
  reserved: "u8[3]",
  token: "u8[32]",
} as const;

/** A session, as its client is told of it. */
export const WireSession: Schema<typeof WIRE_SESSION_FIELDS> = defineSchema(
  "wireSession",
  WIRE_SESSION_FIELDS,
);

/** Fields of a {@linkcode WireInstrument}. */
export const WIRE_INSTRUMENT_FIELDS = {
  id: "u32",
  priceDecimals: "u8",
  quantityDecimals: "u8",
  reserved: "u16",
} as const;

/** What is traded. Its symbol follows as UTF-8. */
export const WireInstrument: Schema<typeof WIRE_INSTRUMENT_FIELDS> = defineSchema(
  "wireInstrument",
  WIRE_INSTRUMENT_FIELDS,
);

/** Fields of a {@linkcode WireAck}. */
export const WIRE_ACK_FIELDS = {
  clientSequence: "u64",
  sequence: "u64",
  /** 1 for `memory`, 2 for `disk`. */
  level: "u8",
  reserved: "u8[7]",
} as const;

/** An order is as durable as `level` says; `sequence` is its place in `gateway.orders`. */
export const WireAck: Schema<typeof WIRE_ACK_FIELDS> = defineSchema("wireAck", WIRE_ACK_FIELDS);

/** Fields of a {@linkcode WireReject}. */
export const WIRE_REJECT_FIELDS = {
  clientSequence: "u64",
  retryAfterMs: "u32",
  reserved: "u32",
  reason: "char[32]",
} as const;

/** Why something is refused. The text follows as UTF-8. */
export const WireReject: Schema<typeof WIRE_REJECT_FIELDS> = defineSchema(
  "wireReject",
  WIRE_REJECT_FIELDS,
);

/** Fields of a {@linkcode WireGap}. */
export const WIRE_GAP_FIELDS = { from: "u64", to: "u64" } as const;

/** First and last number of events that are not kept any more. */
export const WireGap: Schema<typeof WIRE_GAP_FIELDS> = defineSchema("wireGap", WIRE_GAP_FIELDS);

/** Bytes of a number on its own. */
export const NUMBER_BYTES = 8;

/** Bytes of the longest payload that a client sends. */
export const CLIENT_PAYLOAD_BYTES_MAX: number = Math.max(
  OrderRequest.sizeBytes,
  WireLogon.sizeBytes,
);

/** Bytes of the payload of an event. */
export const EVENT_PAYLOAD_BYTES: number = NUMBER_BYTES + EngineEvent.sizeBytes;

/** Bytes of the longest payload that a gateway sends: an error with its text. */
export const GATEWAY_PAYLOAD_BYTES_MAX = 2048;

/** Writes the bytes of a frame in front of its payload. */
export function writeFrameHeader(
  view: DataView,
  at: number,
  type: number,
  payloadBytes: number,
): void {
  view.setUint32(at, COUNTED_BYTES + payloadBytes, true);
  view.setUint16(at + COUNTED_BYTES, type, true);
  view.setUint16(at + COUNTED_BYTES + 2, 0, true);
}

/**
 * Reads frames out of bytes that come in pieces of any size.
 *
 * @example
 * ```ts
 * import { FRAME_LOGOUT, FrameReader, writeFrameHeader } from "message_transport/exchange";
 * import { assertEquals } from "@std/assert";
 *
 * const view = new DataView(new ArrayBuffer(8));
 * writeFrameHeader(view, 0, FRAME_LOGOUT, 0);
 * const reader = new FrameReader(88);
 * assertEquals(reader.read(view, 0, 7), 0); // Half of it.
 * assertEquals(reader.read(view, 0, 8), 8);
 * assertEquals([reader.type, reader.payloadBytes], [FRAME_LOGOUT, 0]);
 * ```
 */
export class FrameReader {
  /** Type of the frame that was read. */
  type = 0;
  /** Where its payload begins. */
  payloadAt = 0;
  /** Bytes of it. */
  payloadBytes = 0;
  /** What is wrong, where `read` has returned -1. */
  fault = "";
  readonly #payloadBytesMax: number;

  /** Reads frames with at most so many bytes of payload. */
  constructor(payloadBytesMax: number) {
    this.#payloadBytesMax = payloadBytesMax;
  }

  /**
   * Reads the frame that begins at `at`. A frame that is too long is refused by its first bytes.
   *
   * @returns Bytes of the frame; 0 if it is not all there; -1 if it is none.
   */
  read(view: DataView, at: number, end: number): number {
    if (end - at < COUNTED_BYTES) return 0;
    const payloadBytes = view.getUint32(at, true) - COUNTED_BYTES;
    if (payloadBytes < 0 || payloadBytes > this.#payloadBytesMax) {
      const [least, most] = [COUNTED_BYTES, COUNTED_BYTES + this.#payloadBytesMax];
      const found = payloadBytes + COUNTED_BYTES;
      return this.#refuse(`frame length: expected ${least} to ${most}, found ${found}`);
    }
    if (end - at < FRAME_HEADER_BYTES) return 0;
    const reserved = view.getUint16(at + COUNTED_BYTES + 2, true);
    if (reserved !== 0) {
      return this.#refuse(`frame reserved: expected 0, found ${reserved}`);
    }
    if (end - at < FRAME_HEADER_BYTES + payloadBytes) return 0;
    this.type = view.getUint16(at + COUNTED_BYTES, true);
    this.payloadAt = at + FRAME_HEADER_BYTES;
    this.payloadBytes = payloadBytes;
    return FRAME_HEADER_BYTES + payloadBytes;
  }

  #refuse(fault: string): -1 {
    this.fault = fault;
    return -1;
  }
}

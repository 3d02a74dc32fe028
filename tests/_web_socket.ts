/**
 * Frames as a client sends them, for tests.
 *
 * @module
 */

import { encodeFrame } from "../lib/web_socket/frame.ts";

const MASK = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

/** A key, and the answer that RFC 6455 has for it. */
export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
export const ACCEPTED_KEY = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** A request to begin a WebSocket. */
export const HANDSHAKE = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n" +
  `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`;

/** A frame, which may be a part of a message. */
export function peerFrame(
  opcode: number,
  payload: Uint8Array | string,
  { isFinal = true, isMasked = true } = {},
): Uint8Array<ArrayBuffer> {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const frame = encodeFrame(opcode, bytes, isMasked ? MASK : undefined);
  if (!isFinal) frame[0]! &= 0x7f;
  return frame;
}

/** A client's frame, which may be a part of a message. */
export function clientFrame(
  opcode: number,
  payload: Uint8Array | string,
  isFinal = true,
): Uint8Array<ArrayBuffer> {
  return peerFrame(opcode, payload, { isFinal });
}

/**
 * WebSocket frames into an outbox: in their place, without memory of their own.
 *
 * @module
 */

import { headBytes, OPCODE_CLOSE, OPCODE_TEXT, writeHead } from "../../web_socket/frame.ts";
import type { Outbox } from "./outbox.ts";

const encoder = new TextEncoder();

/** Writes a message of text. */
export function writeText(outbox: Outbox, text: string): void {
  // Nearly all is ASCII, which is encoded in its place; the rest takes a copy.
  const start = outbox.length;
  const at = beginFrame(outbox, OPCODE_TEXT, text.length);
  const { read, written } = encoder.encodeInto(text, outbox.bytes.subarray(at, at + text.length));
  if (read === text.length && written === text.length) return;
  outbox.shrink(start);
  writeFrame(outbox, OPCODE_TEXT, encoder.encode(text));
}

/** Writes a whole frame. */
export function writeFrame(outbox: Outbox, opcode: number, payload: Uint8Array): void {
  const at = beginFrame(outbox, opcode, payload.length);
  outbox.bytes.set(payload, at);
}

/** Writes the end of a connection. */
export function writeClose(outbox: Outbox, code: number): void {
  writeFrame(outbox, OPCODE_CLOSE, Uint8Array.of(code >> 8, code & 0xff));
}

/** Makes room for a frame. Returns where its payload begins. */
function beginFrame(outbox: Outbox, opcode: number, payloadBytes: number): number {
  const at = outbox.reserve(headBytes(payloadBytes) + payloadBytes);
  return writeHead(outbox.bytes, at, opcode, payloadBytes);
}

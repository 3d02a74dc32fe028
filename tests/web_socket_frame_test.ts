import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  frame,
  FrameError,
  FrameReader,
  OPCODES,
  textFrame,
} from "../lib/exchange/web_socket_frame.ts";
import { frameText } from "./_market_data.ts";
import { clientFrame } from "./_stream_client.ts";

/** What a reader tells of some bytes; the last entry is the error that ended it, if one did. */
function read(chunks: Uint8Array[], messageBytesMax = 200): string[] {
  const told: string[] = [];
  const reader = new FrameReader({
    onText: (text) => void told.push(`text ${text}`),
    onPing: (payload) => void told.push(`ping ${payload}`),
    onPong: () => void told.push("pong"),
    onClose: (code) => void told.push(`close ${code}`),
  }, messageBytesMax);
  try {
    for (const chunk of chunks) reader.take(chunk);
  } catch (error) {
    assert(error instanceof FrameError, `${error}`);
    told.push(`error ${error.code}`);
  }
  return told;
}

/** Cuts bytes into pieces of some lengths, again and again. */
function cut(bytes: Uint8Array, lengths: number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length]!;
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

Deno.test("FrameReader.take() tells the same of bytes in any pieces, whatever they are", () => {
  const anyFrame = fc.record({
    opcode: fc.constantFrom(...Object.values(OPCODES), 3),
    payload: fc.uint8Array({ maxLength: 150 }),
    isLast: fc.boolean(),
  }).map(({ opcode, payload, isLast }) => clientFrame(opcode, payload, isLast));
  const part = fc.oneof({ weight: 5, arbitrary: anyFrame }, fc.uint8Array({ maxLength: 20 }));
  fc.assert(fc.property(fc.array(part, { maxLength: 8 }), lengths, (parts, lengths) => {
    const bytes = new Uint8Array(parts.flatMap((part) => [...part]));
    assertEquals(read(cut(bytes, lengths)), read([bytes]));
  }));
});

Deno.test("FrameReader.take() returns the texts that clients send, in one or many frames", () => {
  const texts = fc.array(fc.string({ unit: "grapheme", maxLength: 15 }), { maxLength: 4 });
  fc.assert(fc.property(texts, lengths, lengths, (texts, lengths, parts) => {
    const frames = texts.flatMap((text) => {
      const pieces = cut(new TextEncoder().encode(text), parts);
      if (pieces.length === 0) return [clientFrame(OPCODES.text, "")];
      return pieces.map((piece, at) =>
        clientFrame(at === 0 ? OPCODES.text : OPCODES.continuation, piece, at === pieces.length - 1)
      );
    });
    const bytes = new Uint8Array(frames.flatMap((frame) => [...frame]));
    const told = read(cut(bytes, lengths), 1000);
    assertEquals(
      told,
      texts.map((text) => `text ${text}`),
    );
  }));
});

Deno.test("textFrame() has its length in as few bytes as there may be", () => {
  for (const [length, head] of [[0, 2], [125, 2], [126, 4], [65_535, 4], [65_536, 10]] as const) {
    const bytes = textFrame("x".repeat(length));
    assertEquals(bytes.length, head + length);
    assertEquals(frameText(bytes), "x".repeat(length));
  }
  assertEquals([...frame(OPCODES.pong, new Uint8Array([7]))], [0x8a, 1, 7]);
  const view = new DataView(textFrame("x".repeat(70_000)).buffer);
  assertEquals([view.getUint8(1), view.getBigUint64(2)], [127, 70_000n]);
});

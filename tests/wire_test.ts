// Frames of both protocols: any bytes, in any pieces.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { BinaryCodec } from "../lib/exchange/binary_codec.ts";
import type { GatewayCodec } from "../lib/exchange/gateway_codec.ts";
import { JsonCodec } from "../lib/exchange/json_codec.ts";
import * as exchange from "../lib/exchange/mod.ts";
import { Outbox } from "../lib/exchange/outbox.ts";
import { answerHandshake, WebSocketReader, writeText } from "../lib/exchange/websocket.ts";
import { newOrder } from "./_gateway.ts";

const instrument = { id: 1, symbol: "BTC-USD", priceDecimals: 2, quantityDecimals: 8 };
const instruments = {
  find: (symbol: string) => symbol === instrument.symbol ? instrument : undefined,
  at: (id: number) => id === instrument.id ? instrument : undefined,
};
const entry = new exchange.OrderEntry(instruments);
const encoder = new TextEncoder();

/** A frame as a client sends it. */
function frame(type: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(exchange.FRAME_HEADER_BYTES + payload.length);
  exchange.writeFrameHeader(new DataView(bytes.buffer), 0, type, payload.length);
  bytes.set(payload, exchange.FRAME_HEADER_BYTES);
  return bytes;
}

function orderBytes(clientSequence: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(exchange.OrderRequest.sizeBytes);
  entry.readJson(newOrder(clientSequence), new DataView(bytes.buffer), 0);
  return bytes;
}

/** A masked frame of text as a browser sends it. */
function textFrame(text: string, { opcode = 1, isFinal = true } = {}): Uint8Array<ArrayBuffer> {
  const payload = encoder.encode(text);
  const mask = [0x12, 0x34, 0x56, 0x78];
  const length = payload.length < 126
    ? [0x80 | payload.length]
    : [0x80 | 126, payload.length >> 8, payload.length & 0xff];
  return Uint8Array.from([
    ...[(isFinal ? 0x80 : 0) | opcode, ...length, ...mask],
    ...payload.map((byte, index) => byte ^ mask[index & 3]!),
  ]);
}

const HANDSHAKE = encoder.encode(
  "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
);

function join(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Outbox();
  for (const part of parts) out.append(part);
  return out.take().slice();
}

/** Feeds bytes in pieces as a connection does; what was found in them. */
function feed(codec: GatewayCodec, bytes: Uint8Array, cuts: number[]): string[] {
  const buffer = new Uint8Array(Math.max(codec.receiveBytesMax, 16_384));
  const found: string[] = [];
  let end = 0;
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
  ends.sort((a, b) => a - b).forEach((next, i) => {
    const piece = bytes.subarray(i === 0 ? 0 : ends[i - 1], next);
    if (end + piece.length > buffer.length) return;
    buffer.set(piece, end);
    end += piece.length;
    let start = 0;
    while (start < end && found.at(-1) !== "violation") {
      const taken = codec.decode(buffer, start, end);
      assert(taken >= 0 && taken <= end - start, `${taken} of ${end - start} bytes taken`);
      if (taken === 0) break;
      start += taken;
      const { type, clientSequence } = codec.message;
      if (type === "none" || type === "open") continue;
      found.push(type === "order" || type === "refused" ? `${type} ${clientSequence}` : type);
    }
    buffer.copyWithin(0, start, end);
    end -= start;
  });
  return found;
}

const CUTS = fc.array(fc.nat(), { maxLength: 40 });

Deno.test("BinaryCodec.decode() finds the same messages however the bytes are cut", () => {
  const bad = orderBytes(3);
  bad[2] = 9; // No side.
  const bytes = join([
    frame(exchange.FRAME_LOGON, new Uint8Array(exchange.WireLogon.sizeBytes)),
    frame(exchange.FRAME_ORDER, orderBytes(2)),
    frame(exchange.FRAME_HEARTBEAT, new Uint8Array()),
    frame(exchange.FRAME_ORDER, bad),
    frame(exchange.FRAME_LOGOUT, new Uint8Array()),
  ]);
  const expected = ["logon", "order 2", "heartbeat", "refused 3", "logout"];
  fc.assert(fc.property(CUTS, (cuts) => {
    assertEquals(feed(new BinaryCodec(entry), bytes, cuts), expected);
  }));
});

Deno.test("JsonCodec.decode() finds the same messages however the bytes are cut", () => {
  const order = JSON.stringify(newOrder(5));
  const bytes = join([
    HANDSHAKE,
    textFrame('{"type":"logon"}'),
    textFrame(order),
    textFrame("ping", { opcode: 9 }),
    textFrame(order.slice(0, 20), { isFinal: false }),
    textFrame(order.slice(20), { opcode: 0 }),
    textFrame("[1,2"),
    textFrame('{"type":"new","clientSequence":6}'),
  ]);
  const expected = ["logon", "order 5", "order 5", "refused 0", "refused 6"];
  fc.assert(fc.property(CUTS, (cuts) => {
    assertEquals(feed(new JsonCodec(entry, instruments, 4096), bytes, cuts), expected);
  }));
});

Deno.test("codecs take any bytes in any pieces without throwing", () => {
  const noise = fc.uint8Array({ maxLength: 600 });
  fc.assert(
    fc.property(noise, CUTS, fc.boolean(), (noise, cuts, hasHandshake) => {
      const bytes = hasHandshake ? join([HANDSHAKE, noise]) : noise;
      feed(new JsonCodec(entry, instruments, 512), bytes, cuts);
      feed(new BinaryCodec(entry), noise, cuts);
      const long = frame(exchange.FRAME_ORDER, noise.subarray(0, 96));
      feed(new BinaryCodec(entry), join([long, noise]), cuts);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("FrameReader.read() refuses a frame by its first bytes", () => {
  const view = new DataView(new ArrayBuffer(8));
  for (const length of [0, 3, 93, 0x7fff_ffff, 0xffff_ffff]) {
    view.setUint32(0, length, true);
    const reader = new exchange.FrameReader(88);
    assertEquals(reader.read(view, 0, 4), -1);
    assertEquals(reader.fault, `frame length: expected 4 to 92, found ${length}`);
  }
});

Deno.test("WebSocketReader.read() reads what writeText() has written, of any length", () => {
  for (const size of [0, 1, 125, 126, 127, 65_535, 65_536]) {
    for (const letter of ["x", "ä"]) {
      const outbox = new Outbox();
      writeText(outbox, letter.repeat(size));
      const bytes = outbox.take();
      // A server does not mask: put a mask of zeros in.
      const headerBytes = bytes.length - encoder.encode(letter).length * size;
      const masked = join([
        bytes.subarray(0, headerBytes),
        new Uint8Array(4),
        bytes.subarray(headerBytes),
      ]);
      masked[1]! |= 0x80;
      const reader = new WebSocketReader(200_000);
      assertEquals(reader.read(masked, 0, masked.length), masked.length);
      const payload = masked.subarray(reader.payloadAt, reader.payloadAt + reader.payloadBytes);
      assertEquals(new TextDecoder().decode(payload), letter.repeat(size));
    }
  }
});

Deno.test("answerHandshake() accepts as RFC 6455 says, and refuses pages of another origin", () => {
  const request = new TextDecoder().decode(HANDSHAKE).trimEnd();
  const { response, fault } = answerHandshake(request);
  assertEquals(fault, undefined);
  assert(response.includes("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), response);
  assertEquals(answerHandshake(`${request}\r\nOrigin: http://x`).fault, undefined);
  const wrong: [string, string, number][] = [
    [request.replace("GET", "POST"), "a GET request", 400],
    [request.replace("Upgrade: websocket\r\n", ""), "a WebSocket", 426],
    [request.replace("13", "8"), "version 13", 426],
    [request.replace("==", ""), "Sec-WebSocket-Key", 400],
    [`${request}\r\nOrigin: https://evil.example`, "another origin", 403],
    ["", "a GET request", 400],
  ];
  for (const [text, expected, status] of wrong) {
    const { response, fault } = answerHandshake(text);
    assert(fault?.includes(expected), `${fault}`);
    assert(response.startsWith(`HTTP/1.1 ${status} `), response);
  }
});

Deno.test("binary frames are the bytes that docs/pipeline.md says", () => {
  const codec = new BinaryCodec(entry);
  codec.ack(0x0102, 0x0304, "disk");
  codec.gap(5, 6);
  codec.heartbeat(7);
  codec.reject(8, { reason: "bad_price", text: "no" }, 9);
  const golden = [
    "1c00000012000000" + "0201000000000000" + "0403000000000000" + "0200000000000000",
    "1400000015000000" + "0500000000000000" + "0600000000000000",
    "0c00000016000000" + "0700000000000000",
    "3600000013000000" + "0800000000000000" + "0900000000000000" +
    ("6261645f7072696365" + "00".repeat(23)) + "6e6f",
  ];
  assertEquals(codec.outbox.take().toHex(), golden.join(""));
});

// Frames of both protocols: any bytes, in any pieces.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { BinaryCodec } from "../lib/exchange/gateway/binary_codec.ts";
import type { GatewayCodec } from "../lib/exchange/gateway/gateway_codec.ts";
import { JsonCodec } from "../lib/exchange/gateway/json_codec.ts";
import * as exchange from "../lib/exchange/mod.ts";
import { Outbox } from "../lib/exchange/gateway/outbox.ts";
import { writeText } from "../lib/exchange/gateway/web_socket_writer.ts";
import { MessageStream } from "../lib/web_socket/message_stream.ts";
import { newOrder } from "./_gateway.ts";
import { join } from "./_bytes.ts";
import { clientFrame, HANDSHAKE } from "./_web_socket.ts";

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

const HANDSHAKE_BYTES = encoder.encode(HANDSHAKE);

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

const LIMITS = { messageBytesMax: 4096, allowRemote: false };
const CUTS = fc.array(fc.nat(), { maxLength: 40 });

Deno.test("BinaryCodec.decode() finds the same messages however the bytes are cut", () => {
  const bad = orderBytes(3);
  bad[2] = 9; // No side.
  const bytes = join(
    frame(exchange.FRAME_LOGON, new Uint8Array(exchange.WireLogon.sizeBytes)),
    frame(exchange.FRAME_ORDER, orderBytes(2)),
    frame(exchange.FRAME_HEARTBEAT, new Uint8Array()),
    frame(exchange.FRAME_ORDER, bad),
    frame(exchange.FRAME_LOGOUT, new Uint8Array()),
  );
  const expected = ["logon", "order 2", "heartbeat", "refused 3", "logout"];
  fc.assert(fc.property(CUTS, (cuts) => {
    assertEquals(feed(new BinaryCodec(entry), bytes, cuts), expected);
  }));
});

Deno.test("JsonCodec.decode() finds the same messages however the bytes are cut", () => {
  const order = JSON.stringify(newOrder(5));
  const bytes = join(
    HANDSHAKE_BYTES,
    clientFrame(1, '{"type":"logon"}'),
    clientFrame(1, order),
    clientFrame(9, "ping"),
    clientFrame(1, order.slice(0, 20), false),
    clientFrame(0, order.slice(20)),
    clientFrame(1, "[1,2"),
    clientFrame(1, '{"type":"new","clientSequence":6}'),
  );
  const expected = ["logon", "order 5", "order 5", "refused 0", "refused 6"];
  fc.assert(fc.property(CUTS, (cuts) => {
    assertEquals(feed(new JsonCodec(entry, instruments, LIMITS), bytes, cuts), expected);
  }));
});

Deno.test("codecs take any bytes in any pieces without throwing", () => {
  const noise = fc.uint8Array({ maxLength: 600 });
  fc.assert(
    fc.property(noise, CUTS, fc.boolean(), (noise, cuts, hasHandshake) => {
      const bytes = hasHandshake ? join(HANDSHAKE_BYTES, noise) : noise;
      feed(new JsonCodec(entry, instruments, { ...LIMITS, messageBytesMax: 512 }), bytes, cuts);
      feed(new BinaryCodec(entry), noise, cuts);
      const long = frame(exchange.FRAME_ORDER, noise.subarray(0, 96));
      feed(new BinaryCodec(entry), join(long, noise), cuts);
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

Deno.test("writeText() writes whole messages one behind the other, of any length", () => {
  const outbox = new Outbox();
  const texts = [0, 1, 125, 126, 127, 65_535, 65_536].flatMap((size) =>
    ["x", "ä", "😀"].map((letter) => letter.repeat(size))
  );
  for (const text of texts) writeText(outbox, text);
  const stream = new MessageStream({ messageBytesMax: 300_000, isMasked: false });
  stream.append(outbox.take());
  for (const text of texts) assertEquals(stream.next()?.text, text);
  assertEquals(stream.next(), undefined);
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

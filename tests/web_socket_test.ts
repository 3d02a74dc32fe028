// WebSockets (RFC 6455): any bytes, in any pieces, masked or not; and who may begin one.

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  CLOSE_BAD_TEXT,
  CLOSE_PROTOCOL_ERROR,
  CLOSE_TOO_LARGE,
  encodeClose,
  encodeFrame,
  encodeText,
  FrameReader,
  OPCODE_BINARY,
  OPCODE_CLOSE,
  OPCODE_CONTINUATION,
  OPCODE_PING,
  OPCODE_PONG,
  OPCODE_TEXT,
  WebSocketError,
} from "../lib/web_socket/frame.ts";
import { acceptKey, answerUpgrade, errorResponse } from "../lib/web_socket/handshake.ts";
import { MessageStream } from "../lib/web_socket/message_stream.ts";
import { encode, pattern } from "./_support.ts";
import { join } from "./_bytes.ts";
import { ACCEPTED_KEY, clientFrame, HANDSHAKE, KEY, peerFrame } from "./_web_socket.ts";

const BYTES_MAX = 200;

/** What a stream tells of some bytes; the last entry is the error that ended it, if one did. */
function read(
  pieces: Uint8Array[],
  { messageBytesMax = BYTES_MAX, isMasked = true } = {},
): string[] {
  const told: string[] = [];
  const stream = new MessageStream({ messageBytesMax, isMasked });
  try {
    for (const piece of pieces) {
      const borrowed = piece.slice();
      stream.append(borrowed);
      for (let message = stream.next(); message !== undefined; message = stream.next()) {
        const { opcode, payload } = message;
        const isControl = opcode >= OPCODE_CLOSE;
        assert(payload.length <= (isControl ? 125 : messageBytesMax), "a message is too long");
        if (opcode === OPCODE_TEXT) told.push(`text ${message.text}`);
        else if (opcode === OPCODE_CLOSE) told.push(`close ${message.closeCode}`);
        else told.push(`${opcode} ${payload}`);
      }
      borrowed.fill(0xa5); // It is the caller's again.
    }
  } catch (error) {
    assert(error instanceof WebSocketError, `${error}`);
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

const LENGTHS = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
const OPCODES = [
  ...[OPCODE_CONTINUATION, OPCODE_TEXT, OPCODE_BINARY, OPCODE_CLOSE, OPCODE_PING, OPCODE_PONG],
];

Deno.test("MessageStream tells the same of any bytes in any pieces, or throws its error", () => {
  const frame = fc.record({
    opcode: fc.constantFrom(...OPCODES, 3),
    payload: fc.uint8Array({ maxLength: 150 }),
    isFinal: fc.boolean(),
    isMasked: fc.integer({ max: 9 }).map((chance) => chance !== 0),
  });
  const part = fc.oneof({ weight: 5, arbitrary: frame }, fc.uint8Array({ maxLength: 20 }));
  const parts = fc.array(part, { maxLength: 8 });
  fc.assert(
    fc.property(parts, LENGTHS, fc.boolean(), (parts, lengths, isServer) => {
      const bytes = join(...parts.map((part) => {
        if (part instanceof Uint8Array) return part;
        const { opcode, payload, isFinal, isMasked } = part;
        return peerFrame(opcode, payload, { isFinal, isMasked: isMasked === isServer });
      }));
      const limits = { isMasked: isServer };
      assertEquals(read(cut(bytes, lengths), limits), read([bytes], limits));
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("MessageStream gives the messages that were sent, in one or many frames", () => {
  const texts = fc.array(fc.string({ unit: "grapheme", maxLength: 15 }), { maxLength: 4 });
  fc.assert(
    fc.property(texts, LENGTHS, LENGTHS, fc.boolean(), (texts, lengths, sizes, isMasked) => {
      const frames = texts.flatMap((text) => {
        const parts = cut(encode(text), sizes);
        if (parts.length === 0) return [peerFrame(OPCODE_TEXT, "", { isMasked })];
        return parts.flatMap((part, at) => {
          const isFinal = at === parts.length - 1;
          const opcode = at === 0 ? OPCODE_TEXT : OPCODE_CONTINUATION;
          return [
            peerFrame(OPCODE_PONG, "between", { isMasked }),
            peerFrame(opcode, part, { isFinal, isMasked }),
          ];
        });
      });
      const told = read(cut(join(...frames), lengths), { messageBytesMax: 1_000, isMasked });
      const found = told.filter((entry) => !entry.startsWith(`${OPCODE_PONG} `));
      assertEquals(found, texts.map((text) => `text ${text}`));
    }),
  );
});

Deno.test("MessageStream reads frames of any length, however they are cut", () => {
  const sizes = fc.constantFrom(0, 1, 125, 126, 127, 65_535, 65_536, 100_000);
  const steps = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 20 });
  const property = fc.property(
    fc.array(sizes, { maxLength: 4 }),
    steps,
    fc.boolean(),
    (sizes, steps, isMasked) => {
      const payloads = sizes.map((size, index) => pattern(size, index));
      const frames = payloads.map((payload) => peerFrame(OPCODE_BINARY, payload, { isMasked }));
      const stream = new MessageStream({ messageBytesMax: 100_000, isMasked });
      const found: Uint8Array[] = [];
      for (const piece of cut(join(...frames), steps)) {
        stream.append(piece);
        for (let message = stream.next(); message !== undefined; message = stream.next()) {
          found.push(message.payload.slice());
        }
      }
      assertEquals(found, payloads);
    },
  );
  fc.assert(property, { numRuns: 100 });
});

Deno.test("MessageStream ends a message of endless parts, also where they are empty", () => {
  for (const payload of ["", "x"]) {
    const part = clientFrame(OPCODE_CONTINUATION, payload, false);
    const parts = [clientFrame(OPCODE_TEXT, payload, false), ...Array(BYTES_MAX - 1).fill(part)];
    assertEquals(read(parts), [], "as many parts as bytes are allowed");
    assertEquals(read([...parts, part]), [`error ${CLOSE_TOO_LARGE}`]);
  }
  const begin = clientFrame(OPCODE_TEXT, "x", false);
  const end = clientFrame(OPCODE_CONTINUATION, "x".repeat(BYTES_MAX - 1));
  const whole = `text ${"x".repeat(BYTES_MAX)}`;
  assertEquals(read([begin, end, begin, end]), [whole, whole], "each message by itself");
});

Deno.test("frames are the bytes that RFC 6455 has as its examples (5.7)", () => {
  const golden: [string, Uint8Array][] = [
    ["810548656c6c6f", encodeText("Hello")],
    ["818537fa213d7f9f4d5158", clientFrame(OPCODE_TEXT, "Hello")],
    ["010348656c", peerFrame(OPCODE_TEXT, "Hel", { isFinal: false, isMasked: false })],
    ["8a8537fa213d7f9f4d5158", clientFrame(OPCODE_PONG, "Hello")],
    ["827e0100" + "00".repeat(256), encodeFrame(OPCODE_BINARY, new Uint8Array(256))],
    ["827f0000000000010000", encodeFrame(OPCODE_BINARY, new Uint8Array(65_536)).subarray(0, 10)],
  ];
  for (const [hex, frame] of golden) assertEquals(frame.toHex(), hex);
  assertEquals(read([Uint8Array.fromHex("818537fa213d7f9f4d5158")]), ["text Hello"]);
});

Deno.test("MessageStream needs little more memory for a message in parts than it has bytes", () => {
  // 16 KiB in parts of a byte, of 50 peers: an object for each part is 150 MB and more.
  const messageBytesMax = 16_384;
  const part = clientFrame(OPCODE_CONTINUATION, "x", false);
  const piece = join(...Array(64).fill(part));
  const before = heldBytes();
  const streams = Array.from({ length: 50 }, () => {
    const stream = new MessageStream({ messageBytesMax, isMasked: true });
    stream.append(clientFrame(OPCODE_TEXT, "x", false));
    assertEquals(stream.next(), undefined);
    for (let sent = 0; sent + 64 < messageBytesMax; sent += 64) {
      stream.append(piece.slice());
      assertEquals(stream.next(), undefined);
    }
    return stream;
  });
  const grown = heldBytes() - before;
  assert(grown < 100e6, `${grown} bytes more for ${streams.length} streams`);
});

function heldBytes(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

Deno.test("FrameReader refuses what is no frame, or longer than allowed, by its head", () => {
  const cases: [what: string, code: number, head: number[]][] = [
    ["a reserved bit", CLOSE_PROTOCOL_ERROR, [0xc1, 0]],
    ["an unknown opcode", CLOSE_PROTOCOL_ERROR, [0x83, 0]],
    ["an unknown control frame", CLOSE_PROTOCOL_ERROR, [0x8b, 0]],
    ["a control frame in parts", CLOSE_PROTOCOL_ERROR, [0x09, 0]],
    ["a long control frame", CLOSE_PROTOCOL_ERROR, [0x89, 126, 0, 200]],
    ["1,001 bytes", CLOSE_TOO_LARGE, [0x81, 126, 0x03, 0xe9]],
    ["2^63 bytes", CLOSE_TOO_LARGE, [0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]],
    ["2^53 bytes", CLOSE_TOO_LARGE, [0x81, 127, 0, 0x20, 0, 0, 0, 0, 0, 0]],
  ];
  for (const isMasked of [false, true]) {
    for (const [what, code, head] of cases) {
      const bytes = Uint8Array.from(head);
      if (isMasked) bytes[1]! |= 0x80;
      const reader = new FrameReader({ payloadBytesMax: 1_000, isMasked });
      const error = assertThrows(
        () => reader.read(bytes, 0, bytes.length),
        WebSocketError,
        "",
        what,
      );
      assertEquals(error.code, code, what);
    }
    const reader = new FrameReader({ payloadBytesMax: 1_000, isMasked });
    const bytes = Uint8Array.of(0x81, isMasked ? 0 : 0x80);
    assertThrows(() => reader.read(bytes, 0, 2), WebSocketError, "masked");
  }
});

Deno.test("MessageStream refuses parts out of order, and text that is not UTF-8", () => {
  const cases: [string, Uint8Array[]][] = [
    [`error ${CLOSE_PROTOCOL_ERROR}`, [clientFrame(OPCODE_CONTINUATION, "part of nothing")]],
    [
      `error ${CLOSE_PROTOCOL_ERROR}`,
      [clientFrame(OPCODE_TEXT, "a", false), clientFrame(OPCODE_TEXT, "b")],
    ],
    [`error ${CLOSE_BAD_TEXT}`, [clientFrame(OPCODE_TEXT, Uint8Array.of(0xc3, 0x28))]],
    [`error ${CLOSE_TOO_LARGE}`, [
      clientFrame(OPCODE_TEXT, "x".repeat(150), false),
      clientFrame(OPCODE_CONTINUATION, "x".repeat(51)).subarray(0, 6),
    ]],
    ["close 1000", [clientFrame(OPCODE_CLOSE, "")]],
    ["close 1002", [clientFrame(OPCODE_CLOSE, "x")]],
    ["close 1002", [clientFrame(OPCODE_CLOSE, Uint8Array.of(1005 >> 8, 1005 & 255))]],
    ["close 3000", [clientFrame(OPCODE_CLOSE, Uint8Array.of(3000 >> 8, 3000 & 255))]],
  ];
  for (const [expected, pieces] of cases) assertEquals(read(pieces), [expected]);
});

Deno.test("encodeText() has its length in as few bytes as there may be", () => {
  for (const [length, head] of [[0, 2], [125, 2], [126, 4], [65_535, 4], [65_536, 10]] as const) {
    const frame = encodeText("x".repeat(length));
    assertEquals(frame.length, head + length);
    const told = read([frame], { messageBytesMax: length, isMasked: false });
    assertEquals(told, [`text ${"x".repeat(length)}`]);
  }
  assertEquals(encodeFrame(OPCODE_PONG, Uint8Array.of(7)), Uint8Array.of(0x8a, 1, 7));
  const view = new DataView(encodeText("x".repeat(70_000)).buffer);
  assertEquals([view.getUint8(1), view.getBigUint64(2)], [127, 70_000n]);
  const close = encodeClose(1008, "ä".repeat(100));
  assertEquals(close.subarray(0, 4), Uint8Array.of(0x88, 2 + 122, 1008 >> 8, 1008 & 255));
  assertEquals(new TextDecoder().decode(close.subarray(4)), "ä".repeat(61));
});

const LOCAL = { allowRemote: false };
const REQUEST = HANDSHAKE.trimEnd();

Deno.test("acceptKey() gives the answer that RFC 6455 has as its example", () => {
  assertEquals(acceptKey(KEY), ACCEPTED_KEY);
  const { response, fault } = answerUpgrade(REQUEST, LOCAL);
  assertEquals(fault, undefined);
  assert(response.includes(`Sec-WebSocket-Accept: ${ACCEPTED_KEY}\r\n`), response);
  assert(errorResponse({ status: 404, text: "no" }).endsWith("Content-Length: 3\r\n\r\nno\n"));
});

Deno.test("answerUpgrade() refuses what is no request for a WebSocket", () => {
  const wrong: [string, string, number][] = [
    ["", "a GET request", 400],
    [REQUEST.replace("GET", "POST"), "a GET request", 400],
    [REQUEST.replace("Upgrade: websocket\r\n", ""), "a WebSocket", 426],
    [REQUEST.replace("Connection: Upgrade", "Connection: close"), "a WebSocket", 426],
    [REQUEST.replace("13", "8"), "version 13", 426],
    [REQUEST.replace("==", ""), "Sec-WebSocket-Key", 400],
    [`${REQUEST}\r\nSec-WebSocket-Key: ${KEY}`, "Sec-WebSocket-Key", 400],
  ];
  for (const [request, expected, status] of wrong) {
    const { response, fault } = answerUpgrade(request, LOCAL);
    assert(fault?.includes(expected), `${fault}`);
    assert(response.startsWith(`HTTP/1.1 ${status} `), response);
  }
});

Deno.test("answerUpgrade() refuses pages of the web, also those whose name leads here", () => {
  const at = (host: string, origin?: string) =>
    REQUEST.replace("Host: 127.0.0.1", `Host: ${host}`) + (origin ? `\r\nOrigin: ${origin}` : "");
  const ours: [string, string?][] = [
    ["127.0.0.1:8080", "http://127.0.0.1:8080"],
    ["127.255.0.9"],
    ["localhost:80", "https://localhost:80"],
    ["LOCALHOST"],
    ["[::1]:9000", "http://[::1]:9000"],
  ];
  for (const [host, origin] of ours) {
    assertEquals(answerUpgrade(at(host, origin), LOCAL).fault, undefined, host);
  }
  const hosts = ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "10.0.0.1", "", "x"];
  for (const host of hosts) {
    const rebound = at(host, `http://${host}`); // What a page sends whose name leads here.
    assert(answerUpgrade(rebound, LOCAL).fault?.includes("loopback"), host);
    assert(answerUpgrade(rebound, LOCAL).response.startsWith("HTTP/1.1 403 "));
  }
  assert(answerUpgrade(at("127.0.0.1\r\nHost: evil"), LOCAL).fault?.includes("loopback"));
  assertEquals(
    answerUpgrade(at("a.example", "https://a.example"), { allowRemote: true }).fault,
    undefined,
  );
  for (const origin of ["http://evil.example", "null", "http://127.0.0.1:81", "127.0.0.1"]) {
    for (const allowRemote of [false, true]) {
      const { fault } = answerUpgrade(at("127.0.0.1", origin), { allowRemote });
      assert(fault?.includes("another origin"), origin);
    }
  }
});

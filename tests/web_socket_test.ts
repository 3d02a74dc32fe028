import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  acceptKey,
  encodeFrame,
  FrameReader,
  OPCODE_CLOSE,
  OPCODE_PING,
  OPCODE_TEXT,
  WebSocketError,
} from "../lib/market/web_socket_frames.ts";
import { WebSocketClient } from "../lib/market/web_socket_client.ts";
import { encode, pattern } from "./_support.ts";

const SEED = 6455;
const MASK = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);
const LIMITS = { messageBytesMax: 1_000, timeoutMs: 10_000 };
const KEY = /sec-websocket-key: (\S+)/i;

/** A server of one connection that says what it is told, whatever that is. */
class RawServer implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  connection: Deno.Conn | undefined;
  /** What the client has sent behind its handshake. */
  received: Uint8Array = new Uint8Array(0);

  get url(): URL {
    const { port } = this.#listener.addr as Deno.NetAddr;
    return new URL(`ws://127.0.0.1:${port}/stream?streams=a/b`);
  }

  /** Accepts a client, and answers with what `answer` makes of its key. */
  async accept(answer: (key: string) => Uint8Array): Promise<string> {
    this.connection = await this.#listener.accept();
    const buffer = new Uint8Array(4_096);
    const length = await this.connection.read(buffer) ?? 0;
    const request = new TextDecoder().decode(buffer.subarray(0, length));
    const bytes = answer(KEY.exec(request)?.[1] ?? "");
    for (let at = 0; at < bytes.length;) at += await this.connection.write(bytes.subarray(at));
    return request;
  }

  async read(): Promise<Uint8Array> {
    const buffer = new Uint8Array(4_096);
    return buffer.subarray(0, await this.connection!.read(buffer) ?? 0);
  }

  [Symbol.dispose](): void {
    this.connection?.close();
    this.#listener.close();
  }
}

function switched(key: string, ...frames: Uint8Array[]): Uint8Array {
  const head = encode(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\n` +
      `SEC-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`,
  );
  return join([head, ...frames]);
}

function join(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Everything that a client is told until the end, and why it ended. */
async function talk(...frames: Uint8Array[]): Promise<{ texts: string[]; error: unknown }> {
  using server = new RawServer();
  const accepted = server.accept((key) => switched(key, ...frames));
  using client = await WebSocketClient.connect(server.url, LIMITS);
  await accepted;
  server.connection!.closeWrite();
  const texts: string[] = [];
  const handler = {
    onText: (text: string) => void texts.push(text),
    onBinary: ({ length }: Uint8Array) => void texts.push(`${length} bytes`),
  };
  try {
    while (await client.receive(handler));
    return { texts, error: undefined };
  } catch (error) {
    return { texts, error };
  }
}

Deno.test("acceptKey() gives the answer that RFC 6455 has as its example", () => {
  assertEquals(acceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

Deno.test("FrameReader gives the frames that were encoded, however their bytes are cut", () => {
  const frames = fc.array(
    fc.record({
      opcode: fc.constantFrom(0, 1, 2),
      length: fc.constantFrom(0, 1, 125, 126, 127, 65_535, 65_536, 100_000),
    }),
    { maxLength: 4 },
  );
  const steps = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 20 });
  const property = fc.property(frames, steps, fc.boolean(), (frames, steps, isMasked) => {
    const payloads = frames.map(({ length }, index) => pattern(length, index));
    const mask = isMasked ? MASK : undefined;
    const bytes = join(frames.map(({ opcode }, i) => encodeFrame(opcode, payloads[i]!, mask)));
    const reader = new FrameReader({ payloadBytesMax: 100_000, isMasked });
    const found: unknown[] = [];
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const step = steps[turn % steps.length]!;
      reader.append(bytes.subarray(at, at + step));
      at += step;
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        found.push([frame.opcode, frame.isFinal, frame.payload.slice()]);
      }
    }
    assertEquals(found, frames.map(({ opcode }, i) => [opcode, true, payloads[i]]));
  });
  fc.assert(property, { seed: SEED, numRuns: 100 });
});

Deno.test("FrameReader refuses what is no frame, or longer than allowed, by its head", () => {
  const cases: [string, number[]][] = [
    ["a reserved bit", [0xc1, 0]],
    ["a control frame in parts", [0x09, 0]],
    ["a long control frame", [0x89, 126, 0, 200]],
    ["a mask", [0x81, 0x80]],
    ["1,001 bytes", [0x81, 126, 0x03, 0xe9]],
    ["2^63 bytes", [0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]],
    ["2^53 bytes", [0x81, 127, 0, 0x20, 0, 0, 0, 0, 0, 0]],
  ];
  for (const [what, bytes] of cases) {
    const reader = new FrameReader({ payloadBytesMax: 1_000, isMasked: false });
    reader.append(Uint8Array.from(bytes));
    assertThrows(() => reader.next(), WebSocketError, "", what);
  }
});

Deno.test("WebSocketClient hands out whole messages, and those behind the handshake", async () => {
  const parts = [[0x01, 2, 0x61, 0x62], [0x89, 0], [0x00, 1, 0x63], [0x80, 1, 0x64]];
  const { texts, error } = await talk(
    encodeFrame(OPCODE_TEXT, encode("one")),
    ...parts.map((bytes) => Uint8Array.from(bytes)),
    encodeFrame(2, pattern(300, 1)),
    encodeFrame(OPCODE_TEXT, encode("äöü😀")),
    encodeFrame(OPCODE_CLOSE, new Uint8Array(0)),
    encodeFrame(OPCODE_TEXT, encode("behind the end")),
  );
  assertEquals([texts, error], [["one", "abcd", "300 bytes", "äöü😀"], undefined]);
});

Deno.test("WebSocketClient hands out what comes before a breach of the rules", async () => {
  const half = [0x01, 1, 0x61];
  const cases: number[][] = [
    [0x83, 0], // An opcode without meaning.
    [0x80, 0], // The end of a message that has not begun.
    [...half, 0x81, 0], // A message within another.
    [...half, ...Array(1_100).fill([0x00, 1, 0x61]).flat()], // Longer than allowed, in parts.
    [0x81, 126, 0x03, 0xe9],
  ];
  for (const bytes of cases) {
    const before = encodeFrame(OPCODE_TEXT, encode("before"));
    const { texts, error } = await talk(before, Uint8Array.from(bytes));
    assertEquals(texts, ["before"]);
    assert(error instanceof WebSocketError, `${bytes.slice(0, 6)}`);
  }
});

Deno.test("WebSocketClient answers pings with what they hold, and masks it", async () => {
  using server = new RawServer();
  const accepted = server.accept((key) => switched(key, encodeFrame(OPCODE_PING, encode("hi"))));
  using client = await WebSocketClient.connect(server.url, LIMITS);
  const request = await accepted;
  assert(request.startsWith("GET /stream?streams=a/b HTTP/1.1\r\n"));
  const receiving = client.receive({ onText() {}, onBinary() {} });
  const reader = new FrameReader({ payloadBytesMax: 125, isMasked: true });
  reader.append(await server.read());
  const { opcode, payload } = reader.next()!;
  assertEquals([opcode, payload], [10, encode("hi")]);
  client.close();
  assertEquals(await receiving, false, "closing ends a wait");
});

Deno.test("WebSocketClient.connect() refuses what is no WebSocket server", async () => {
  const answers: ((key: string) => Uint8Array)[] = [
    () => encode("HTTP/1.1 404 Not Found\r\n\r\n"),
    () => encode("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    () => switched("another key"),
    () => encode("x".repeat(20_000)),
    () => Uint8Array.of(0xff, 0, 0x0d, 0x0a, 0x0d, 0x0a),
  ];
  for (const answer of answers) {
    using server = new RawServer();
    const accepted = server.accept(answer);
    await assertRejects(() => WebSocketClient.connect(server.url, LIMITS), WebSocketError);
    await accepted.catch(() => {}); // It may have closed before it had everything.
  }
  using server = new RawServer();
  const silent = server.accept(() => new Uint8Array(0));
  const options = { ...LIMITS, timeoutMs: 50 };
  await assertRejects(() => WebSocketClient.connect(server.url, options), WebSocketError, "50 ms");
  await silent;
  const stop = new AbortController();
  stop.abort(new RangeError("enough"));
  const stopped = { ...LIMITS, signal: stop.signal };
  await assertRejects(() => WebSocketClient.connect(server.url, stopped), RangeError, "enough");
  const wrong = new URL("ftp://127.0.0.1/");
  await assertRejects(() => WebSocketClient.connect(wrong, LIMITS), TypeError, "ws: or wss:");
});

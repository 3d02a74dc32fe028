// The client of a WebSocket, against servers that say whatever they like.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { WebSocketClient } from "../lib/web_socket/client.ts";
import {
  encodeFrame,
  encodeText,
  OPCODE_CLOSE,
  OPCODE_CONTINUATION,
  OPCODE_PING,
  OPCODE_PONG,
  OPCODE_TEXT,
  WebSocketError,
} from "../lib/web_socket/frame.ts";
import { acceptResponse } from "../lib/web_socket/handshake.ts";
import { MessageStream } from "../lib/web_socket/message_stream.ts";
import { encode, pattern } from "./_support.ts";
import { join, peerFrame } from "./_web_socket.ts";

const LIMITS = { messageBytesMax: 1_000, timeoutMs: 60_000 };
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
  const head = acceptResponse(key).replace("Upgrade: websocket", "upgrade: WebSocket")
    .replace("Sec-WebSocket", "SEC-websocket");
  return join([encode(head), ...frames]);
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

Deno.test("WebSocketClient hands out whole messages, and those behind the handshake", async () => {
  const parts = [[0x01, 2, 0x61, 0x62], [0x89, 0], [0x00, 1, 0x63], [0x80, 1, 0x64]];
  const { texts, error } = await talk(
    encodeText("one"),
    ...parts.map((bytes) => Uint8Array.from(bytes)),
    encodeFrame(2, pattern(300, 1)),
    encodeText("äöü😀"),
    encodeFrame(OPCODE_CLOSE, new Uint8Array(0)),
    encodeText("behind the end"),
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
    const before = encodeText("before");
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
  const stream = new MessageStream({ messageBytesMax: 125, isMasked: true });
  stream.append(await server.read());
  const { opcode, payload } = stream.next()!;
  assertEquals([opcode, payload], [OPCODE_PONG, encode("hi")]);
  client.close();
  assertEquals(await receiving, false, "closing ends a wait");
});

Deno.test("WebSocketClient ends a message of endless empty parts", async () => {
  const part = peerFrame(OPCODE_CONTINUATION, "", { isFinal: false, isMasked: false });
  const begin = peerFrame(OPCODE_TEXT, "", { isFinal: false, isMasked: false });
  const { texts, error } = await talk(begin, ...Array(LIMITS.messageBytesMax).fill(part));
  assertEquals(texts, []);
  assert(error instanceof WebSocketError, `${error}`);
});

Deno.test("WebSocketClient answers the newest of many pings to who reads nothing", async () => {
  using server = new RawServer();
  const accepted = server.accept((key) => switched(key));
  using client = await WebSocketClient.connect(server.url, LIMITS);
  await accepted;
  const connection = server.connection!;
  const count = 400_000; // Answers to all would be 50 MB, which no socket's buffers hold.
  const pings = (async () => {
    const payload = new Uint8Array(120);
    const batch = new Uint8Array(122 * 1_000);
    for (let sent = 0; sent < count; sent += 1_000) {
      for (let i = 0; i < 1_000; i++) {
        new DataView(payload.buffer).setUint32(0, sent + i + 1);
        batch.set(peerFrame(OPCODE_PING, payload, { isMasked: false }), 122 * i);
      }
      for (let at = 0; at < batch.length;) at += await connection.write(batch.subarray(at));
    }
    await connection.write(encodeText("end"));
  })();
  const texts: string[] = [];
  const handler = { onText: (text: string) => void texts.push(text), onBinary() {} };
  while (texts.length === 0) assert(await client.receive(handler));
  await pings;
  const answers = new MessageStream({ messageBytesMax: 125, isMasked: true });
  let answered = 0;
  let newest = 0;
  while (newest < count) {
    answers.append(await server.read());
    for (let message = answers.next(); message !== undefined; message = answers.next()) {
      answered++;
      const { buffer, byteOffset } = message.payload;
      const number = new DataView(buffer, byteOffset).getUint32(0);
      assert(number > newest, "answers are in order");
      newest = number;
    }
  }
  assert(answered < count, `${answered} answers`);
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

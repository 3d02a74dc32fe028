/**
 * The client's end of a WebSocket, for feeds that must not be believed.
 *
 * Not the platform's `WebSocket`: that reads on while the reader is behind, so nothing bounds its
 * memory; it knows no longest message below 64 MiB; and one whose peer has fallen silent cannot be
 * got rid of, as its `close` waits for the peer's. Here the reader asks for more, a longer message
 * is refused by its head, and closing closes.
 *
 * @module
 */

import {
  acceptKey,
  encodeFrame,
  FrameReader,
  OPCODE_BINARY,
  OPCODE_CLOSE,
  OPCODE_CONTINUATION,
  OPCODE_PING,
  OPCODE_PONG,
  OPCODE_TEXT,
  WebSocketError,
} from "./web_socket_frames.ts";

/** How a {@linkcode WebSocketClient} connects. */
export interface WebSocketClientOptions {
  /** Longest message in bytes; a longer one ends the connection. */
  readonly messageBytesMax: number;
  /** Milliseconds until the handshake must be done. */
  readonly timeoutMs: number;
  /** Gives the attempt up. */
  readonly signal?: AbortSignal;
}

/** Takes messages in the order in which they come. */
export interface MessageHandler {
  /** Takes a text. */
  onText(text: string): void;
  /** Is told of bytes, which no feed of ours sends. */
  onBinary(bytes: Uint8Array): void;
}

/** Bytes of one read. Arbitrary: several hundred messages. */
const READ_BYTES = 64 * 1024;

/** Longest answer to the handshake. Arbitrary: real ones have some hundred bytes. */
const HANDSHAKE_BYTES_MAX = 16 * 1024;

const MASK_BYTES = 4;
const KEY_BYTES = 16;
const HEAD_END = "\r\n\r\n";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One connection. Answers pings by itself while somebody receives. Thread: its isolate's only. */
export class WebSocketClient implements Disposable {
  readonly #connection: Deno.Conn;
  readonly #reader: FrameReader;
  readonly #messageBytesMax: number;
  readonly #chunk = new Uint8Array(READ_BYTES);
  /** Parts of a message that has not ended, and what it is. */
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  #partsOpcode = OPCODE_CONTINUATION;
  #writes: Promise<unknown> = Promise.resolve();
  #isOpen = true;

  private constructor(connection: Deno.Conn, rest: Uint8Array, messageBytesMax: number) {
    this.#connection = connection;
    this.#messageBytesMax = messageBytesMax;
    this.#reader = new FrameReader({ payloadBytesMax: messageBytesMax, isMasked: false });
    this.#reader.append(rest);
  }

  /**
   * Connects.
   *
   * @param url `ws:` or `wss:`.
   * @throws {WebSocketError} If the other side is no WebSocket server, refuses, or takes too long.
   * @throws {Error} `Deno.errors.…` if it cannot be reached; the signal's reason.
   */
  static async connect(url: URL, options: WebSocketClientOptions): Promise<WebSocketClient> {
    const { messageBytesMax, timeoutMs } = options;
    const late = AbortSignal.timeout(timeoutMs);
    const signal = options.signal === undefined ? late : AbortSignal.any([late, options.signal]);
    let connection: Deno.Conn | undefined;
    const onAbort = () => close(connection);
    signal.addEventListener("abort", onAbort);
    try {
      signal.throwIfAborted();
      connection = await open(url, signal, (opened) => connection = opened);
      const rest = await shakeHands(connection, url);
      signal.throwIfAborted();
      return new WebSocketClient(connection, rest, messageBytesMax);
    } catch (error) {
      close(connection);
      options.signal?.throwIfAborted();
      if (!late.aborted) throw error;
      throw new WebSocketError(`Cannot connect to "${url}" within ${timeoutMs} ms`);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Whether neither side has ended it. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Waits for bytes once, and hands out the messages that are whole by then. What comes after them
   * stays with the operating system, and in the end with the peer, until the next call.
   *
   * @returns Whether the connection goes on.
   * @throws {WebSocketError} If the peer does not keep to the rules; the connection is closed then.
   * @throws {Error} `Deno.errors.…` if it broke; what a handler throws.
   */
  async receive(handler: MessageHandler): Promise<boolean> {
    try {
      this.#handOut(handler);
      if (!this.#isOpen) return false;
      const count = await this.#connection.read(this.#chunk);
      if (count === null) this.close();
      else this.#reader.append(this.#chunk.subarray(0, count));
      this.#handOut(handler);
    } catch (error) {
      if (!this.#isOpen) return false; // Closed while it was waiting.
      this.close();
      throw error;
    }
    return this.#isOpen;
  }

  /** Sends a text, behind what was sent before. Does not wait, and does not say if it was lost. */
  send(text: string): void {
    this.#write(OPCODE_TEXT, encoder.encode(text));
  }

  /** Ends the connection at once. May be repeated. */
  close(): void {
    this.#isOpen = false;
    close(this.#connection);
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.close();
  }

  #handOut(handler: MessageHandler): void {
    while (this.#isOpen) {
      const frame = this.#reader.next();
      if (frame === undefined) return;
      const { opcode, isFinal, payload } = frame;
      if (opcode === OPCODE_PING) this.#write(OPCODE_PONG, payload);
      else if (opcode === OPCODE_CLOSE) this.close();
      else if (opcode !== OPCODE_PONG) this.#take(handler, opcode, isFinal, payload);
    }
  }

  #take(handler: MessageHandler, opcode: number, isFinal: boolean, payload: Uint8Array): void {
    const isContinued = this.#partsOpcode !== OPCODE_CONTINUATION;
    if ((opcode === OPCODE_CONTINUATION) !== isContinued || opcode > OPCODE_BINARY) {
      throw new WebSocketError(`Cannot take a frame with opcode ${opcode} here`);
    }
    if (isFinal && !isContinued) return give(handler, opcode, payload);
    this.#partsBytes += payload.length;
    if (this.#partsBytes > this.#messageBytesMax) {
      throw new WebSocketError(
        `Cannot take a message: expected at most ${this.#messageBytesMax} bytes`,
      );
    }
    this.#parts.push(payload.slice());
    if (!isContinued) this.#partsOpcode = opcode;
    if (!isFinal) return;
    const whole = new Uint8Array(this.#partsBytes);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    const wholeOpcode = this.#partsOpcode;
    this.#parts = [];
    this.#partsBytes = 0;
    this.#partsOpcode = OPCODE_CONTINUATION;
    give(handler, wholeOpcode, whole);
  }

  #write(opcode: number, payload: Uint8Array): void {
    const mask = crypto.getRandomValues(new Uint8Array(MASK_BYTES));
    const frame = encodeFrame(opcode, payload, mask);
    // Whoever receives hears of a broken connection.
    this.#writes = this.#writes.then(() => writeAll(this.#connection, frame)).catch(() => {});
  }
}

function give(handler: MessageHandler, opcode: number, payload: Uint8Array): void {
  if (opcode === OPCODE_TEXT) handler.onText(decoder.decode(payload));
  else handler.onBinary(payload);
}

async function open(
  url: URL,
  signal: AbortSignal,
  onOpen: (connection: Deno.Conn) => void,
): Promise<Deno.Conn> {
  const isSecure = url.protocol === "wss:";
  if (!isSecure && url.protocol !== "ws:") {
    throw new TypeError(`Cannot connect to "${url}": expected ws: or wss:`);
  }
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1"); // Of an IPv6 address.
  const port = Number(url.port) || (isSecure ? 443 : 80);
  const connection = await Deno.connect({ hostname, port, signal });
  connection.setNoDelay(true);
  if (!isSecure) {
    onOpen(connection);
    return connection;
  }
  const secure = await Deno.startTls(connection, { hostname, alpnProtocols: ["http/1.1"] });
  onOpen(secure);
  await secure.handshake();
  return secure;
}

/** Asks for a WebSocket. Returns the bytes that came behind the answer. */
async function shakeHands(connection: Deno.Conn, url: URL): Promise<Uint8Array> {
  const key = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(KEY_BYTES))));
  const request = `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n` +
    `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
    `Sec-WebSocket-Key: ${key}${HEAD_END}`;
  await writeAll(connection, encoder.encode(request));
  const bytes = new Uint8Array(HANDSHAKE_BYTES_MAX);
  for (let length = 0; length < bytes.length;) {
    const count = await connection.read(bytes.subarray(length));
    if (count === null) throw new WebSocketError(`Cannot connect to "${url}": found it closed`);
    length += count;
    const head = latin1(bytes.subarray(0, length));
    const end = head.indexOf(HEAD_END);
    if (end < 0) continue;
    const [status, ...fields] = head.slice(0, end).split("\r\n");
    const accepted = fields.map((field) => /^sec-websocket-accept:\s*(\S+)\s*$/i.exec(field)?.[1]);
    if (!/^HTTP\/1\.1 101(?: |$)/.test(status!) || !accepted.includes(acceptKey(key))) {
      throw new WebSocketError(`Cannot connect to "${url}": expected a WebSocket, found ${status}`);
    }
    return bytes.subarray(end + HEAD_END.length, length);
  }
  throw new WebSocketError(`Cannot connect to "${url}": found no end of its answer`);
}

/** One character a byte, so that places in the text are places in the bytes. */
function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

function close(connection: Deno.Conn | undefined): void {
  try {
    connection?.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error; // It was closed before.
  }
}

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
  encodeFrame,
  OPCODE_CLOSE,
  OPCODE_PING,
  OPCODE_PONG,
  OPCODE_TEXT,
  WebSocketError,
} from "./frame.ts";
import { requestUpgrade } from "./handshake.ts";
import type { Message } from "./message_reader.ts";
import { MessageStream } from "./message_stream.ts";

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
  /** Takes a text. What of it is not UTF-8 has been replaced: it costs a message, and no more. */
  onText(text: string): void;
  /** Is told of bytes, which no feed of ours sends. */
  onBinary(bytes: Uint8Array): void;
}

/** Bytes of one read. Arbitrary: several hundred messages. */
const READ_BYTES = 64 * 1024;

const MASK_BYTES = 4;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** One connection. Answers pings by itself while somebody receives. Thread: its isolate's only. */
export class WebSocketClient implements Disposable {
  readonly #connection: Deno.Conn;
  readonly #stream: MessageStream;
  readonly #chunk = new Uint8Array(READ_BYTES);
  /** The answer to the newest ping, until it is on its way: older ones need none. */
  #pong: Uint8Array | undefined;
  #isAnswering = false;
  #isOpen = true;

  private constructor(connection: Deno.Conn, rest: Uint8Array, messageBytesMax: number) {
    this.#connection = connection;
    this.#stream = new MessageStream({ messageBytesMax, isMasked: false });
    this.#stream.append(rest);
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
      const rest = await requestUpgrade(connection, url);
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
      else this.#stream.append(this.#chunk.subarray(0, count));
      this.#handOut(handler);
    } catch (error) {
      if (!this.#isOpen) return false; // Closed while it was waiting.
      this.close();
      throw error;
    }
    return this.#isOpen;
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
      const message = this.#stream.next();
      if (message === undefined) return;
      this.#take(message, handler);
    }
  }

  #take({ opcode, payload }: Message, handler: MessageHandler): void {
    switch (opcode) {
      case OPCODE_TEXT:
        return handler.onText(decoder.decode(payload));
      case OPCODE_PING:
        this.#pong = payload.slice();
        if (!this.#isAnswering) void this.#answer();
        return;
      case OPCODE_PONG:
        return;
      case OPCODE_CLOSE:
        return this.close();
      default:
        return handler.onBinary(payload);
    }
  }

  /** Answers pings until there is none. A broken connection is told to whoever receives. */
  async #answer(): Promise<void> {
    this.#isAnswering = true;
    try {
      for (let pong = this.#pong; pong !== undefined; pong = this.#pong) {
        this.#pong = undefined;
        const mask = crypto.getRandomValues(new Uint8Array(MASK_BYTES));
        const frame = encodeFrame(OPCODE_PONG, pong, mask);
        for (let at = 0; at < frame.length;) at += await this.#connection.write(frame.subarray(at));
      }
    } catch {
      // It is closed, or about to be found so.
    } finally {
      this.#isAnswering = false;
    }
  }
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

function close(connection: Deno.Conn | undefined): void {
  try {
    connection?.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error; // It was closed before.
  }
}

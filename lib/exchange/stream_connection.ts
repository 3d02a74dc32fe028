/**
 * The server's end of one WebSocket, over the socket of an HTTP upgrade.
 *
 * Not Deno's own: that takes messages of up to 64 MiB, hides what it buffers behind a close, and
 * its HTTP server has no limit for connections or for heads that never end.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { FeedSink } from "./feed_client.ts";
import {
  CLOSE_CODES,
  closeFrame,
  frame,
  FrameError,
  FrameReader,
  OPCODES,
} from "./web_socket_frame.ts";

/** Appended to a client's key, says RFC 6455. */
const KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** 16 bytes in Base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** Milliseconds that a client has to take what waits for it, and its close, before it is cut. */
const CLOSE_MS = 5_000;

/** Messages that a client may send at once, and in each second. Arbitrary: a page sends two. */
const MESSAGES_AT_ONCE = 64;
const MESSAGES_A_SECOND = 16;

/** Seconds without a sign of life, to a ping in each of them, after which a client is cut. */
const SILENT_SECONDS_MAX = 45;

/** Told of what a client does. */
export interface StreamEvents {
  /** It has sent a message. */
  onText(text: string): void;
  /** It has taken what waited for it. */
  onDrain(): void;
  /** Its connection is no more. Called once. */
  onEnd(): void;
}

/**
 * Tells what is wrong with a request to become a WebSocket; undefined if nothing is. A browser's
 * page of another origin is refused by its `Origin`.
 */
export function upgradeFault({ headers }: IncomingMessage): string | undefined {
  const { upgrade, host, origin } = headers;
  if (upgrade?.toLowerCase() !== "websocket") return "expected Upgrade: websocket";
  if (headers["sec-websocket-version"] !== "13") return "expected Sec-WebSocket-Version: 13";
  if (!KEY.test(headers["sec-websocket-key"] ?? "")) return "expected a Sec-WebSocket-Key";
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
    return "expected a page of this server";
  }
  return undefined;
}

/** A connection; it is a client's way out, and hands on what comes in. */
export class StreamConnection implements FeedSink {
  readonly #socket: Duplex;
  readonly #reader: FrameReader;
  #messagesLeft = MESSAGES_AT_ONCE;
  #silentSeconds = 0;
  #isClosing = false;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;

  /** Answers the upgrade. Assumes that {@linkcode upgradeFault} found nothing. */
  constructor(
    request: IncomingMessage,
    socket: Duplex,
    { events, messageBytesMax }: { events: StreamEvents; messageBytesMax: number },
  ) {
    this.#socket = socket;
    this.#reader = new FrameReader({
      onText: (text) => this.#admit(() => events.onText(text)),
      onPing: (payload) => this.#admit(() => this.send(frame(OPCODES.pong, payload))),
      onPong: () => {},
      onClose: (code) => this.#close(code, ""),
    }, messageBytesMax);
    const key = `${request.headers["sec-websocket-key"]}${KEY_SUFFIX}`;
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("data", (bytes: Uint8Array) => this.receive(bytes));
    socket.on("drain", () => events.onDrain());
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.destroy());
    socket.on("close", () => {
      this.#isClosing = true;
      clearTimeout(this.#closeTimer);
      events.onEnd();
    });
  }

  /** See {@linkcode FeedSink.bufferedBytes}. */
  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  /** See {@linkcode FeedSink.send}. */
  send(frame: Uint8Array): void {
    if (!this.#isClosing) this.#socket.write(frame);
  }

  /** See {@linkcode FeedSink.close}. */
  close(reason: string): void {
    this.#close(CLOSE_CODES.policy, reason);
  }

  /** Ends because the server does: the client may look for it again. */
  leave(): void {
    this.#close(CLOSE_CODES.goingAway, "the server ends");
  }

  /** Takes bytes of the client: those that came with its request. The others come by themselves. */
  receive(bytes: Uint8Array): void {
    this.#silentSeconds = 0;
    if (this.#isClosing) return;
    try {
      this.#reader.take(bytes);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#close(error.code, error.message);
    }
  }

  /** Pings the client, and cuts one that is silent: to be called once in each second. */
  tick(): void {
    this.#messagesLeft = Math.min(MESSAGES_AT_ONCE, this.#messagesLeft + MESSAGES_A_SECOND);
    if (++this.#silentSeconds > SILENT_SECONDS_MAX) this.#socket.destroy();
    else if (this.#silentSeconds % 15 === 0) this.send(frame(OPCODES.ping, new Uint8Array()));
  }

  #admit(act: () => void): void {
    if (this.#isClosing) return;
    if (this.#messagesLeft-- > 0) return act();
    this.#close(CLOSE_CODES.policy, `expected at most ${MESSAGES_A_SECOND} messages a second`);
  }

  #close(code: number, reason: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#socket.end(closeFrame(code, reason));
    this.#closeTimer = setTimeout(() => this.#socket.destroy(), CLOSE_MS);
  }
}

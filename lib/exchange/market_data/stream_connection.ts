/**
 * The server's end of one WebSocket, over the socket of an HTTP upgrade.
 *
 * Not Deno's own: that takes messages of up to 64 MiB, hides what it buffers behind a close, and
 * its HTTP server has no limit for connections or for heads that never end.
 *
 * @module
 */

import type { Duplex } from "node:stream";
import {
  CLOSE_GOING_AWAY,
  CLOSE_POLICY,
  CLOSE_UNSUPPORTED,
  encodeClose,
  encodeFrame,
  OPCODE_CLOSE,
  OPCODE_PING,
  OPCODE_PONG,
  OPCODE_TEXT,
  WebSocketError,
} from "../../web_socket/frame.ts";
import { acceptResponse } from "../../web_socket/handshake.ts";
import type { Message } from "../../web_socket/message_reader.ts";
import { MessageStream } from "../../web_socket/message_stream.ts";
import type { FeedSink } from "./feed_client.ts";

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

/** A connection; it is a client's way out, and hands on what comes in. */
export class StreamConnection implements FeedSink {
  readonly #socket: Duplex;
  readonly #events: StreamEvents;
  readonly #messages: MessageStream;
  #messagesLeft = MESSAGES_AT_ONCE;
  #silentSeconds = 0;
  #isClosing = false;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;

  /** Answers a request to begin a WebSocket, in which nothing is wrong, by its key. */
  constructor(
    key: string,
    socket: Duplex,
    { events, messageBytesMax }: { events: StreamEvents; messageBytesMax: number },
  ) {
    this.#socket = socket;
    this.#events = events;
    this.#messages = new MessageStream({ messageBytesMax, isMasked: true });
    socket.write(acceptResponse(key));
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
    this.#close(CLOSE_POLICY, reason);
  }

  /** Ends because the server does: the client may look for it again. */
  leave(): void {
    this.#close(CLOSE_GOING_AWAY, "the server ends");
  }

  /** Takes bytes of the client: those that came with its request. The others come by themselves. */
  receive(bytes: Uint8Array): void {
    this.#silentSeconds = 0;
    if (this.#isClosing) return;
    try {
      this.#messages.append(bytes);
      for (let message = this.#messages.next(); message; message = this.#messages.next()) {
        this.#take(message);
        if (this.#isClosing) return;
      }
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
      this.#close(error.code, error.message);
    }
  }

  /** Pings the client, and cuts one that is silent: to be called once in each second. */
  tick(): void {
    this.#messagesLeft = Math.min(MESSAGES_AT_ONCE, this.#messagesLeft + MESSAGES_A_SECOND);
    if (++this.#silentSeconds > SILENT_SECONDS_MAX) this.#socket.destroy();
    else if (this.#silentSeconds % 15 === 0) this.send(encodeFrame(OPCODE_PING, new Uint8Array()));
  }

  #take(message: Message): void {
    switch (message.opcode) {
      case OPCODE_TEXT:
        if (this.#isAdmitted()) this.#events.onText(message.text);
        return;
      case OPCODE_PING:
        if (this.#isAdmitted()) this.send(encodeFrame(OPCODE_PONG, message.payload));
        return;
      case OPCODE_PONG:
        return;
      case OPCODE_CLOSE:
        return this.#close(message.closeCode, "");
      default:
        return this.#close(CLOSE_UNSUPPORTED, "message: expected text, found bytes");
    }
  }

  /** Whether the client may send another message; it is closed where it may not. */
  #isAdmitted(): boolean {
    if (this.#messagesLeft-- > 0) return true;
    this.#close(CLOSE_POLICY, `expected at most ${MESSAGES_A_SECOND} messages a second`);
    return false;
  }

  #close(code: number, reason: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#socket.end(encodeClose(code, reason));
    this.#closeTimer = setTimeout(() => this.#socket.destroy(), CLOSE_MS);
  }
}

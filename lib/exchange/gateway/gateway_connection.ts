/**
 * One client's connection to a gateway: bytes in, bytes out, and everything that bounds both.
 *
 * @module
 */

import type { Level } from "../../channel/producer.ts";
import type { GatewayCodec } from "./gateway_codec.ts";
import type { GatewaySession } from "./gateway_session.ts";
import { Heartbeat, INTERVALS_UNTIL_GONE } from "./heartbeat.ts";
import { AckBatch, type AckReceiver } from "./order_intake.ts";
import type { Refusal, RefusalReason } from "./refusal.ts";
import { closeSocket, isSocketError } from "./socket_error.ts";

/** Bytes that are read at once: many requests, little enough for a thousand connections. */
const READ_BYTES = 16_384;

/** Milliseconds in which a client may still read why its connection ends. */
const LINGER_MS = 1_000;

/** What a connection asks of its gateway. */
export interface ConnectionOwner {
  readonly limits: {
    heartbeatMs: number;
    logonTimeoutMs: number;
    outboxBytesMax: number;
  };
  /** Finds or makes a session, and attaches the connection to it, or ends it. */
  logon(connection: GatewayConnection): Promise<void>;
  /**
   * Publishes the order that the connection has read, or refuses it. Returns what to wait for
   * before the next, if anything.
   */
  order(connection: GatewayConnection): Promise<void> | undefined;
  /** Has a batch acknowledged when it is durable. */
  acknowledge(batch: AckBatch, connection: GatewayConnection): void;
  /** The connection has refused a request, or ends for a reason. */
  count(reason: RefusalReason): void;
  /** So many events are sent again to a client that has come back. */
  countResent(count: number): void;
}

/** A connection. */
export class GatewayConnection implements AckReceiver {
  /** How its bytes are read and written. */
  readonly codec: GatewayCodec;
  readonly #socket: Deno.TcpConn;
  readonly #owner: ConnectionOwner;
  readonly #heartbeat: Heartbeat;
  /** The client's silence until it logs on; whatever else comes does not end it. */
  readonly #untilLogon: Heartbeat;
  #isLoggingOn = false;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  #session: GatewaySession | undefined;
  #batch = new AckBatch();
  /** Number of the last event that was sent. */
  #sentNumber = 0;
  #writingBytes = 0;
  #isWriting = false;
  #isPaused = false;
  #isEnding = false;
  #linger: ReturnType<typeof setTimeout> | undefined;

  /** Takes an accepted socket over. */
  constructor(socket: Deno.TcpConn, codec: GatewayCodec, owner: ConnectionOwner) {
    this.#socket = socket;
    this.codec = codec;
    this.#owner = owner;
    this.#buffer = new Uint8Array(Math.max(READ_BYTES, codec.receiveBytesMax));
    const nowMs = performance.now();
    const { heartbeatMs, logonTimeoutMs } = owner.limits;
    this.#heartbeat = new Heartbeat(heartbeatMs, nowMs);
    this.#untilLogon = new Heartbeat(logonTimeoutMs / INTERVALS_UNTIL_GONE, nowMs);
    socket.setNoDelay(true);
  }

  /** Its session, when it has logged on. */
  get session(): GatewaySession | undefined {
    return this.#session;
  }

  /** Whether it ends: nothing more is read or sent. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Bytes that wait to be sent. */
  get bufferedBytes(): number {
    return this.codec.outbox.length + this.#writingBytes;
  }

  /** Reads until the connection has ended. */
  async run(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      if (!isSocketError(error)) throw error;
    } finally {
      this.#isEnding = true;
      clearTimeout(this.#linger);
      closeSocket(this.#socket);
    }
  }

  async #read(): Promise<void> {
    const buffer = this.#buffer;
    let end = 0;
    for (;;) {
      const count = await this.#socket.read(buffer.subarray(end));
      if (count === null) return;
      this.#heartbeat.received(performance.now());
      end += count;
      let start = 0;
      while (start < end && !this.#isEnding) {
        const taken = this.codec.decode(buffer, start, end);
        if (taken === 0) break;
        start += taken;
        const pause = this.#handle();
        if (pause !== undefined) await pause;
      }
      this.#flushBatch();
      this.#flush();
      if (this.#isEnding) start = end; // What comes behind the end is not looked at.
      buffer.copyWithin(0, start, end);
      end -= start;
    }
  }

  #handle(): Promise<void> | undefined {
    const { message } = this.codec;
    switch (message.type) {
      case "violation":
        return this.end(message.refusal);
      case "closed":
      case "logout":
        return this.end();
      case "logon":
        if (this.#session === undefined) {
          this.#isLoggingOn = true; // What takes long now is the gateway's own disk.
          return this.#owner.logon(this);
        }
        return this.end({ reason: "bad_logon", text: "logon: expected one, found a second" });
      case "order":
      case "refused":
        if (this.#session !== undefined) return this.#request(this.#session);
        return this.end({ reason: "not_logged_on", text: "expected a logon before anything else" });
      default:
        return undefined;
    }
  }

  #request({ bucket }: GatewaySession): Promise<void> | undefined {
    const { message } = this.codec;
    const nowMs = performance.now();
    if (!bucket.take(nowMs)) {
      const text = `requests: expected at most ${bucket.perSecond} in a second, found more`;
      this.reject({ reason: "rate_limited", text }, bucket.waitMs(nowMs));
      return undefined;
    }
    if (message.type === "order") return this.#owner.order(this);
    this.reject(message.refusal!, 0);
    return undefined;
  }

  /** Refuses the request that was read last. */
  reject(refusal: Refusal, retryAfterMs: number): void {
    this.#owner.count(refusal.reason);
    this.codec.reject(this.codec.message.clientSequence, refusal, retryAfterMs);
    this.#flush();
  }

  /** Reads nothing while `wait` is under way: the client's bytes stay where they are. */
  async pauseFor(wait: Promise<void>): Promise<void> {
    this.#flushBatch();
    this.#isPaused = true;
    await wait;
    this.#isPaused = false;
    this.#heartbeat.received(performance.now());
  }

  /** The order that was read last has a sequence, since a time by `monotonicNs()`. */
  published(sequence: number, timeNs: number): void {
    this.#batch.publishedNs.push(timeNs);
    this.#batch.clientSequences.push(this.codec.message.clientSequence);
    this.#batch.sequences.push(sequence);
  }

  #flushBatch(): void {
    if (this.#batch.sequences.length === 0) return;
    this.#owner.acknowledge(this.#batch, this);
    this.#batch = new AckBatch();
  }

  /** Makes it the connection of a session, whose client has the events up to `lastReceived`. */
  attach(session: GatewaySession, lastReceived: number): void {
    this.#session = session;
    this.#sentNumber = lastReceived;
    const { first } = session.window;
    if (lastReceived + 1 < first) {
      this.codec.gap(lastReceived + 1, first - 1);
      this.#sentNumber = first - 1;
    }
    this.#owner.countResent(session.releasedNumber - this.#sentNumber);
    this.pump();
    this.#flush();
  }

  /** Sends what the session may be told, as far as there is room. */
  pump(): void {
    const session = this.#session;
    if (session === undefined || this.#isEnding) return;
    const { window, id, releasedNumber } = session;
    const roomBytes = this.#owner.limits.outboxBytesMax / 2;
    while (this.#sentNumber < releasedNumber) {
      const number = this.#sentNumber + 1;
      if (number < window.first) {
        const found = `found it ${releasedNumber - this.#sentNumber} behind`;
        void this.end({ reason: "slow_client", text: `events: expected them read, ${found}` });
        return;
      }
      if (this.bufferedBytes >= roomBytes) break;
      this.codec.event(window.view, window.offsetOf(number), number, id);
      this.#sentNumber = number;
    }
    this.#flush();
  }

  /** Acknowledges orders. */
  acknowledge({ clientSequences, sequences }: AckBatch, level: Level): void {
    if (this.#isEnding) return;
    for (const [i, sequence] of sequences.entries()) {
      this.codec.ack(clientSequences[i]!, sequence, level);
    }
    this.#flush();
  }

  /** Ends it because nobody knows what has become of its orders. */
  fail(refusal: Refusal): void {
    void this.end(refusal);
  }

  /** Sends a heartbeat, or ends it, where it is time. */
  tick(nowMs: number): void {
    if (this.#isEnding) return;
    if (this.#isPaused) this.#heartbeat.received(nowMs);
    if (this.#session === undefined) {
      if (this.#isLoggingOn || this.#untilLogon.look(nowMs) === "alive") return;
      const text = `logon: expected within ${this.#owner.limits.logonTimeoutMs} ms, found none`;
      void this.end({ reason: "logon_timeout", text });
    } else if (this.#heartbeat.look(nowMs) === "silent") {
      const text = `heartbeat: expected every ${this.#heartbeat.intervalMs} ms, found none`;
      void this.end({ reason: "heartbeat_timeout", text });
    } else if (this.#heartbeat.isDue(nowMs)) {
      this.codec.heartbeat(this.#session.releasedNumber);
      this.#flush();
    }
  }

  /** Ends it, with the reason as its last words. Does not wait for the client. */
  end(refusal?: Refusal): undefined {
    if (this.#isEnding) return;
    this.#flushBatch();
    this.#isEnding = true;
    if (refusal === undefined) {
      this.codec.close();
    } else {
      this.#owner.count(refusal.reason);
      this.codec.error(refusal);
    }
    this.#linger = setTimeout(() => closeSocket(this.#socket), LINGER_MS);
    this.#startWriting();
  }

  #flush(): void {
    if (this.codec.outbox.length === 0) return;
    const { outboxBytesMax } = this.#owner.limits;
    if (this.bufferedBytes > outboxBytesMax && !this.#isEnding) {
      const found = `found ${this.bufferedBytes} bytes unread`;
      const text = `answers: expected at most ${outboxBytesMax} bytes unread, ${found}`;
      return this.end({ reason: "slow_client", text });
    }
    this.#heartbeat.sent(performance.now());
    this.#startWriting();
  }

  /** Writes at the end of this turn, so that everything of the turn is one write. */
  #startWriting(): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    queueMicrotask(() => void this.#write());
  }

  async #write(): Promise<void> {
    const { outbox } = this.codec;
    try {
      while (outbox.length > 0) {
        let bytes = outbox.take();
        this.#writingBytes = bytes.length;
        while (bytes.length > 0) {
          bytes = bytes.subarray(await this.#socket.write(bytes));
          this.#writingBytes = bytes.length;
        }
        this.pump();
      }
      this.#isWriting = false;
      // The client's bytes are read on until it has closed too: closing now could drop the last
      // words on their way.
      if (this.#isEnding) await this.#socket.closeWrite();
    } catch (error) {
      if (!isSocketError(error)) throw error;
      this.#isEnding = true; // Reading tells why.
      closeSocket(this.#socket);
    }
  }
}

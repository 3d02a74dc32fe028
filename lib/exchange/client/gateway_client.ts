/**
 * A client of a gateway: logs on, comes back after a disconnect, resends what nobody has answered.
 *
 * @module
 */

import type {
  AckMessage,
  ClientRequest,
  ClientTransport,
  GapMessage,
  GatewayMessage,
  RejectMessage,
  SessionMessage,
} from "./client_transport.ts";
import type { SessionEvent } from "../gateway/event_text.ts";
import { Heartbeat } from "../gateway/heartbeat.ts";
import type { RefusalReason } from "../gateway/refusal.ts";
import { TcpTransport } from "./tcp_transport.ts";
import { WebSocketTransport } from "./web_socket_transport.ts";

/** How a client stands. */
export type ClientState =
  /** On its way to the gateway, for the first time or again. */
  | "connecting"
  /** Logged on. */
  | "open"
  /** Over for good: closed, or the session is another one's. */
  | "closed";

/** How a client is made. Each handler is called in the order in which things happened. */
export interface GatewayClientOptions {
  /** `ws://host:port/` for JSON, `tcp://host:port` for the binary protocol. */
  url: string;
  /** The session to come back to. Default: a new one. */
  token?: string;
  /** Number of the last event that was received in that session. Default: 0. */
  lastReceived?: number;
  /** Of an event of the session: each once, and without a gap but for those that `onGap` tells. */
  onEvent?: (event: SessionEvent) => void;
  /** A request is durable. Once for each, also when it took a resend. */
  onAck?: (ack: AckMessage) => void;
  /** A request is not taken. */
  onReject?: (reject: RejectMessage) => void;
  /** Events were lost, because the client was away for longer than the gateway keeps them. */
  onGap?: (gap: GapMessage) => void;
  /** How it stands has changed; with the gateway's reason, if there is one. */
  onState?: (state: ClientState, reason?: RefusalReason, text?: string) => void;
}

/** Milliseconds before the first try to come back; they double up to the largest. */
const RECONNECT_MS = 20;
const RECONNECT_MS_MAX = 1_000;

/**
 * Milliseconds for a connection and its session, after which another try is made. A new session is
 * two syncs of a disk: one that takes seconds for each must not let every try fail.
 */
const LOGON_TIMEOUT_MS = 20_000;

/** Looks at heartbeats in each of their intervals. */
const TICKS_PER_INTERVAL = 4;

/** Reasons for which coming back is useless. */
const FINAL_REASONS: readonly RefusalReason[] = ["displaced", "unknown_session"];

/** A request that nobody has answered. */
interface Unanswered {
  request: ClientRequest;
  /** The gateway had no room for the resend. */
  isDeferred: boolean;
}

/**
 * A client's session. Made by {@linkcode connectGateway}.
 *
 * Requests are sent at once, as many as wanted; each is kept until it was acknowledged or rejected,
 * and sent again, in order, when the client has come back. Whether it was executed the events tell.
 * Thread: its isolate's event loop.
 */
export class GatewayClient implements Disposable {
  readonly #options: GatewayClientOptions;
  readonly #unanswered = new Map<number, Unanswered>();
  readonly #opened = Promise.withResolvers<void>();
  #idle: PromiseWithResolvers<void> | undefined;
  #transport: ClientTransport | undefined;
  #session: SessionMessage | undefined;
  #token: string | undefined;
  #lastReceived: number;
  #clientSequence = 0;
  #heartbeat: Heartbeat | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #reconnectMs = RECONNECT_MS;
  #state: ClientState = "connecting";
  /** Events up to this one are on their way; only then what is unanswered is sent again. */
  #resendAfter = 0;
  /** Whether that was done, so that requests are sent at once. */
  #isCaughtUp = false;

  /** Begins to connect; see {@linkcode connectGateway}. */
  constructor(options: GatewayClientOptions) {
    this.#options = options;
    this.#token = options.token;
    this.#lastReceived = options.lastReceived ?? 0;
    this.#opened.promise.catch(() => {}); // Whoever wants to know asks for it.
    this.#connect();
  }

  /** Resolves with the first session; rejects if there is none for good. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** How it stands. */
  get state(): ClientState {
    return this.#state;
  }

  /** The session that it is logged on to, or was last. */
  get session(): SessionMessage | undefined {
    return this.#session;
  }

  /** With token and this number another client can go on. */
  get lastReceived(): number {
    return this.#lastReceived;
  }

  /** Requests that were neither acknowledged nor rejected. */
  get unanswered(): number {
    return this.#unanswered.size;
  }

  /** Client sequence of the last request. */
  get clientSequence(): number {
    return this.#clientSequence;
  }

  /** Bytes that wait to be sent: above 0 for long, the gateway makes the client wait. */
  get bufferedBytes(): number {
    return this.#transport?.bufferedBytes ?? 0;
  }

  /**
   * Sends a request, now or when there is a connection.
   *
   * @returns Its client sequence, by which it is answered.
   * @throws {TypeError} If the client is closed, or had no session yet.
   */
  send(request: ClientRequest): number {
    if (this.#state === "closed" || this.#session === undefined) {
      throw new TypeError(`Cannot send a request: expected a session, found ${this.#state}`);
    }
    const clientSequence = ++this.#clientSequence;
    this.#unanswered.set(clientSequence, { request, isDeferred: false });
    if (this.#isCaughtUp) this.#write(clientSequence, request);
    return clientSequence;
  }

  /** Waits until all requests were answered, or the client is closed. */
  async idle(): Promise<void> {
    if (this.#unanswered.size === 0 || this.#state === "closed") return;
    this.#idle ??= Promise.withResolvers<void>();
    await this.#idle.promise;
  }

  /** Ends it. The session stays at the gateway. */
  close(): void {
    this.#transport?.logout();
    this.#end();
  }

  /** Ends it. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Cuts the connection, as a network would. The client comes back. */
  disconnect(): void {
    this.#lose();
  }

  #write(clientSequence: number, request: ClientRequest): void {
    this.#transport!.request(clientSequence, request);
    this.#heartbeat!.sent(performance.now());
  }

  #setState(state: ClientState, reason?: RefusalReason, text?: string): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState?.(state, reason, text);
  }

  #connect(): void {
    const transport = openTransport(this.#options.url);
    this.#transport = transport;
    transport.onMessage = (message) => this.#take(message);
    transport.logon(this.#token, this.#lastReceived);
    this.#timer = setTimeout(() => this.#lose(), LOGON_TIMEOUT_MS);
  }

  /** The connection is gone; another one is tried after a while. */
  #lose(reason?: RefusalReason, text?: string): void {
    if (this.#state === "closed") return;
    this.#disarm();
    this.#setState("connecting", reason, text);
    const waitMs = this.#reconnectMs;
    this.#reconnectMs = Math.min(2 * waitMs, RECONNECT_MS_MAX);
    this.#timer = setTimeout(() => this.#connect(), waitMs);
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    clearInterval(this.#ticker);
    this.#transport?.close();
    this.#transport = undefined;
    this.#isCaughtUp = false;
  }

  #end(reason?: RefusalReason, text?: string): void {
    if (this.#state === "closed") return;
    this.#disarm();
    this.#setState("closed", reason, text);
    this.#opened.reject(new Error(`Cannot log on to a gateway: found ${reason ?? "it closed"}`));
    this.#idle?.resolve();
  }

  #take(message: GatewayMessage | undefined): void {
    if (message === undefined) return this.#lose();
    const isFirst = this.#session === undefined;
    if (isFirst && message.type !== "session" && message.type !== "error") return this.#lose();
    this.#heartbeat?.received(performance.now());
    switch (message.type) {
      case "session":
        return this.#open(message);
      case "ack":
        if (this.#answer(message.clientSequence)) this.#options.onAck?.(message);
        return;
      case "reject":
        return this.#takeReject(message);
      case "gap":
        this.#lastReceived = message.to;
        this.#options.onGap?.(message);
        return this.#resendIfCaughtUp();
      case "heartbeat":
        return;
      case "error":
        return FINAL_REASONS.includes(message.reason)
          ? this.#end(message.reason, message.text)
          : this.#lose(message.reason, message.text);
      default:
        return this.#takeEvent(message);
    }
  }

  #open(session: SessionMessage): void {
    clearTimeout(this.#timer);
    this.#reconnectMs = RECONNECT_MS;
    this.#session = session;
    this.#token = session.token;
    this.#clientSequence = Math.max(this.#clientSequence, session.lastClientSequence);
    const { heartbeatMs } = session;
    clearInterval(this.#ticker); // Of a gateway that tells of the session twice.
    this.#heartbeat = new Heartbeat(heartbeatMs, performance.now());
    this.#ticker = setInterval(() => this.#tick(), heartbeatMs / TICKS_PER_INTERVAL);
    this.#setState("open");
    this.#opened.resolve();
    this.#resendAfter = session.lastNumber;
    this.#resendIfCaughtUp();
  }

  /** Sends what is unanswered again, once the events of before are there: some answer it. */
  #resendIfCaughtUp(): void {
    if (this.#isCaughtUp || this.#state !== "open" || this.#lastReceived < this.#resendAfter) {
      return;
    }
    this.#isCaughtUp = true;
    for (const [clientSequence, unanswered] of this.#unanswered) {
      unanswered.isDeferred = false;
      this.#write(clientSequence, unanswered.request);
    }
  }

  #takeEvent(event: SessionEvent): void {
    if (event.number <= this.#lastReceived) return; // Known from before the disconnect.
    if (event.number > this.#lastReceived + 1) return this.#lose(); // Again, from where it broke.
    this.#lastReceived = event.number;
    this.#options.onEvent?.(event);
    this.#resendIfCaughtUp();
  }

  #takeReject(reject: RejectMessage): void {
    const { clientSequence, retryAfterMs } = reject;
    const unanswered = this.#unanswered.get(clientSequence ?? 0);
    const isTaken = clientSequence !== null && clientSequence <= this.#session!.lastClientSequence;
    if (unanswered !== undefined && isTaken && retryAfterMs !== undefined) {
      // Taken on an earlier connection: it is only its acknowledgement that is asked for. What the
      // gateway had not taken is refused like any other, as by the time of a later try it has taken
      // newer ones, and the engine would find it too old.
      unanswered.isDeferred = true;
      this.#retryTimer ??= setTimeout(() => this.#retry(), retryAfterMs);
      return;
    }
    if (clientSequence !== null) this.#answer(clientSequence);
    this.#options.onReject?.(reject);
  }

  #retry(): void {
    this.#retryTimer = undefined;
    for (const [clientSequence, unanswered] of this.#unanswered) {
      if (!unanswered.isDeferred) continue;
      unanswered.isDeferred = false;
      this.#write(clientSequence, unanswered.request);
    }
  }

  /** A request has its answer. False if it had one. */
  #answer(clientSequence: number): boolean {
    const isNew = this.#unanswered.delete(clientSequence);
    if (this.#unanswered.size === 0) {
      this.#idle?.resolve();
      this.#idle = undefined;
    }
    return isNew;
  }

  #tick(): void {
    const heartbeat = this.#heartbeat!;
    const nowMs = performance.now();
    if (heartbeat.look(nowMs) === "silent") return this.#lose("heartbeat_timeout");
    if (!heartbeat.isDue(nowMs)) return;
    this.#transport!.heartbeat();
    heartbeat.sent(nowMs);
  }
}

function openTransport(url: string): ClientTransport {
  const { protocol, hostname, port } = new URL(url);
  if (protocol === "ws:" || protocol === "wss:") return new WebSocketTransport(url);
  if (protocol === "tcp:") return new TcpTransport(hostname.replace(/^\[|\]$/g, ""), Number(port));
  throw new TypeError(`Cannot connect to "${url}" as a gateway: expected ws:// or tcp://`);
}

/**
 * Connects to a gateway, and waits for a session. Goes on trying while there is no gateway.
 *
 * @throws {TypeError} If the URL is none of a gateway.
 * @throws {Error} If the gateway does not know the session, or another client uses it.
 */
export async function connectGateway(options: GatewayClientOptions): Promise<GatewayClient> {
  const client = new GatewayClient(options);
  await client.opened;
  return client;
}

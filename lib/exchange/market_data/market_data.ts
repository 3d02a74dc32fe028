/**
 * Market data for clients: a REST API, a WebSocket stream, and a page.
 *
 * @module
 */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import {
  errorResponse,
  type HostRule,
  type HttpFault,
  isLoopback,
  upgradeFault,
} from "../../web_socket/handshake.ts";
import {
  type Asset,
  closeHttp,
  listenHttp,
  REQUEST_MS,
  requestFault,
  sendAsset,
} from "../../web_socket/http.ts";
import { FanOut, type FanOutOptions } from "./fan_out.ts";
import { REQUEST_BYTES_MAX } from "./feed_request.ts";
import { answerApi, type ApiAnswer, refusal } from "./market_data_api.ts";
import { type MarketDataReport, MarketDataStats } from "./market_data_stats.ts";
import type { MarketFeed } from "./market_feed.ts";
import { StreamConnection } from "./stream_connection.ts";

export type { Asset };

/** How a {@linkcode MarketDataServer} listens. */
export interface MarketDataOptions extends FanOutOptions {
  /** Address to listen at. Default: `127.0.0.1`. */
  host?: string;
  /** Port to listen at; 0 takes a free one. Default: 0. */
  port?: number;
  /** Whether `host` may be reached from other hosts, under whatever name. Default: false. */
  allowRemote?: boolean;
  /** Clients of the stream at most; further ones are answered by 503. Default: 1000. */
  clientsMax?: number;
  /** Milliseconds in which changes are gathered into one update; 0: none. Default: 5. */
  flushMs?: number;
  /** Milliseconds that a client of the REST API may take nothing of its answer. Default: 10000. */
  answerMs?: number;
  /** Called after clients were told what has changed. */
  onFlush?: () => void;
  /** Files by their paths, such as `/app.js`; `/` is the page. Default: none. */
  assets?: ReadonlyMap<string, Asset>;
}

/** Connections beside those of the stream's clients. */
const OTHER_CONNECTIONS_MAX = 128;

/**
 * Serves a feed. Whoever fills the feed calls {@linkcode MarketDataServer.notify} afterwards.
 *
 * It reads requests without a body, GET and HEAD, and refuses everything else; only requests to a
 * loopback name are answered, so that no page of the web reaches it by a name of its own that leads
 * here. No client can slow it, or another client.
 *
 * Thread: its isolate's only.
 */
export class MarketDataServer {
  /** Where it listens. */
  readonly address: { host: string; port: number };
  /** Its clients. */
  readonly fanOut: FanOut;
  readonly #feed: MarketFeed;
  readonly #server: Server;
  readonly #assets: ReadonlyMap<string, Asset>;
  readonly #hostRule: HostRule;
  readonly #clientsMax: number;
  readonly #flushMs: number;
  readonly #answerMs: number;
  readonly #onFlush: () => void;
  readonly #stats: MarketDataStats;
  readonly #connections = new Set<StreamConnection>();
  readonly #ticker: ReturnType<typeof setInterval>;
  #flushTimer: ReturnType<typeof setTimeout> | undefined;
  #isOpen = true;

  /** Made by {@linkcode serveMarketData}. */
  constructor(feed: MarketFeed, server: Server, options: MarketDataOptions) {
    const { address, port } = server.address() as AddressInfo;
    this.address = { host: address, port };
    this.fanOut = new FanOut(feed, options);
    this.#feed = feed;
    this.#server = server;
    this.#assets = options.assets ?? new Map();
    this.#hostRule = { allowRemote: options.allowRemote ?? false };
    this.#clientsMax = options.clientsMax ?? 1000;
    this.#flushMs = options.flushMs ?? 5;
    this.#answerMs = options.answerMs ?? REQUEST_MS;
    this.#onFlush = options.onFlush ?? (() => {});
    this.#stats = new MarketDataStats(feed, this.fanOut);
    server.on("request", (request, response) => this.#answer(request, response));
    server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#ticker = setInterval(() => this.#tick(), 1000);
  }

  /** Says that the feed has changed: clients are told at once, or with what comes until then. */
  notify(): void {
    if (this.#flushMs === 0) this.#flush();
    else this.#flushSoon();
  }

  /** Returns what `/api/stats` shows. */
  stats(): MarketDataReport {
    return this.#stats.read();
  }

  /** Says goodbye to all clients, and ends. May be repeated. */
  async stop(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearInterval(this.#ticker);
    clearTimeout(this.#flushTimer);
    this.fanOut.flush();
    for (const connection of this.#connections) connection.leave();
    await closeHttp(this.#server);
  }

  #flushSoon(): void {
    if (!this.#isOpen) return;
    this.#flushTimer ??= setTimeout(() => {
      this.#flushTimer = undefined;
      this.#flush();
    }, this.#flushMs);
  }

  #flush(): void {
    this.fanOut.flush();
    this.#onFlush();
    if (this.fanOut.hasCatchUps) this.#flushSoon();
  }

  #tick(): void {
    this.#stats.turn();
    for (const connection of this.#connections) connection.tick();
    this.fanOut.endStalled();
    this.fanOut.broadcast(JSON.stringify({ type: "stats", ...this.stats() }));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { url = "", socket } = request;
    socket.setTimeout(this.#answerMs, () => socket.destroy());
    const fault = requestFault(request, response, this.#hostRule);
    if (fault !== undefined) {
      const reason = fault.status === 403 ? "bad_host" : "bad_method";
      return sendAnswer(response, refusal(fault.status, reason, fault.text));
    }
    const target = URL.parse(url, "http://localhost");
    if (target === null) return sendAnswer(response, refusal(400, "bad_url", "expected a path"));
    const asset = this.#assets.get(target.pathname);
    if (asset !== undefined) return sendAsset(response, 200, asset);
    sendAnswer(response, answerApi(target, this.#feed, () => this.stats()));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    socket.on("error", () => socket.destroy());
    const fault = this.#upgradeFault(request);
    if (fault !== undefined) {
      socket.end(errorResponse(fault), () => socket.destroy());
      return;
    }
    const events = {
      onText: (text: string) => {
        this.fanOut.request(client, text);
        this.notify();
      },
      onDrain: () => {
        if (this.fanOut.behindCount > 0) this.#flushSoon();
      },
      onEnd: () => {
        this.#connections.delete(connection);
        this.fanOut.remove(client);
      },
    };
    const connection = new StreamConnection(request.headers["sec-websocket-key"]!, socket, {
      events,
      messageBytesMax: REQUEST_BYTES_MAX,
    });
    const client = this.fanOut.add(connection);
    this.#connections.add(connection);
    connection.receive(head);
  }

  /** Why an upgrade is refused. */
  #upgradeFault({ method, url, headers }: IncomingMessage): HttpFault | undefined {
    const fault = upgradeFault(headers, this.#hostRule);
    if (fault !== undefined) return fault;
    if (method !== "GET" || url !== "/stream") return { status: 404, text: "expected /stream" };
    if (this.#connections.size < this.#clientsMax) return undefined;
    return { status: 503, text: "expected fewer clients" };
  }
}

/**
 * Begins to serve a feed.
 *
 * @throws {TypeError} If `host` is none of loopback's and `allowRemote` was not given.
 * @throws {Deno.errors.AddrInUse} If the port is taken.
 * @example A book over HTTP
 * ```ts
 * import { MarketFeed, serveMarketData } from "message_transport/exchange";
 * import { assertEquals } from "@std/assert";
 *
 * const bitcoin = { id: 1, symbol: "BTC-USD", priceDecimals: 2, quantityDecimals: 8 };
 * const feed = new MarketFeed({ at: () => bitcoin, all: () => [bitcoin] });
 * const server = await serveMarketData(feed);
 * const { port } = server.address;
 * const response = await fetch(`http://127.0.0.1:${port}/api/book/BTC-USD?depth=5`);
 * assertEquals((await response.json()).bids, []);
 * await server.stop();
 * ```
 */
export async function serveMarketData(
  feed: MarketFeed,
  options: MarketDataOptions = {},
): Promise<MarketDataServer> {
  const { host = "127.0.0.1", port = 0, allowRemote = false, clientsMax = 1000 } = options;
  if (!allowRemote && !isLoopback(host)) {
    throw new TypeError(
      `Cannot listen at "${host}" as a loopback address: found another one, without allowRemote`,
    );
  }
  const connectionsMax = clientsMax + OTHER_CONNECTIONS_MAX;
  const server = await listenHttp({ host, port, connectionsMax, takesUpgrades: true });
  return new MarketDataServer(feed, server, options);
}

function sendAnswer(response: ServerResponse, { status, body }: ApiAnswer): void {
  sendAsset(response, status, { type: "application/json; charset=utf-8", bytes: body });
}

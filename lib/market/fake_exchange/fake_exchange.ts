/**
 * An exchange that is none: Binance's streams and REST on this host, with a seeded market behind
 * them and faults on request. For tests and for demonstrations without a network.
 *
 * @module
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { acceptResponse, errorResponse } from "../../web_socket/handshake.ts";
import { listen } from "../../web_socket/http.ts";
import { FakeInstrument, type TrueBook } from "./fake_instrument.ts";
import { FakeStream } from "./fake_stream.ts";
import { FaultPlan, type FaultRates, type RestFault, type StreamFault } from "./fault_plan.ts";
import { MODEL_PRICE_DECIMALS, MODEL_QUANTITY_DECIMALS, randomNumbers } from "./market_model.ts";

export type { FakeLevel, TrueBook } from "./fake_instrument.ts";
export { REST_FAULTS, type RestFault, STREAM_FAULTS, type StreamFault } from "./fault_plan.ts";

/** How a {@linkcode FakeExchange} is. */
export interface FakeExchangeOptions {
  /** Decides everything but the time. An integer, 0 to 2^32 - 1. Default: 1. */
  readonly seed?: number;
  /** Default: `["BTCUSDT"]`. */
  readonly symbols?: readonly string[];
  /** Whose rules it follows. Default: `"spot"`. */
  readonly market?: "spot" | "futures";
  /**
   * Things that happen to each instrument in a second; each becomes a message or two. 0 = only
   * {@linkcode FakeExchange.advance} lets something happen. Default: 1,000.
   */
  readonly rateHz?: number;
  /** How likely each fault of a stream's message is. Default: none happens. */
  readonly streamFaults?: FaultRates<StreamFault>;
  /** How likely each fault of a REST request is. Default: none happens. */
  readonly restFaults?: FaultRates<RestFault>;
  /** Default: `"127.0.0.1"`. */
  readonly host?: string;
  /** Default: 0, any that is free. */
  readonly port?: number;
  /** Milliseconds between two pings. Default: 20,000. */
  readonly pingMs?: number;
  /** What a refused REST client is told to wait, in whole seconds. Default: 1. */
  readonly retryAfterSeconds?: number;
}

/** Milliseconds between two looks at what is due: a feed is smooth enough, and a core is idle. */
const TURN_MS = 5;

/** Steps in one turn. A host that was suspended does not make up for hours. */
const STEPS_PER_TURN_MAX = 20_000;

/** Time that a step takes where nothing else says so: 20 of them make a depth update. */
const STEP_US = 5_000;

/** Most levels that REST gives, and how many it gives unasked. */
const DEPTH_LIMIT_MAX = 5_000;
const DEPTH_LIMIT = 100;

/**
 * Answers `/stream?streams=…`, `/ws/…`, and REST `depth` and `exchangeInfo` of spot or futures.
 *
 * Thread: one. Cost: some microseconds a message.
 *
 * @example The true book
 * ```ts
 * import { FakeExchange } from "./fake_exchange.ts";
 * import { assertEquals } from "@std/assert";
 *
 * await using exchange = await FakeExchange.start({ seed: 7, rateHz: 0 });
 * exchange.advance(100);
 * const response = await fetch(`${exchange.restUrl}/api/v3/depth?symbol=BTCUSDT&limit=5000`);
 * const { lastUpdateId, bids } = await response.json();
 * assertEquals(bids, exchange.bookAt("BTCUSDT", lastUpdateId).bids);
 * ```
 */
export class FakeExchange implements AsyncDisposable {
  /** Faults of the streams' messages, of all clients alike. */
  readonly streamFaults: FaultPlan<StreamFault>;
  /** Faults of REST requests. */
  readonly restFaults: FaultPlan<RestFault>;
  /** What was served so far. */
  readonly counts = { connections: 0, restRequests: 0, steps: 0 };
  readonly #options: FakeExchangeOptions;
  readonly #isFutures: boolean;
  readonly #random: () => number;
  readonly #instruments = new Map<string, FakeInstrument>();
  readonly #streams = new Set<FakeStream>();
  readonly #server = createServer((request, response) => this.#answer(request, response));
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #timeUs = Date.now() * 1000;

  private constructor(options: FakeExchangeOptions) {
    const { seed = 1, symbols = ["BTCUSDT"] } = options;
    if (seed !== seed >>> 0) {
      throw new RangeError(`Cannot start an exchange as the seed must be a u32: found ${seed}`);
    }
    this.#options = options;
    this.#isFutures = options.market === "futures";
    this.#random = randomNumbers(seed);
    this.streamFaults = new FaultPlan(options.streamFaults ?? {}, this.#random);
    this.restFaults = new FaultPlan(options.restFaults ?? {}, this.#random);
    symbols.forEach((symbol, index) => {
      const settings = { timeUs: this.#timeUs, isFutures: this.#isFutures };
      this.#instruments.set(symbol, new FakeInstrument(symbol, (seed + index) >>> 0, settings));
    });
    this.#server.on("upgrade", (request, socket) => this.#upgrade(request, socket));
  }

  /**
   * Starts an exchange; it listens when the promise is fulfilled.
   *
   * @throws {RangeError} If the seed is no u32.
   * @throws {Deno.errors.AddrInUse} If the port is taken.
   */
  static async start(options: FakeExchangeOptions = {}): Promise<FakeExchange> {
    const exchange = new FakeExchange(options);
    await exchange.#listen();
    return exchange;
  }

  /** Where streams are: `ws://…`, without a path. */
  get url(): string {
    return `ws://${this.#address}`;
  }

  /** Where REST is: `http://…`, without a path. */
  get restUrl(): string {
    return `http://${this.#address}`;
  }

  /** Clients that are connected to streams. */
  get connectionCount(): number {
    return this.#streams.size;
  }

  get #address(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `${address}:${port}`;
  }

  /** Lets things happen to every instrument, and sends what is to be sent. */
  advance(steps: number): void {
    const { rateHz = 1_000 } = this.#options;
    const stepUs = rateHz === 0 ? STEP_US : 1e6 / rateHz;
    for (let step = 0; step < steps; step++) {
      this.#timeUs += stepUs;
      this.counts.steps++;
      for (const instrument of this.#instruments.values()) {
        for (const event of instrument.step(Math.floor(this.#timeUs))) {
          for (const stream of this.#streams) stream.send(event);
        }
      }
    }
  }

  /** Id of the last change of an instrument's book. */
  updateIdOf(symbol: string): number {
    return this.#instrument(symbol).updateId;
  }

  /**
   * The whole book of an instrument as it was after the change of an update id.
   *
   * @throws {RangeError} If there is no such instrument, or that is over 100,000 changes ago.
   */
  bookAt(symbol: string, updateId: number): TrueBook {
    return this.#instrument(symbol).bookAt(updateId);
  }

  #instrument(symbol: string): FakeInstrument {
    const instrument = this.#instruments.get(symbol);
    if (instrument !== undefined) return instrument;
    const found = [...this.#instruments.keys()].join(", ");
    throw new RangeError(`Cannot find instrument "${symbol}": found ${found}`);
  }

  /** Cuts all connections, and listens no more. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const stream of this.#streams) stream.destroy();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Stops it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #listen(): Promise<void> {
    const { rateHz = 1_000, host = "127.0.0.1", port = 0, pingMs = 20_000 } = this.#options;
    await listen(this.#server, { host, port });
    this.#timers.push(setInterval(() => {
      for (const stream of this.#streams) stream.ping();
    }, pingMs));
    if (rateHz === 0) return;
    const startMs = performance.now();
    let done = 0;
    this.#timers.push(setInterval(() => {
      const due = Math.floor((performance.now() - startMs) / 1000 * rateHz) - done;
      done += due;
      this.advance(Math.min(due, STEPS_PER_TURN_MAX));
    }, TURN_MS));
  }

  #upgrade(request: IncomingMessage, socket: Duplex): void {
    const { pathname, searchParams } = new URL(request.url ?? "/", this.restUrl);
    const key = request.headers["sec-websocket-key"];
    const isCombined = pathname === "/stream";
    if (key === undefined || !isCombined && !/^\/ws(\/|$)/.test(pathname)) {
      socket.end(errorResponse({ status: 404, text: "expected /stream or /ws" }));
      return;
    }
    const names = isCombined ? searchParams.get("streams") ?? "" : pathname.slice("/ws/".length);
    socket.write(acceptResponse(key));
    const stream = new FakeStream(socket, {
      streams: names.split("/").filter((name) => name !== ""),
      isCombined,
      faults: this.streamFaults,
      random: this.#random,
    });
    this.counts.connections++;
    this.#streams.add(stream);
    socket.on("close", () => this.#streams.delete(stream));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.counts.restRequests++;
    const fault = this.restFaults.next();
    const retryAfter = String(this.#options.retryAfterSeconds ?? 1);
    switch (fault) {
      case "silent":
        return;
      case "limited":
        response.setHeader("Retry-After", retryAfter);
        return sendJson(response, 429, '{"code":-1003,"msg":"Too many requests"}');
      case "banned":
        response.setHeader("Retry-After", retryAfter);
        return sendJson(response, 418, '{"code":-1003,"msg":"Way too many requests"}');
      case "broken":
        response.writeHead(503, { "Content-Type": "text/html" });
        response.end("<html>Service unavailable</html>");
        return;
    }
    const { pathname, searchParams } = new URL(request.url ?? "/", this.restUrl);
    const { status, json } = this.#rest(pathname, searchParams, fault === "stale");
    sendJson(response, status, fault === "cut" ? json.slice(0, json.length / 2) : json);
  }

  #rest(path: string, query: URLSearchParams, isStale: boolean): { status: number; json: string } {
    const root = this.#isFutures ? "/fapi/v1" : "/api/v3";
    if (path === `${root}/exchangeInfo`) {
      return { status: 200, json: this.#exchangeInfo() };
    }
    if (path !== `${root}/depth`) return { status: 404, json: '{"code":-1,"msg":"Not found"}' };
    const instrument = this.#instruments.get(query.get("symbol") ?? "");
    if (instrument === undefined) {
      return { status: 400, json: '{"code":-1121,"msg":"Invalid symbol."}' };
    }
    const limit = Number(query.get("limit") ?? DEPTH_LIMIT);
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= DEPTH_LIMIT_MAX)) {
      return { status: 400, json: '{"code":-1130,"msg":"Illegal parameter \'limit\'."}' };
    }
    return { status: 200, json: instrument.snapshot(limit, isStale) };
  }

  #exchangeInfo(): string {
    const step = (decimals: number) => (10 ** -decimals).toFixed(8);
    const filters = [
      { filterType: "PRICE_FILTER", tickSize: step(MODEL_PRICE_DECIMALS) },
      { filterType: "LOT_SIZE", stepSize: step(MODEL_QUANTITY_DECIMALS) },
    ];
    const symbols = [...this.#instruments.keys()].map((symbol) => ({
      symbol,
      status: "TRADING",
      filters,
    }));
    return JSON.stringify({ timezone: "UTC", serverTime: Date.now(), symbols });
  }
}

function sendJson(response: ServerResponse, status: number, json: string): void {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(json);
}

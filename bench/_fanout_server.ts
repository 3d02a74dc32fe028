/**
 * The server of `fanout.ts`: market data, or as a floor the least that Deno can do.
 *
 * Each update changes eight levels, whose quantity is the microsecond in which it should have been
 * sent: so a client knows how late it is.
 *
 * @module
 */

import process from "node:process";
import {
  EngineEvent,
  EVENT_BOOK_CHANGED,
  KIND_BOOKED,
  MarketFeed,
  serveMarketData,
  SIDE_BUY,
} from "../lib/exchange/mod.ts";
import { updateText } from "../lib/exchange/market_data/feed_text.ts";
import { monotonicNs } from "../mod.ts";
import { answer, ready, takeJob } from "./_peer.ts";

/** What a server is to do. */
export interface FanoutServerJob extends Record<string, unknown> {
  server: "feed" | "floor";
  /** Where it writes its port. */
  portFile: string;
  clients: number;
  updates: number;
  /** Updates a second; 0 for as many as clients take. */
  rateHz: number;
}

/** What a server has measured. */
export interface FanoutServerAnswer {
  /** Microseconds of processor time, user and system, of all its threads. */
  cpuUs: number;
}

const LEVELS = 8;

/** Bytes that may wait for each client, on average, before the next update is sent. */
const WAITING_BYTES_MAX = 16 * 1024;

const BITCOIN = { id: 1, symbol: "BTC-USD", priceDecimals: 2, quantityDecimals: 0 };
const job = takeJob<FanoutServerJob & { core?: number }>();
const feed = new MarketFeed({ at: () => BITCOIN, all: () => [BITCOIN] });
const market = feed.market(BITCOIN.symbol)!;
const view = new DataView(new ArrayBuffer(EngineEvent.sizeBytes));
const event = EngineEvent.accessor().wrap(view, 0);
event.kind = KIND_BOOKED;
event.side = SIDE_BUY;
event.flags = EVENT_BOOK_CHANGED;
event.instrumentId = BITCOIN.id;

function change(quantity: number): void {
  for (let at = 0; at < LEVELS; at++) {
    const sequence = feed.sequence + 1;
    event.eventNumber = sequence;
    event.price = 6_168_500 - at;
    event.levelQuantity = quantity;
    feed.applyEvent({ view, offset: 0, length: view.byteLength, sequence });
  }
}

/** Something that sends updates to clients. */
interface Server {
  port: number;
  /** Clients that wait for updates. */
  readonly clientCount: number;
  readonly waitingBytes: number;
  publish(): void;
  stop(): Promise<void>;
}

async function serveFeed(): Promise<Server> {
  const server = await serveMarketData(feed, { flushMs: 0 });
  const { fanOut } = server;
  return {
    port: server.address.port,
    get clientCount() {
      return Math.min(fanOut.clientCount, fanOut.counts.snapshots);
    },
    get waitingBytes() {
      return fanOut.bufferedBytes;
    },
    publish: () => server.notify(),
    stop: () => server.stop(),
  };
}

function serveFloor(): Server {
  const sockets = new Set<WebSocket>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    // Its clients ask for something too, and get something, before they wait.
    socket.onmessage = () => {
      socket.send('{"type":"snapshot","sequence":0}');
      sockets.add(socket);
    };
    socket.onclose = () => sockets.delete(socket);
    return response;
  });
  return {
    port: server.addr.port,
    get clientCount() {
      return sockets.size;
    },
    get waitingBytes() {
      let sum = 0;
      for (const { bufferedAmount } of sockets) sum += bufferedAmount;
      return sum;
    },
    publish() {
      const text = updateText(market, market.flush()!, 0);
      for (const socket of sockets) socket.send(text);
    },
    stop: () => server.shutdown(),
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function publishAll(server: Server): Promise<void> {
  const { updates, rateHz, clients } = job;
  const startNs = monotonicNs();
  for (let update = 0; update < updates; update++) {
    let intendedNs = monotonicNs();
    if (rateHz > 0) {
      intendedNs = startNs + update / rateHz * 1e9;
      while (monotonicNs() < intendedNs) await pause((intendedNs - monotonicNs()) / 1e6);
    } else if (update % 4 === 0) {
      do await nextTurn(); while (server.waitingBytes > WAITING_BYTES_MAX * clients);
    }
    change(Math.round(intendedNs / 1000));
    server.publish();
  }
}

const server = job.server === "feed" ? await serveFeed() : serveFloor();
Deno.writeTextFileSync(job.portFile, `${server.port}`);
ready();
while (server.clientCount < job.clients) await pause(1);
const before = process.cpuUsage();
await publishAll(server);
while (server.clientCount > 0) await pause(1);
const { user, system } = process.cpuUsage(before);
await server.stop();
answer({ cpuUs: user + system } satisfies FanoutServerAnswer);

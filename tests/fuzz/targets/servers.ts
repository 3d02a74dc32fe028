/**
 * Connections to the servers: market data's (HTTP and its stream) and a gateway's two. The first
 * byte chooses the server; the rest are all bytes of a connection.
 *
 * @module
 */

import { serveMarketData } from "../../../lib/exchange/mod.ts";
import { TestExchange } from "../../_gateway.ts";
import { apply, level, makeFeed } from "../../_market_data.ts";
import { encode } from "../../_support.ts";
import { clientFrame, HANDSHAKE } from "../../_web_socket.ts";
import { join } from "../../_bytes.ts";
import { exchangeBytes } from "../_sockets.ts";
import { must, type Target } from "../_target.ts";

const MARKET_DATA = 0;
const GATEWAY = 1;

/** Inputs between two looks whether the server still serves. Arbitrary. */
const LOOK_EVERY = 64;

const PATHS = [
  ...["/", "/api/instruments", "/api/stats", "/api/book/BTC-USD?depth=5", "/api/trades/BTC-USD"],
  ...["/api/book/%C3%84TH%2F%22X%22", "/api/book/%ff", "/api/book/x?depth=0&depth=9", "/../../x"],
];
const SUBSCRIBE = '{"type":"subscribe","symbols":["BTC-USD"],"resume":{"BTC-USD":1,"epoch":"1"}}';

function get(path: string, more = ""): Uint8Array<ArrayBuffer> {
  return encode(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${more}\r\n`);
}

const SEEDS = [
  ...PATHS.map((path) => join([MARKET_DATA], get(path))),
  join(
    [MARKET_DATA],
    encode("POST /api/stats HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
  ),
  join([MARKET_DATA], get("/", "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n")),
  join(
    [MARKET_DATA],
    encode(HANDSHAKE.replace("GET / ", "GET /stream ")),
    clientFrame(1, SUBSCRIBE),
    clientFrame(9, "?"),
    clientFrame(1, SUBSCRIBE.replace("sub", "unsub")),
    clientFrame(8, Uint8Array.of(3, 232)),
  ),
  join([GATEWAY], encode(HANDSHAKE), clientFrame(1, '{"type":"logon"}'), clientFrame(8, "")),
];

/** Opens it: starts the servers. */
export async function open(): Promise<Target> {
  const feed = makeFeed();
  apply(feed, level(100));
  apply(feed, level(101, { side: "sell", kind: "trade", quantity: 3 }));
  const server = await serveMarketData(feed, { flushMs: 0 });
  const exchange = new TestExchange();
  exchange.startEngine();
  const { webSocketPort } = await exchange.gateway();
  let count = 0;
  return {
    seeds: SEEDS,
    async run(input) {
      const isGateway = (input[0] ?? 0) % 2 === GATEWAY;
      const port = isGateway ? webSocketPort : server.address.port;
      const answer = await exchangeBytes(port, input.subarray(1));
      must(answer === "" || /^HTTP\/1\.1 \d{3} /.test(answer), `answered by "${answer}"`);
      if (++count % LOOK_EVERY === 0) {
        const sound = await exchangeBytes(server.address.port, get("/api/instruments"));
        must(sound.startsWith("HTTP/1.1 200 "), `not served any more: "${sound}"`);
        const begun = await exchangeBytes(webSocketPort, encode(HANDSHAKE));
        must(begun.startsWith("HTTP/1.1 101 "), `not served any more: "${begun}"`);
        must(exchange.problems.length === 0, exchange.problems.join());
      }
      return `${isGateway ? "gateway" : "market data"} ${answer.split("\r\n")[0]}`;
    },
    async close() {
      await server.stop();
      await exchange[Symbol.asyncDispose]();
    },
  };
}

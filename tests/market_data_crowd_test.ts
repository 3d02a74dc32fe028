// Many clients at once, each with its own socket, and a few that misbehave.

import { assert, assertEquals } from "@std/assert";
import { type MarketDataServer, serveMarketData } from "../lib/exchange/mod.ts";
import { apply, level, makeFeed } from "./_market_data.ts";
import { RawClient, StreamClient } from "./_stream_client.ts";
import { clientFrame } from "./_web_socket.ts";

const CLIENTS = 500;
const STALLED = 10;

/** Clients that connect at once. */
const AT_ONCE = 25;

/** A client that asks for the market, and then never reads. */
async function stall(server: MarketDataServer): Promise<RawClient> {
  const client = await RawClient.openStream(server.address.port);
  await client.read();
  await client.write(clientFrame(1, JSON.stringify({ type: "subscribe", symbols: ["BTC-USD"] })));
  return client;
}

Deno.test("500 clients get every update, beside ten that read nothing", async () => {
  const feed = makeFeed();
  const bufferedBytesMax = 1 << 20;
  const server = await serveMarketData(feed, { bufferedBytesMax, flushMs: 1 });
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => server.stop());
  for (let i = 0; i < STALLED; i++) cleanup.use(await stall(server));
  const { port } = server.address;
  const clients: StreamClient[] = [];
  while (clients.length < CLIENTS) {
    // Some at a time: the server gives up those who are long in asking, on a machine of any speed.
    const some = Array.from({ length: AT_ONCE }, () => StreamClient.open(port, ["BTC-USD"]));
    for (const client of await Promise.all(some)) clients.push(cleanup.use(client));
  }
  for (let turn = 1; turn <= 20; turn++) {
    for (let at = 0; at < 100; at++) {
      apply(feed, level(100_00 + at, { levelQuantity: turn * 100 + at }));
    }
    server.notify();
    await Promise.all(
      clients.map((client) =>
        client.until("it has all", ({ markets }) => markets.get("BTC-USD")?.sequence === 100 * turn)
      ),
    );
    assert(server.fanOut.bufferedBytes < STALLED * bufferedBytesMax);
  }
  const [first] = clients;
  const { bids } = first!.view.markets.get("BTC-USD")!;
  assertEquals(Object.keys(bids).length, 100);
  for (const { view } of clients) assertEquals(view.markets.get("BTC-USD")!.bids, bids);
  assert(server.fanOut.clientCount >= CLIENTS); // Ten more, unless this has taken long.
});

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type MarketDataOptions,
  type MarketDataServer,
  type MarketFeed,
  serveMarketData,
} from "../lib/exchange/mod.ts";
import { apply, type Happening, level, makeFeed } from "./_market_data.ts";
import { RawClient, StreamClient } from "./_stream_client.ts";
import { clientFrame, join } from "./_web_socket.ts";

/** A server of a feed that a test fills. */
class TestServer implements AsyncDisposable {
  readonly feed: MarketFeed;
  readonly server: MarketDataServer;

  private constructor(feed: MarketFeed, server: MarketDataServer) {
    this.feed = feed;
    this.server = server;
  }

  static async open(options: MarketDataOptions = {}, feed = makeFeed()): Promise<TestServer> {
    return new TestServer(feed, await serveMarketData(feed, { flushMs: 1, ...options }));
  }

  get port(): number {
    return this.server.address.port;
  }

  happen(...happenings: Happening[]): void {
    for (const happening of happenings) apply(this.feed, happening);
    this.server.notify();
  }

  async get(path: string, init?: RequestInit): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, init);
    return { status: response.status, body: await response.json() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
  }
}

Deno.test("GET /api/book has the best levels of each side as decimals", async () => {
  await using server = await TestServer.open();
  server.happen(level(100_00), level(99_50, { levelQuantity: 12_345 }), level(98_00));
  server.happen(level(100_01, { side: "sell", levelQuantity: 1 }));
  const { status, body } = await server.get("/api/book/BTC-USD?depth=2");
  const epoch = `${server.feed.epoch}.1`;
  assertEquals(status, 200);
  assertEquals(body, {
    ...{ symbol: "BTC-USD", epoch, sequence: 4, isComplete: true },
    levels: { bids: 3, asks: 1 },
    bids: [["100.00", "0.5"], ["99.50", "1.2345"]],
    asks: [["100.01", "0.0001"]],
  });
});

Deno.test("GET /api/trades has the last trades, the oldest first", async () => {
  await using server = await TestServer.open();
  for (const price of [100_00, 100_01, 100_02]) {
    server.happen(level(price, { kind: "trade", side: "sell", levelQuantity: 0 }));
  }
  const { body } = await server.get("/api/trades/BTC-USD?limit=2");
  const common = { quantity: "0.5", side: "sell", timeMs: 0 };
  assertEquals(body, {
    ...{ symbol: "BTC-USD", sequence: 3, lastTrade: 3 },
    trades: [
      { number: 2, sequence: 2, price: "100.01", ...common },
      { number: 3, sequence: 3, price: "100.02", ...common },
    ],
  });
});

Deno.test("GET /api/instruments has every market, and its path any symbol", async () => {
  await using server = await TestServer.open();
  server.happen(level(7, { instrumentId: 2, levelQuantity: 3 }));
  const { body } = await server.get("/api/instruments");
  assertEquals(body, {
    instruments: [
      { symbol: "BTC-USD", priceDecimals: 2, quantityDecimals: 4, sequence: 0, isComplete: true },
      { symbol: 'ÄTH/"X"', priceDecimals: 0, quantityDecimals: 0, sequence: 1, isComplete: true },
    ],
  });
  const path = `/api/book/${encodeURIComponent('ÄTH/"X"')}`;
  assertEquals((await server.get(path)).status, 200);
});

Deno.test("GET /api/stats has latencies from hop to hop, rates and counts", async () => {
  await using server = await TestServer.open();
  server.feed.latencies.record(
    { intendedTimeNs: 1_000, gatewayTimeNs: 2_000, engineTimeNs: 5_000 },
    9_000,
  );
  server.happen(level(100_00), level(100_00, { kind: "trade" }));
  const { body } = await server.get("/api/stats");
  const { hops, counts, isComplete } = body as ReturnType<MarketDataServer["stats"]>;
  assertEquals(
    [hops.gatewayToEngine, hops.engineToMarketData, hops.endToEnd].map((
      { recent, total },
    ) => [recent.count, total.count, Math.round(total.p50Ns / 1000)]),
    [[1, 1, 3], [1, 1, 4], [1, 1, 8]],
  );
  assertEquals([counts.events, counts.trades, isComplete], [2, 1, true]);
});

Deno.test("GET refuses what is none of the API's, and says why", async () => {
  await using server = await TestServer.open();
  const unknown = ["book/DOGE-USD", "book/", "book/%ff", "book/__proto__", "book/BTC-USD/x", "x"];
  const depths = ["0", "-1", "5001", "1e3", "NaN", "99999999999999999999", ""];
  const wrong = [
    ...unknown.map((path) => [path, 404] as const),
    ...depths.map((depth) => [`book/BTC-USD?depth=${depth}`, 400] as const),
    ["trades/BTC-USD?limit=1001", 400] as const,
  ];
  for (const [path, status] of wrong) {
    const answer = await server.get(`/api/${path}`);
    assertEquals(answer.status, status, path);
    assert(typeof (answer.body as { error: { text: string } }).error.text === "string");
  }
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
    assertEquals((await server.get("/api/instruments", { method })).status, 405);
  }
});

Deno.test("Every answer forbids other pages to use or to embed it", async () => {
  const page = { type: "text/html", bytes: new TextEncoder().encode("<p>") };
  await using server = await TestServer.open({ assets: new Map([["/", page]]) });
  for (const path of ["/", "/api/instruments", "/nothing"]) {
    const { headers, body } = await fetch(`http://127.0.0.1:${server.port}${path}`);
    await body?.cancel();
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assert(headers.get("content-security-policy")?.startsWith("default-src 'none'; "));
    assertEquals(headers.get("access-control-allow-origin"), null);
  }
});

Deno.test("A request for another host's name is refused: DNS may have been rebound", async () => {
  await using server = await TestServer.open();
  for (const [host, status] of [["evil.example", 403], ["localhost:80", 200], ["[::1]:9", 200]]) {
    using client = await RawClient.open(server.port);
    await client.write(
      `GET /api/instruments HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    assertEquals((await client.readAll()).slice(9, 12), `${status}`, `${host}`);
  }
});

Deno.test("serveMarketData() listens at loopback only, unless it is told otherwise", async () => {
  const feed = makeFeed();
  const error = await assertRejects(() => serveMarketData(feed, { host: "0.0.0.0" }), TypeError);
  assert(error.message.includes("0.0.0.0"));
});

Deno.test("serveMarketData() says that a port is taken", async () => {
  await using server = await TestServer.open();
  await assertRejects(
    () => serveMarketData(makeFeed(), { port: server.port }),
    Deno.errors.AddrInUse,
    `${server.port}`,
  );
});

Deno.test("The stream sends a snapshot, and then what changes", async () => {
  await using server = await TestServer.open();
  server.happen(level(100_00));
  await using client = await StreamClient.open(server.port, ["BTC-USD"]);
  await client.until("the snapshot is there", ({ markets }) => markets.size === 1);
  server.happen(level(99_00), level(101_00, { side: "sell" }));
  await client.until(
    "the update is there",
    ({ markets }) => markets.get("BTC-USD")!.sequence === 3,
  );
  const { bids, asks } = client.view.markets.get("BTC-USD")!;
  assertEquals([bids, asks], [{ "100.00": "0.5", "99.00": "0.5" }, { "101.00": "0.5" }]);
  await client.until("the stats are there", ({ counts }) => (counts.stats ?? 0) > 0);
});

Deno.test("The stream is refused to pages of other origins, and beyond its clients", async () => {
  await using server = await TestServer.open({ clientsMax: 1 });
  const refusals: [Record<string, string>, string][] = [
    [{ Origin: "http://evil.example" }, "403"],
    [{ Host: "evil.example" }, "403"],
    [{ "Sec-WebSocket-Key": "short" }, "400"],
    [{ "Sec-WebSocket-Version": "12" }, "426"],
  ];
  for (const [headers, status] of refusals) {
    using client = await RawClient.openStream(server.port, headers);
    assertEquals((await client.readAll()).slice(9, 12), status);
  }
  await using _client = await StreamClient.open(server.port, ["BTC-USD"]);
  using second = await RawClient.openStream(server.port);
  assertEquals((await second.readAll()).slice(9, 12), "503");
});

/** What a client gets that has sent a frame. */
async function answerTo(port: number, ...frames: Uint8Array[]): Promise<string> {
  using client = await RawClient.openStream(port);
  assertEquals((await client.read())?.slice(9, 12), "101");
  await client.write(join(frames)); // At once: how many may come depends on the time.
  return await client.readAll();
}

/** The code of a close frame at the end of what was read. */
function closeCode(text: string): number {
  const at = text.lastIndexOf("\x88");
  return text.charCodeAt(at + 2) * 256 + text.charCodeAt(at + 3);
}

Deno.test("The stream closes on frames that no client may send, and says why", async () => {
  await using server = await TestServer.open();
  const big = new Uint8Array([0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4]);
  const cases: [code: number, ...frames: Uint8Array[]][] = [
    [1002, new Uint8Array([0x81, 0x01, 0x41])], // Not masked.
    [1002, new Uint8Array([0xf1, 0x80, 0, 0, 0, 0])], // Reserved bits.
    [1002, clientFrame(3, "")], // No opcode.
    [1002, clientFrame(0, "part of nothing")],
    [1002, clientFrame(1, "a", false), clientFrame(1, "b")],
    [1002, clientFrame(9, "ping", false)],
    [1002, clientFrame(9, "x".repeat(126))],
    [1003, clientFrame(2, "binary")],
    [1007, clientFrame(1, new Uint8Array([0xc3, 0x28]))],
    [1009, big],
    [1009, clientFrame(1, "x".repeat(16_385))],
    [1009, clientFrame(1, "x".repeat(16_000), false), clientFrame(0, "x".repeat(385))],
    [1008, ...Array.from({ length: 100 }, () => clientFrame(9, "ping"))],
    [1000, clientFrame(8, "")],
    [1002, clientFrame(8, "x")],
  ];
  for (const [code, ...frames] of cases) {
    assertEquals(closeCode(await answerTo(server.port, ...frames)), code);
  }
});

Deno.test("The stream takes frames in any pieces, and answers pings", async () => {
  await using server = await TestServer.open();
  server.happen(level(100_00));
  using client = await RawClient.openStream(server.port);
  await client.read();
  const text = JSON.stringify({ type: "subscribe", symbols: ["BTC-USD"] });
  const frames = [
    clientFrame(1, text.slice(0, 10), false),
    clientFrame(9, "are you there"),
    clientFrame(0, text.slice(10)),
  ];
  for (const byte of frames.flatMap((frame) => [...frame])) {
    await client.write(new Uint8Array([byte]));
  }
  let got = "";
  while (!got.includes("snapshot")) got += await client.read();
  assert(got.includes("\x8a\x0dare you there"));
});

Deno.test("A client that never finishes its head is cut, and others are served", async () => {
  await using server = await TestServer.open();
  using loris = await RawClient.open(server.port);
  await loris.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  assertEquals((await server.get("/api/instruments")).status, 200);
  assertEquals(await loris.readAll(), "");
});

Deno.test("A head that is too long is refused", async () => {
  await using server = await TestServer.open();
  using client = await RawClient.open(server.port);
  await client.write(`GET /${"x".repeat(100_000)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  assert(!(await client.readAll()).includes("200"));
  assertEquals((await server.get("/api/instruments")).status, 200);
});

Deno.test("A client that reads nothing is ended within its cap, and another gets all", async () => {
  const limits = { lagBytes: 1 << 20, bufferedBytesMax: 1 << 20, flushMs: 0 };
  await using server = await TestServer.open(limits);
  await using fast = await StreamClient.open(server.port, ["BTC-USD"]);
  using slow = await RawClient.openStream(server.port);
  await slow.read();
  await slow.write(clientFrame(1, JSON.stringify({ type: "subscribe", symbols: ["BTC-USD"] })));
  let highest = 0;
  for (let turn = 0; server.server.fanOut.counts.slowEnded === 0; turn++) {
    const happenings = Array.from(
      { length: 500 },
      (_, at) => level(100_00 + at, { levelQuantity: turn % 1000 + 1 }),
    );
    server.happen(...happenings);
    highest = Math.max(highest, server.server.fanOut.bufferedBytes);
    await fast.until(
      "it has all",
      ({ markets }) => markets.get("BTC-USD")?.sequence === server.feed.sequence,
    );
  }
  // What waits for the slow one, and a close; the fast one has nothing waiting for long.
  assert(highest < 1.1 * 2 ** 20, `found ${highest} bytes`);
});

Deno.test("A client that does not read its answer is cut, and others are served", async () => {
  const bytes = new Uint8Array(24 * 2 ** 20); // More than the kernel takes for a reader.
  const assets = new Map([["/big", { type: "text/plain", bytes }]]);
  await using server = await TestServer.open({ assets, answerMs: 100 });
  let count = Infinity;
  for (let pauseMs = 200; count > bytes.length; pauseMs *= 2) {
    assert(pauseMs < 30_000, "It got everything, however late it read");
    using client = await RawClient.open(server.port);
    await client.write("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    assertEquals((await server.get("/api/instruments")).status, 200);
    count = (await client.readAll()).length;
  }
});

Deno.test("Connections beyond what may be are refused, and the others go on", async () => {
  await using server = await TestServer.open({ clientsMax: 1 });
  await using client = await StreamClient.open(server.port, ["BTC-USD"]);
  using crowd = new DisposableStack();
  const ends: Promise<string>[] = [];
  for (let i = 0; i < 200; i++) ends.push(crowd.use(await RawClient.open(server.port)).readAll());
  assertEquals(await Promise.any(ends), "");
  server.happen(level(100_00));
  await client.until("it goes on", ({ markets }) => markets.get("BTC-USD")?.sequence === 1);
  crowd.dispose();
  await Promise.allSettled(ends);
});

Deno.test("MarketDataServer.stop() tells its clients that it goes away", async () => {
  const server = await TestServer.open();
  const client = await StreamClient.open(server.port, ["BTC-USD"]);
  await client.until("it is there", ({ markets }) => markets.size === 1);
  await server.server.stop();
  assertEquals(await client.closed, { code: 1001, reason: "the server ends" });
});

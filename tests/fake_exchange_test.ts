import { assert, assertEquals, assertGreater, assertRejects, assertThrows } from "@std/assert";
import { FakeExchange, type StreamFault } from "../lib/market/fake_exchange/fake_exchange.ts";
import { FakeInstrument } from "../lib/market/fake_exchange/fake_instrument.ts";
import { FaultPlan } from "../lib/market/fake_exchange/fault_plan.ts";
import { randomNumbers } from "../lib/market/fake_exchange/market_model.ts";
import { until } from "./fault/_support.ts";

/** A client of the platform's, which knows nothing of ours. */
class Client {
  readonly texts: string[] = [];
  readonly #socket: WebSocket;

  constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.onmessage = ({ data }) => void this.texts.push(data);
    this.#socket.onerror = (event) => event.preventDefault();
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(request: unknown): void {
    this.#socket.send(typeof request === "string" ? request : JSON.stringify(request));
  }

  async closed(): Promise<void> {
    this.#socket.close();
    await until("it is closed", () => this.#socket.readyState === WebSocket.CLOSED);
  }
}

Deno.test("FakeExchange.start() says that a port is taken", async () => {
  await using exchange = await FakeExchange.start({ rateHz: 0 });
  const { port } = new URL(exchange.url);
  await assertRejects(
    () => FakeExchange.start({ rateHz: 0, port: Number(port) }),
    Deno.errors.AddrInUse,
    port,
  );
});

Deno.test("FakeExchange serves combined and raw streams, as subscribed", async () => {
  await using exchange = await FakeExchange.start({ symbols: ["A", "B"], rateHz: 0 });
  const combined = new Client(`${exchange.url}/stream?streams=a@trade/b@depth@100ms`);
  const raw = new Client(`${exchange.url}/ws/a@bookTicker`);
  const asking = new Client(`${exchange.url}/ws`);
  const all = [combined, raw, asking];
  const areOpen = () => all.every(({ isOpen }) => isOpen);
  await until("all are open", () => areOpen() && exchange.connectionCount === 3);
  asking.send({ method: "SUBSCRIBE", params: ["b@trade", "a@trade", 7], id: 1 });
  asking.send({ method: "UNSUBSCRIBE", params: ["a@trade"], id: 2 });
  asking.send({ method: "LIST_SUBSCRIPTIONS", id: 3 });
  asking.send({ method: "NONSENSE", id: 4 });
  asking.send("{");
  await until("all is answered", () => asking.texts.length === 5);
  assertEquals(asking.texts.map((text) => JSON.parse(text)), [
    { result: null, id: 1 },
    { result: null, id: 2 },
    { result: ["b@trade"], id: 3 },
    { error: { code: 2, msg: "Invalid request" }, id: 4 },
    { error: { code: 2, msg: "Invalid request" }, id: null },
  ]);
  exchange.advance(500);
  await until("all have got some", () => all.every(({ texts }) => texts.length > 10));
  const kinds = (texts: string[]) => [...new Set(texts.map((text) => JSON.parse(text).stream))];
  assertEquals(kinds(combined.texts).sort(), ["a@trade", "b@depth@100ms"]);
  assert(raw.texts.every((text) => JSON.parse(text).b !== undefined));
  assert(asking.texts.slice(5).every((text) => JSON.parse(text).s === "B"));
  for (const client of all) await client.closed();
});

Deno.test("FakeExchange depends on its seed alone", () => {
  const play = (seed: number, isFutures: boolean) => {
    const instrument = new FakeInstrument("A", seed, { timeUs: 1e15, isFutures });
    return Array.from({ length: 500 }, (_, step) => instrument.step(1e15 + step * 5_000)).flat();
  };
  assertEquals(play(1, false), play(1, false));
  assert(JSON.stringify(play(1, false)) !== JSON.stringify(play(2, false)));
  const updates = play(1, true).filter(({ stream }) => stream.includes("depth"));
  let [previous, holes] = [0, 0];
  for (const { json } of updates) {
    const { U, u, pu } = JSON.parse(json);
    if (previous > 0) assertEquals(pu, previous);
    assert(pu < U && U <= u);
    holes += Number(U > pu + 1);
    previous = u;
  }
  assertGreater(holes, 0, "ids have holes, so that only pu can tell a gap");
});

Deno.test("FakeExchange.bookAt() tells the past, and what it does not know", async () => {
  const instrument = new FakeInstrument("A", 3, { timeUs: 0, isFutures: false });
  const first = instrument.updateId;
  const books = [instrument.snapshot(5_000, false)];
  for (let step = 0; step < 300; step++) {
    instrument.step(step);
    books.push(instrument.snapshot(5_000, false));
  }
  for (const [index, book] of books.entries()) {
    const { lastUpdateId, ...levels } = JSON.parse(book);
    assertEquals(lastUpdateId, first + index);
    assertEquals(instrument.bookAt(lastUpdateId), levels);
  }
  for (const id of [first - 1, first + 301, NaN]) {
    assertThrows(() => instrument.bookAt(id), RangeError, "expected");
  }
  for (let step = 0; step < 250_000; step++) instrument.step(step);
  assertThrows(() => instrument.bookAt(first), RangeError, "expected");
  const { lastUpdateId, ...levels } = JSON.parse(instrument.snapshot(5_000, false));
  assertEquals(instrument.bookAt(lastUpdateId), levels, "also after it has forgotten");
  await using exchange = await FakeExchange.start({ rateHz: 0 });
  assertThrows(() => exchange.bookAt("NOPE", 1), RangeError, "found BTCUSDT");
});

Deno.test("FakeExchange cuts off a client that answers no pings", async () => {
  // Seldom enough that a busy machine has answered one of three pings in any case.
  await using exchange = await FakeExchange.start({ pingMs: 250, rateHz: 0 });
  const { port } = new URL(exchange.restUrl);
  const client = new Client(`${exchange.url}/ws/btcusdt@trade`);
  using mute = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  const request = "GET /ws/btcusdt@trade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n" +
    "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  await mute.write(new TextEncoder().encode(request));
  await until("both were there", () => exchange.counts.connections === 2);
  await until("one is cut off", () => exchange.connectionCount === 1);
  assert(client.isOpen);
  await client.closed();
});

Deno.test("FakeExchange refuses what Binance refuses", async () => {
  await using exchange = await FakeExchange.start({ rateHz: 0 });
  const status = async (path: string) => {
    const response = await fetch(exchange.restUrl + path);
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await status("/api/v3/depth?symbol=NOPE"), 400);
  assertEquals(await status("/api/v3/depth?symbol=BTCUSDT&limit=5001"), 400);
  assertEquals(await status("/api/v3/depth?symbol=BTCUSDT"), 200);
  assertEquals(await status("/fapi/v1/depth?symbol=BTCUSDT"), 404);
  await assertRejects(() => FakeExchange.start({ seed: -1 }), RangeError, "found -1");
  const { port } = new URL(exchange.restUrl);
  await assertRejects(() => FakeExchange.start({ port: Number(port) }), Error);
});

Deno.test("FaultPlan takes the script first, and then chance", () => {
  const plan = new FaultPlan<StreamFault>({ gap: 0.25, drop: 0.5 }, randomNumbers(1));
  plan.inject("stall", "huge");
  assertEquals([plan.next(), plan.next()], ["stall", "huge"]);
  const found = Array.from({ length: 10_000 }, () => plan.next());
  const share = (fault?: string) => found.filter((one) => one === fault).length / found.length;
  for (const [fault, rate] of [["gap", 0.25], ["drop", 0.5], [undefined, 0.25]] as const) {
    assert(Math.abs(share(fault) - rate) < 0.03, `${fault}: ${share(fault)}`);
  }
  plan.setRates({});
  assertEquals(plan.next(), undefined);
});

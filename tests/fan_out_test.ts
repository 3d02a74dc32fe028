import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type ClientLimits,
  FanOut,
  type FanOutCounts,
  type InstrumentFeed,
  type MarketFeed,
} from "../lib/exchange/mod.ts";
import type { FeedClient, FeedSink } from "../lib/exchange/market_data/feed_client.ts";
import { formatDecimal } from "../lib/market/decimal.ts";
import {
  apply,
  ClientView,
  frameText,
  type Happening,
  INSTRUMENTS,
  level,
  type Levels,
  makeFeed,
} from "./_market_data.ts";

const SYMBOLS = INSTRUMENTS.map(({ symbol }) => symbol);

/** A client that takes what waits for it when it is told to. */
class TestSink implements FeedSink {
  readonly view = new ClientView();
  readonly #waiting: Uint8Array[] = [];
  bufferedBytes = 0;
  bufferedBytesHighest = 0;
  endedBy: string | undefined;

  send(frame: Uint8Array): void {
    this.#waiting.push(frame);
    this.bufferedBytes += frame.length;
    this.bufferedBytesHighest = Math.max(this.bufferedBytesHighest, this.bufferedBytes);
  }

  close(reason: string): void {
    this.endedBy = reason;
  }

  /** Takes some frames, or all. */
  take(count = Infinity): void {
    for (; count > 0 && this.#waiting.length > 0; count--) {
      const frame = this.#waiting.shift()!;
      this.bufferedBytes -= frame.length;
      this.view.take(frameText(frame));
    }
  }
}

/** A feed, its clients and what they have. */
class Session {
  readonly feed: MarketFeed = makeFeed();
  readonly fanOut: FanOut;

  constructor(limits: Partial<ClientLimits> & { stallSeconds?: number } = {}) {
    this.fanOut = new FanOut(this.feed, limits);
  }

  /** Connects a client, which gets its first frames at once. */
  connect(symbols?: string[], resume?: unknown): { sink: TestSink; client: FeedClient } {
    const joined = this.join(symbols, resume);
    this.fanOut.flush();
    return joined;
  }

  /** Connects a client, which gets its first frames with the next flush. */
  join(symbols = SYMBOLS, resume?: unknown): { sink: TestSink; client: FeedClient } {
    const sink = new TestSink();
    const client = this.fanOut.add(sink);
    this.fanOut.request(client, JSON.stringify({ type: "subscribe", symbols, resume }));
    return { sink, client };
  }

  happen(...happenings: Happening[]): void {
    for (const happening of happenings) apply(this.feed, happening);
    this.fanOut.flush();
  }

  get bitcoin(): InstrumentFeed {
    return this.feed.market("BTC-USD")!;
  }
}

function levelsOf({ instrument, bids, asks }: InstrumentFeed): { bids: Levels; asks: Levels } {
  const side = (from: typeof bids): Levels =>
    Object.fromEntries(
      Array.from({ length: from.count }, (_, depth) => [
        formatDecimal(from.price(depth), instrument.priceDecimals),
        formatDecimal(from.quantity(depth), instrument.quantityDecimals, 0),
      ]),
    );
  return { bids: side(bids), asks: side(asks) };
}

function assertSame(sink: TestSink, feed: MarketFeed): void {
  for (const market of feed.markets) {
    const { bids, asks, sequence, lastTrade } = sink.view.markets.get(market.instrument.symbol)!;
    assertEquals({ bids, asks }, levelsOf(market));
    assertEquals(sequence, market.sequence);
    assertEquals(lastTrade, market.tape.lastNumber);
  }
}

Deno.test("FanOut sends a snapshot, and then updates that follow it", () => {
  const session = new Session();
  session.happen(level(100_00), level(101_50, { side: "sell" }));
  const { sink } = session.connect(["BTC-USD"]);
  session.happen(level(100_00, { levelQuantity: 0 }), level(99_00));
  sink.take();
  const { bids, asks, sequence, isComplete } = sink.view.markets.get("BTC-USD")!;
  assertEquals(bids, { "99.00": "0.5" });
  assertEquals(asks, { "101.50": "0.5" });
  assertEquals([sequence, isComplete], [4, true]);
  assertEquals(sink.view.counts, { snapshot: 1, update: 1 });
});

Deno.test("FanOut makes each update once, however many clients take it", () => {
  const session = new Session();
  const sinks = Array.from({ length: 50 }, () => session.connect(["BTC-USD"]).sink);
  const { framesMade } = session.fanOut.counts;
  session.happen(level(100_00));
  assertEquals(session.fanOut.counts.framesMade, framesMade + 1);
  for (const sink of sinks) sink.take();
  assert(sinks.every(({ view }) => view.markets.get("BTC-USD")!.sequence === 1));
});

Deno.test("FanOut resumes a client by the updates that it has missed, in one", () => {
  const session = new Session();
  const first = session.connect();
  session.happen(level(100_00));
  first.sink.take();
  session.fanOut.remove(first.client);
  session.happen(level(99_00));
  session.happen(level(98_00), level(5, { instrumentId: 2, kind: "trade" }));
  const { sink } = session.connect(SYMBOLS, first.sink.view.resume());
  for (const [symbol, view] of first.sink.view.markets) sink.view.markets.set(symbol, view);
  sink.take();
  assertSame(sink, session.feed);
  assertEquals(sink.view.counts, { update: 2 });
});

Deno.test("FanOut tells a client that resumes and has missed nothing that it could", () => {
  const session = new Session();
  const first = session.connect(["BTC-USD"]);
  session.happen(level(100_00));
  first.sink.take();
  const { sink } = session.connect(["BTC-USD"], first.sink.view.resume());
  sink.view.markets.set("BTC-USD", first.sink.view.markets.get("BTC-USD")!);
  sink.take();
  assertEquals(sink.view.counts, { update: 1 });
  assertSame(sink, makeSame(session));
});

/** A feed with only the market that is compared. */
function makeSame(session: Session): MarketFeed {
  return { markets: [session.bitcoin] } as unknown as MarketFeed;
}

Deno.test("FanOut gives a snapshot to a client that stood in another run of the feed", () => {
  const before = new Session();
  const { sink: old } = before.connect();
  before.happen(level(100_00));
  old.take();
  const session = new Session();
  session.happen(level(99_00)); // The same sequence, another book.
  const { sink } = session.connect(SYMBOLS, old.view.resume());
  sink.take();
  assertSame(sink, session.feed);
  assertEquals(sink.view.counts, { snapshot: 2 });
});

Deno.test("FanOut gives a snapshot to a client whose updates are not kept any more", () => {
  const session = new Session();
  const first = session.connect();
  first.sink.take();
  const resume = first.sink.view.resume();
  for (let turn = 0; turn < 1100; turn++) {
    session.happen(level(100_00, { levelQuantity: turn + 1 }));
  }
  const { sink } = session.connect(["BTC-USD"], resume);
  sink.take();
  assertEquals(sink.view.counts, { snapshot: 1 });
});

Deno.test("FanOut merges what a slow client misses, and counts the trades left out", () => {
  const session = new Session({ lagBytes: 1000 });
  const slow = session.connect(["BTC-USD"]).sink;
  const fast = session.connect(["BTC-USD"]).sink;
  for (let turn = 0; turn < 500; turn++) {
    session.happen(
      level(100_00, { levelQuantity: turn + 1 }),
      level(100_00 + turn % 7, { kind: "trade" }),
    );
    fast.take();
  }
  assert(slow.bufferedBytesHighest < 2000);
  assertEquals(fast.view.counts.update, 500);
  assertEquals(fast.view.markets.get("BTC-USD")!.trades.length, 500);
  slow.take();
  session.fanOut.flush();
  slow.take();
  assertSame(slow, makeSame(session));
  assert(slow.view.counts.update! < 20);
  assert(slow.view.markets.get("BTC-USD")!.trades.length < 200);
});

Deno.test("FanOut ends a client for which more would wait than may, and no other", () => {
  const session = new Session({ bufferedBytesMax: 3000 });
  const slow = session.connect(["BTC-USD"]).sink;
  const fast = session.connect(["BTC-USD"]).sink;
  for (let turn = 0; turn < 100; turn++) {
    session.happen(level(100_00 + turn));
    fast.take();
  }
  assert(slow.endedBy?.startsWith("too slow: "));
  assert(slow.bufferedBytesHighest <= 3000);
  assertEquals(session.fanOut.counts.slowEnded, 1);
  assertEquals(fast.endedBy, undefined);
  assertSame(fast, makeSame(session));
});

Deno.test("FanOut ends a client that lags and takes nothing", () => {
  const session = new Session({ lagBytes: 100, stallSeconds: 3 });
  const { sink } = session.connect();
  for (let second = 0; second < 10; second++) {
    session.happen(level(100_00 + second));
    session.fanOut.endStalled();
  }
  assertEquals(sink.endedBy, "too slow: nothing was taken for 3 seconds");
});

Deno.test("FanOut shows that events were missing", () => {
  const session = new Session();
  const { sink } = session.connect(["BTC-USD"]);
  session.happen(level(100_00));
  session.feed.markIncomplete();
  session.fanOut.flush();
  sink.take();
  assertEquals(sink.view.markets.get("BTC-USD")?.isComplete, false);
  assertEquals(sink.view.counts, { snapshot: 2, update: 1 });
});

Deno.test("FanOut answers a wrong request by an error, and goes on", () => {
  const session = new Session();
  const { sink, client } = session.connect(["BTC-USD"]);
  const requests = [
    ...["", "{", "null", "[]", "7", '"subscribe"', "{}", '{"type":"subscribe"}'],
    ...['{"type":"subscribe","symbols":[]}', '{"type":"subscribe","symbols":[1]}'],
    ...['{"type":"subscribe","symbols":["BTC-USD"],"resume":7}'],
    ...['{"type":"subscribe","symbols":["BTC-USD"],"resume":{"BTC-USD":NaN}}'],
    ...['{"type":"subscribe","symbols":["BTC-USD"],"resume":{"BTC-USD":1e99,"epoch":"x"}}'],
    ...['{"type":"subscribe","symbols":["BTC-USD"],"resume":{"BTC-USD":1}}'],
    ...['{"type":"subscribe","symbols":["BTC-USD"],"resume":{"BTC-USD":-1,"epoch":"x"}}'],
    ...['{"type":"subscribe","symbols":["__proto__"]}', `{"type":${"[".repeat(9000)}`],
    JSON.stringify({ type: "subscribe", symbols: Array(257).fill("BTC-USD") }),
    JSON.stringify({ type: "subscribe", symbols: Array.from({ length: 256 }, (_, i) => `X${i}`) }),
  ];
  for (const request of requests) session.fanOut.request(client, request);
  session.happen(level(100_00));
  sink.take();
  assertEquals(sink.view.errors.length, requests.length);
  assertEquals(sink.view.markets.get("BTC-USD")?.sequence, 1);
});

const happening: fc.Arbitrary<Happening> = fc.record({
  instrumentId: fc.constantFrom(1, 2),
  kind: fc.constantFrom("level", "level", "trade"),
  side: fc.constantFrom("buy", "sell"),
  price: fc.integer({ min: 1, max: 12 }),
  quantity: fc.integer({ min: 1, max: 9 }),
  levelQuantity: fc.integer({ min: 0, max: 3 }),
});

/** What happens in a session. */
type Step =
  | { do: "happen"; happenings: Happening[] }
  | { do: "flush" }
  | { do: "take"; client: number; count: number }
  | { do: "reconnect"; client: number; keeps: boolean }
  | { do: "lose" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("happen" as const),
      happenings: fc.array(happening, { minLength: 1, maxLength: 8 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("flush" as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("take" as const),
      client: fc.nat(2),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("reconnect" as const),
      client: fc.nat(2),
      keeps: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("lose" as const) }) },
);

function act(session: Session, clients: ReturnType<Session["connect"]>[], step: Step): void {
  switch (step.do) {
    case "happen":
      return step.happenings.forEach((happening) => apply(session.feed, happening));
    case "flush":
      return session.fanOut.flush();
    case "take":
      return clients[step.client]!.sink.take(step.count);
    case "lose":
      return session.feed.markIncomplete();
    case "reconnect": {
      const { sink, client } = clients[step.client]!;
      sink.take();
      session.fanOut.remove(client);
      const next = session.join(SYMBOLS, step.keeps ? sink.view.resume() : undefined);
      for (const [symbol, view] of sink.view.markets) next.sink.view.markets.set(symbol, view);
      clients[step.client] = next;
    }
  }
}

Deno.test("FanOut brings any client, at any speed, to the feed's own books", () => {
  const steps = fc.array(step, { maxLength: 120 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 0, max: 2000 }), (steps, lagBytes) => {
      const session = new Session({ lagBytes });
      const clients = [session.join(), session.join(), session.join()];
      for (const step of steps) act(session, clients, step);
      // Each take makes room for one market more, at least.
      for (let turn = 0; turn < 4; turn++) {
        session.fanOut.flush();
        for (const { sink } of clients) sink.take();
      }
      for (const { sink } of clients) assertSame(sink, session.feed);
      checkCounts(session.fanOut.counts);
    }),
    { numRuns: 300 },
  );
});

function checkCounts({ frames, framesMade, slowEnded }: FanOutCounts): void {
  assert(framesMade <= frames + 1);
  assertEquals(slowEnded, 0);
}

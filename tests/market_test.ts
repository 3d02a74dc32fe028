import { assertEquals, assertGreater, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Schema } from "../lib/channel/schema.ts";
import { generateFeed } from "../lib/market/fake_exchange/feed_generator.ts";
import {
  BookTicker,
  DELTA_LEVELS,
  OrderBookDelta,
  OrderBookSnapshot,
  SNAPSHOT_LEVELS,
  Trade,
} from "../lib/market/layouts.ts";
import { OrderBook } from "../lib/market/book/order_book.ts";
import {
  newRecordingCounts,
  parseRecordingLine,
  readRecording,
  type RecordedMessage,
  type RecordingCounts,
} from "../lib/market/collector/recording.ts";
import { TickerOracle } from "../lib/market/book/ticker_oracle.ts";
import { depthText, feedBook, INSTRUMENT, Pipeline, snapshotText } from "./_market.ts";
import { assertRecordedBook, HAS_RECORDING, RECORDING } from "./_recording.ts";

const SEED = 20_240_808;
const MESSAGE = '1723161254087891268 {"u":1}';

Deno.test("The layouts lie as the tables in their documentation say", () => {
  const source = Deno.readTextFileSync(new URL("../lib/market/layouts.ts", import.meta.url));
  const schemas: [string, Schema, number][] = [
    ["Trade", Trade as unknown as Schema, 64],
    ["BookTicker", BookTicker as unknown as Schema, 64],
    ["OrderBookDelta", OrderBookDelta as unknown as Schema, 256],
    ["OrderBookSnapshot", OrderBookSnapshot as unknown as Schema, 704],
  ];
  for (const [name, schema, sizeBytes] of schemas) {
    assertEquals(schema.sizeBytes, sizeBytes, name);
    const before = source.slice(0, source.indexOf(`export const ${name}: Schema`));
    const table = before.slice(before.lastIndexOf("/**"));
    const rows = [...table.matchAll(/^ \* \| +(\d+) \| +(\d+) \| (\w+) /gm)]
      .map(([, offset, size, field]) => `${field} ${size} at ${offset}`);
    assertEquals(rows, schema.fields.map((f) => `${f.name} ${f.sizeBytes} at ${f.offset}`), name);
    // A reader of any kind finds these at the same place.
    const head = ["kind", "priceDecimals", "quantityDecimals", "instrumentId", "eventTimeUs"];
    assertEquals(
      schema.fields.slice(0, 6).map((field) => `${field.name} ${field.offset}`),
      [...head, "receiveTimeUs"].map((field, index) => `${field} ${[0, 2, 3, 4, 8, 16][index]}`),
    );
  }
});

Deno.test("DELTA_LEVELS and SNAPSHOT_LEVELS are what the layouts' arrays hold", () => {
  const arrays = OrderBookDelta.fields.filter((field) => field.count > 1);
  assertEquals(arrays.map((field) => field.count), [DELTA_LEVELS, DELTA_LEVELS]);
  const sides = OrderBookSnapshot.fields.filter(({ name }) => /^(bid|ask)(Pri|Qua)/.test(name));
  assertEquals(sides.map((field) => field.count), [1, 2, 3, 4].map(() => SNAPSHOT_LEVELS));
});

Deno.test({
  name: "The recorded feed gives every figure of its README through bytes and book",
  ignore: !HAS_RECORDING,
  async fn() {
    const oracle = new TickerOracle();
    const book = new OrderBook(INSTRUMENT, { onApplied: (book) => oracle.addBook(book) });
    const pipeline = new Pipeline(book, oracle);
    const counts = newRecordingCounts();
    for await (const { json, receiveUs } of readRecording(RECORDING, counts)) {
      pipeline.normaliser.normalise(json, receiveUs);
    }
    oracle.finish();
    assertEquals(counts, { messages: 41_249, malformed: 0, torn: 0 });
    const { trades, depthUpdates, bookTickers, snapshots } = pipeline.normaliser.counts;
    assertEquals([trades, depthUpdates, bookTickers, snapshots], [9_757, 3_451, 28_040, 1]);
    assertEquals(pipeline.tradedQuantity, 21_203_315_000);
    await assertRecordedBook(book, oracle);
  },
});

Deno.test("TickerOracle compares with the newest ticker that is not newer than the book", () => {
  const ticker = (oracle: TickerOracle, id: number, bidPrice: number) =>
    oracle.addTicker(id, bidPrice * 1e8, 1e8, 20e8, 1e8);
  // One of 101 or 103 is the book's, and comes before or after it. 105 comes too early, or never.
  const cases = ["before", "after", "never"].flatMap((order) =>
    [101, 103].flatMap((id) => [[order, id, 10, 0] as const, [order, id, 9, 1] as const])
  );
  for (const [order, id, bidPrice, wrong] of cases) {
    for (const isLate of [false, true]) {
      const oracle = new TickerOracle();
      const book = new OrderBook(INSTRUMENT, { onApplied: (book) => oracle.addBook(book) });
      feedBook(book, snapshotText(100, [["10", "1"]], [["20", "1"]]));
      if (isLate) feedBook(book, depthText(101, 103, [["5", "1"]], []));
      ticker(oracle, 100, 7);
      ticker(oracle, id, bidPrice);
      ticker(oracle, 99, 8); // Out of order, which no exchange sends: ignored.
      if (order === "before") ticker(oracle, 105, 12);
      if (!isLate) feedBook(book, depthText(101, 103, [["5", "1"]], []));
      if (order === "after") ticker(oracle, 105, 12);
      if (order === "never") {
        assertEquals(oracle.counts.tickerChecked, 0, "a ticker of up to 103 may still come");
        oracle.finish();
      }
      assertEquals(oracle.counts, { tickerChecked: 1, tickerWrong: wrong, tickerSkipped: 0 });
    }
  }
});

Deno.test("TickerOracle sees a difference in any of the four numbers", () => {
  const right = [10e8, 1e8, 20e8, 2e8] as const;
  for (let column = -1; column < right.length; column++) {
    const [bid = 0, bidSize = 0, ask = 0, askSize = 0] = right.map((value, index) =>
      index === column ? value + 1 : value
    );
    const oracle = new TickerOracle();
    const book = new OrderBook(INSTRUMENT, { onApplied: (book) => oracle.addBook(book) });
    oracle.addTicker(101, bid, bidSize, ask, askSize);
    feedBook(book, snapshotText(100, [["10", "1"]], [["20", "2"]]), depthText(101, 101, [], []));
    oracle.finish();
    assertEquals([oracle.counts.tickerChecked, oracle.counts.tickerWrong], [1, column < 0 ? 0 : 1]);
  }
});

Deno.test("TickerOracle counts states that it cannot compare", () => {
  const oracle = new TickerOracle();
  const book = new OrderBook(INSTRUMENT, { onApplied: (book) => oracle.addBook(book) });
  feedBook(book, snapshotText(100, [["10", "1"]], [["20", "2"]]), depthText(101, 101, [], []));
  oracle.addTicker(102, 10e8, 1e8, 20e8, 2e8);
  assertEquals(oracle.counts, { tickerChecked: 0, tickerWrong: 0, tickerSkipped: 1 });
  for (let id = 103; id < 103 + 2_000; id++) oracle.addTicker(id, id, 1, 1, 1);
  feedBook(book, depthText(102, 102, [], []));
  assertEquals(oracle.counts.tickerSkipped, 2, "its ticker is no longer remembered");
  for (let id = 2_103; id < 2_103 + 1_500; id++) feedBook(book, depthText(103, id, [], []));
  oracle.finish();
  const { tickerChecked, tickerSkipped } = oracle.counts;
  assertEquals([tickerChecked, tickerSkipped], [1_500, 2], "states that wait are never lost");
});

Deno.test("generateFeed() obeys the exchange's rules for many seeds", () => {
  const seeds = fc.integer({ min: 0, max: 0xffffffff });
  const property = fc.property(seeds, fc.integer({ min: 300, max: 2_000 }), (seed, messages) => {
    const oracle = new TickerOracle();
    let crossed = 0;
    const onApplied = (book: OrderBook) => {
      oracle.addBook(book);
      if (book.bids.price(0) >= book.asks.price(0)) crossed++;
    };
    const book = new OrderBook(INSTRUMENT, { onApplied });
    const pipeline = new Pipeline(book, oracle);
    let lines = 0;
    let lastUs = 0;
    for (const line of generateFeed({ seed, messages })) {
      const { json, receiveUs } = parseRecordingLine(line)!;
      assertEquals(receiveUs >= lastUs, true, "time does not run backwards");
      lastUs = receiveUs;
      pipeline.normaliser.normalise(json, receiveUs);
      lines++;
      const update = json.includes("depthUpdate") ? JSON.parse(json).data : undefined;
      if (update === undefined) continue;
      const isShort = update.b.length + update.a.length <= update.u - update.U + 1;
      assertEquals(isShort, true, "each update id changes one level at most");
    }
    oracle.finish();
    const { trades, depthUpdates, bookTickers, snapshots } = pipeline.normaliser.counts;
    assertEquals(trades + depthUpdates + bookTickers + snapshots, messages);
    assertEquals([lines, snapshots, crossed], [messages, 1, 0]);
    const { depthApplied, depthDropped, gaps } = book.counts;
    assertEquals([depthApplied + depthDropped, depthDropped > 0, gaps], [depthUpdates, true, 0]);
    assertGreater(depthApplied, 0);
    assertEquals(oracle.counts, {
      tickerChecked: depthApplied,
      tickerWrong: 0,
      tickerSkipped: 0,
    });
  });
  fc.assert(property, { seed: SEED, numRuns: 60 });
});

Deno.test("generateFeed() depends on its seed alone, and a shorter feed is its beginning", () => {
  const feed = (seed: number, messages: number) => [...generateFeed({ seed, messages })];
  assertEquals(feed(1, 500), feed(1, 500));
  assertEquals(feed(1, 100), feed(1, 500).slice(0, 100));
  assertEquals(feed(1, 50).join() === feed(2, 50).join(), false);
  assertEquals(feed(1, 0), []);
});

Deno.test("generateFeed() throws RangeError for what is no seed or count", () => {
  for (const seed of [-1, 0.5, 2 ** 32, NaN]) {
    assertThrows(() => generateFeed({ seed, messages: 1 }), RangeError, `found ${seed}`);
  }
  for (const messages of [-1, 0.5, Infinity, NaN]) {
    assertThrows(() => generateFeed({ seed: 1, messages }), RangeError, `found ${messages}`);
  }
});

Deno.test("parseRecordingLine() cuts nanoseconds to whole microseconds", () => {
  assertEquals(parseRecordingLine("1723161253937085768 {}"), {
    receiveUs: 1_723_161_253_937_085,
    json: "{}",
  });
  const last = "9007199254740991999";
  assertEquals(parseRecordingLine(`${last} x y`), {
    receiveUs: Number.MAX_SAFE_INTEGER,
    json: "x y",
  });
  const wrong = [
    ...["", " ", "{}", "1723161253937085768", "1723161253937085768 ", " 1723161253937085768 {}"],
    ...["172316125393708576 {}", "17231612539370857680 {}", "-723161253937085768 {}"],
    ...["1723161253937085.68 {}", "9007199254740992000 {}", "172316125393708576x {}"],
  ];
  for (const line of wrong) assertEquals(parseRecordingLine(line), undefined, line);
});

Deno.test("readRecording() leaves malformed lines out and counts them", async () => {
  const text = [MESSAGE, "", "garbage", MESSAGE, '{"u":1}', MESSAGE, ""].join("\n");
  const { messages, counts } = await read([text]);
  assertEquals(messages.map(({ json }) => json), ['{"u":1}', '{"u":1}', '{"u":1}']);
  assertEquals(counts, { messages: 3, malformed: 3, torn: 0 });
});

Deno.test("readRecording() reads the same from any chunks, also within a character", async () => {
  const text = `${MESSAGE}\n1723161254087891268 {"s":"币安😀"}\n${MESSAGE}\n`;
  const whole = await read([text]);
  assertEquals(whole.counts.messages, 3);
  for (const step of [1, 2, 3, 7, 50]) {
    const bytes = new TextEncoder().encode(text);
    const chunks = [];
    for (let at = 0; at < bytes.length; at += step) chunks.push(bytes.slice(at, at + step));
    assertEquals(await read(chunks), whole);
    assertEquals(await read(await gzip(chunks)), whole, "gzip is recognised");
  }
  assertEquals((await read([])).counts, { messages: 0, malformed: 0, torn: 0 });
});

Deno.test("readRecording() survives every cut of a file", async () => {
  const text = `${MESSAGE}\n${MESSAGE}`;
  const midCharacter = await read([`${MESSAGE}\n${MESSAGE}`, new Uint8Array([0xf0, 0x9f])]);
  assertEquals(midCharacter.counts, { messages: 1, malformed: 0, torn: 1 });
  for (let length = 0; length <= text.length; length++) {
    const { messages, counts } = await read([text.slice(0, length)]);
    const isWhole = length === MESSAGE.length || length === text.length;
    const isTorn = !isWhole && length !== 0 && length !== MESSAGE.length + 1;
    assertEquals(messages.length, Math.floor((length + (isWhole ? 1 : 0)) / (MESSAGE.length + 1)));
    assertEquals([counts.torn, counts.malformed], [isTorn ? 1 : 0, 0], `${length}`);
  }
});

Deno.test("readRecording() gives what comes before a cut or damage in gzip data", async () => {
  const lines = [...generateFeed({ seed: SEED, messages: 2_000 })];
  const [bytes] = await gzip([lines.join("\n") + "\n"]);
  const cut = await read([bytes!.slice(0, bytes!.length / 2)]);
  assertEquals(cut.counts.torn, 1);
  assertGreater(cut.messages.length, 100);
  const expected = lines.slice(0, cut.messages.length).map(parseRecordingLine);
  assertEquals(cut.messages as unknown[], expected);
  const damaged = bytes!.slice();
  damaged.fill(0xff, damaged.length - 100, damaged.length - 8);
  assertEquals((await read([damaged])).counts.torn, 1);
});

Deno.test("readRecording() reads gzip data that was appended to", async () => {
  const lines = [...generateFeed({ seed: SEED, messages: 600 })];
  const members = await Promise.all(
    [lines.slice(0, 200), lines.slice(200, 201), [], lines.slice(201)]
      .map((part) => gzip(part.map((line) => `${line}\n`))),
  );
  const bytes = new Uint8Array(await new Blob(members.flat() as Uint8Array<ArrayBuffer>[]).bytes());
  for (const step of [1, 999, bytes.length]) {
    const chunks = [];
    for (let at = 0; at < bytes.length; at += step) chunks.push(bytes.slice(at, at + step));
    const { messages, counts } = await read(chunks);
    assertEquals(messages as unknown[], lines.map(parseRecordingLine));
    assertEquals(counts, { messages: 600, malformed: 0, torn: 0 });
  }
});

Deno.test("readRecording() skips a line without end instead of keeping it", async () => {
  const block = "x".repeat(6 * 1024 * 1024);
  const { counts } = await read([`${MESSAGE}\n`, block, block, block, block, `\n${MESSAGE}\n`]);
  assertEquals(counts, { messages: 2, malformed: 1, torn: 0 });
});

Deno.test("readRecording() passes errors of reading on, and lets go of the file", async () => {
  const missing = new URL("./no_such_recording.ndjson", import.meta.url);
  await assertRejects(() => readRecording(missing).next(), Deno.errors.NotFound);
  const failing = new ReadableStream<Uint8Array>({
    pull: () => Promise.reject(new Deno.errors.ConnectionReset("gone")),
  });
  await assertRejects(() => readRecording(failing).next(), Deno.errors.ConnectionReset);
  const path = await Deno.makeTempFile();
  try {
    const text = `${MESSAGE}\n`.repeat(10_000);
    for (const bytes of [new TextEncoder().encode(text), ...await gzip([text])]) {
      await Deno.writeFile(path, bytes);
      // Deno's sanitizer would report the file, were it still open.
      for await (const { receiveUs } of readRecording(path)) {
        assertEquals(receiveUs, 1_723_161_254_087_891);
        break;
      }
    }
  } finally {
    await Deno.remove(path);
  }
});

async function read(
  chunks: Iterable<string | Uint8Array>,
): Promise<{ messages: RecordedMessage[]; counts: RecordingCounts }> {
  const counts = newRecordingCounts();
  const messages = await Array.fromAsync(readRecording(streamOf(chunks), counts));
  return { messages, counts };
}

function streamOf(chunks: Iterable<string | Uint8Array>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const bytes = [...chunks].map((chunk) =>
    typeof chunk === "string" ? encoder.encode(chunk) : chunk
  );
  return ReadableStream.from(bytes);
}

async function gzip(chunks: Iterable<string | Uint8Array>): Promise<Uint8Array[]> {
  const stream = streamOf(chunks) as ReadableStream<Uint8Array<ArrayBuffer>>;
  const zipped = stream.pipeThrough(new CompressionStream("gzip"));
  return [new Uint8Array(await new Response(zipped).arrayBuffer())];
}

// The best 20 levels in flat arrays, against the whole book; sides against a plain Map.

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { BookSide } from "../lib/market/book/book_side.ts";
import { generateFeed } from "../lib/market/fake_exchange/feed_generator.ts";
import { OrderBookSnapshot, SNAPSHOT_LEVELS } from "../lib/market/layouts.ts";
import { OrderBook } from "../lib/market/book/order_book.ts";
import { parseRecordingLine } from "../lib/market/collector/recording.ts";
import { TickerOracle } from "../lib/market/book/ticker_oracle.ts";
import { TopLevels } from "../lib/market/book/top_levels.ts";
import { INSTRUMENT, oneInstrument, Pipeline } from "./_market.ts";

const SEED = 20_240_808;
const HEAD = { instrument: oneInstrument().found, updateId: 7, eventTimeUs: 8, receiveTimeUs: 9 };

/** The four arrays and two counts as plain lists. */
function listsOf(top: TopLevels): number[][] {
  const { bidPrices, bidQuantities, askPrices, askQuantities, bidCount, askCount } = top;
  return [
    [bidCount, askCount],
    ...[bidPrices, bidQuantities, askPrices, askQuantities].map(
      (array) => [...array],
    ),
  ];
}

/** What they must be, from the whole book. */
function expectedOf({ bids, asks }: Pick<OrderBook, "bids" | "asks">): number[][] {
  const depths = Array.from({ length: SNAPSHOT_LEVELS }, (_, depth) => depth);
  return [
    [Math.min(bids.count, SNAPSHOT_LEVELS), Math.min(asks.count, SNAPSHOT_LEVELS)],
    ...[bids, asks].flatMap((side) => [
      depths.map((depth) => side.price(depth)),
      depths.map((depth) => side.quantity(depth)),
    ]),
  ];
}

/** A snapshot of the top in memory that was not zero. */
function written(top: TopLevels): DataView<ArrayBuffer> {
  const bytes = new Uint8Array(OrderBookSnapshot.sizeBytes + 8).fill(0xa5);
  const view = new DataView(bytes.buffer);
  top.write(view, 8, HEAD);
  return view;
}

Deno.test("OrderBook.topLevels are the book's best 20 after every update of a feed", () => {
  let checks = 0;
  const onApplied = (book: OrderBook) => {
    assertEquals(listsOf(book.topLevels), expectedOf(book));
    checks++;
  };
  const book = new OrderBook(INSTRUMENT, { onApplied });
  const pipeline = new Pipeline(book, new TickerOracle());
  for (const line of generateFeed({ seed: SEED, messages: 3_000 })) {
    pipeline.normaliser.normalise(parseRecordingLine(line)!.json, 0);
  }
  assert(checks > 20, `${checks}`);
  assertEquals(book.topLevels.bidCount, 20);
});

Deno.test("TopLevels follow any changes of two sides, and come back from a snapshot", () => {
  const change = fc.tuple(fc.nat(1), fc.integer({ min: 0, max: 60 }), fc.nat(2));
  const property = fc.property(fc.array(fc.array(change), { maxLength: 40 }), (updates) => {
    const sides = { bids: new BookSide("bid"), asks: new BookSide("ask") };
    const models = [new Map<number, number>(), new Map<number, number>()];
    const [top, copy] = [new TopLevels(), new TopLevels()];
    for (const update of updates) {
      const least = [Infinity, Infinity];
      const before = listsOf(top);
      for (const [side, price, quantity] of update) {
        const depth = [sides.bids, sides.asks][side]!.set(price, quantity);
        assertEquals(depth < 0, (models[side]!.get(price) ?? 0) === quantity);
        if (depth >= 0) least[side] = Math.min(least[side]!, depth);
        if (quantity === 0) models[side]!.delete(price);
        else models[side]!.set(price, quantity);
      }
      const hasChanged = top.follow(sides.bids, sides.asks, least[0], least[1]);
      assertEquals(listsOf(top), expectedOf(sides));
      if (!hasChanged) assertEquals(listsOf(top), before);
      assertEquals(copy.read(written(top), 8), true);
      assertEquals(listsOf(copy), listsOf(top));
    }
    for (const [index, side] of [sides.bids, sides.asks].entries()) {
      const prices = [...models[index]!.keys()].sort((a, b) => index === 0 ? b - a : a - b);
      assertEquals(prices.map((_, depth) => side.price(depth)), prices);
      assertEquals(
        prices.map((_, depth) => side.quantity(depth)),
        prices.map((price) => models[index]!.get(price)),
      );
    }
  });
  fc.assert(property, { seed: SEED, numRuns: 200 });
});

Deno.test("TopLevels.write() writes every byte of a snapshot and no other", () => {
  const bids = new BookSide("bid");
  for (let price = 1; price <= 25; price++) bids.set(price, 100 + price);
  const top = new TopLevels();
  top.follow(bids, new BookSide("ask"));
  const view = written(top);
  assertEquals(new Uint8Array(view.buffer, 0, 8).every((byte) => byte === 0xa5), true);
  const snapshot = OrderBookSnapshot.accessor().wrap(view, 8);
  assertEquals(
    [snapshot.kind, snapshot.priceDecimals, snapshot.instrumentId, snapshot.updateId],
    [4, 8, INSTRUMENT, 7],
  );
  assertEquals([snapshot.eventTimeUs, snapshot.receiveTimeUs], [8, 9]);
  assertEquals([snapshot.bidCount, snapshot.askCount], [20, 0]);
  assertEquals([snapshot.bidPrices(0), snapshot.bidQuantities(0)], [25, 125]);
  assertEquals([snapshot.bidPrices(19), snapshot.askPrices(0)], [6, 0]);
  assertEquals([snapshot.reserved0, snapshot.reserved1, snapshot.reserved2(2)], [0, 0, 0]);
});

Deno.test("TopLevels.read() takes nothing from a snapshot that is none of a book", () => {
  const [bids, asks] = [new BookSide("bid"), new BookSide("ask")];
  for (let price = 1; price <= 3; price++) {
    bids.set(price, 1);
    asks.set(10 + price, 1);
  }
  const top = new TopLevels();
  top.follow(bids, asks);
  const before = listsOf(top);
  type Snapshot = ReturnType<typeof OrderBookSnapshot.accessor>;
  const edits: ((snapshot: Snapshot) => void)[] = [
    (snapshot) => snapshot.bidCount = 21,
    (snapshot) => snapshot.askCount = 255,
    (snapshot) => snapshot.bidCount = 4, // Its quantity is 0.
    (snapshot) => snapshot.priceDecimals = 13,
    (snapshot) => snapshot.quantityDecimals = 255,
    (snapshot) => snapshot.setBidPrices(1, 3),
    (snapshot) => snapshot.setBidPrices(1, 4),
    (snapshot) => snapshot.setAskPrices(2, 12),
    (snapshot) => snapshot.setAskPrices(0, -1),
    (snapshot) => snapshot.setBidPrices(2, -1),
    (snapshot) => snapshot.setAskQuantities(2, 0),
    (snapshot) => snapshot.setAskQuantities(2, -5),
  ];
  for (const edit of edits) {
    const view = written(top);
    edit(OrderBookSnapshot.accessor().wrap(view, 8));
    assertEquals(top.read(view, 8), false, String(edit));
    assertEquals(listsOf(top), before);
  }
  const { offset } = OrderBookSnapshot.fields.find(({ name }) => name === "askPrices")!;
  const beyond = written(top);
  beyond.setBigUint64(8 + offset, 2n ** 53n, true);
  assertEquals(top.read(beyond, 8), false, "more than 2^53 - 1");
  assertThrows(() => top.read(beyond, 0), RangeError, "kind");
  assertThrows(() => top.read(beyond, 9), RangeError, "704 bytes");
  assertThrows(() => top.read(beyond, 8, 703), RangeError, "704 bytes");
});

Deno.test("TopLevels.read() never takes what is out of order from any bytes", () => {
  const words = fc.bigUint64Array({ minLength: 88, maxLength: 88 });
  const small = fc.uint8Array({ minLength: 704, maxLength: 704, max: 2 });
  const bytes = fc.oneof(words.map((array) => new Uint8Array(array.buffer)), small);
  const property = fc.property(bytes, (bytes) => {
    const view = new DataView(bytes.slice().buffer);
    view.setUint16(0, 4, true);
    const top = new TopLevels();
    if (!top.read(view, 0)) return assertEquals(listsOf(top).flat().some((n) => n !== 0), false);
    for (let depth = 1; depth < top.bidCount; depth++) {
      assert(top.bidPrices[depth]! < top.bidPrices[depth - 1]!);
    }
    for (let depth = 0; depth < top.askCount; depth++) assert(top.askQuantities[depth]! > 0);
  });
  fc.assert(property, { seed: SEED, numRuns: 500 });
});

import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { BookSide } from "../lib/market/book/book_side.ts";
import { formatDecimal } from "../lib/market/decimal.ts";
import { OrderBookDelta, Trade } from "../lib/market/layouts.ts";
import * as books from "../lib/market/book/order_book.ts";
import { depthText, feedBook, INSTRUMENT, type LevelText, Recorder } from "./_market.ts";
import { oneInstrument, snapshotText } from "./_market.ts";

const SEED = 20_240_808;
const { OrderBook } = books;
const SNAPSHOT_100 = snapshotText(100, [["10", "1"], ["9", "2"]], [["11", "3"], ["12", "4"]]);

function newBook(...messages: string[]): books.OrderBook {
  const book = new OrderBook(INSTRUMENT);
  feedBook(book, ...messages);
  return book;
}

/** The whole book as text, best level first. */
function levelsOf(book: books.OrderBook): { bids: string[]; asks: string[] } {
  const { bids, asks } = book.top(Infinity);
  const print = (level: books.Level) =>
    `${formatDecimal(level.price, 8)} ${formatDecimal(level.quantity, 8)}`;
  return { bids: bids.map(print), asks: asks.map(print) };
}

function bid(price: string, quantity: string, first: number, last = first): string {
  return depthText(first, last, [[price, quantity]], []);
}

/** Two deltas: 13 bids, from a price of 1 on. */
function splitUpdate(first: number, last: number): DataView[] {
  const levels = Array.from({ length: 13 }, (_, index): LevelText => [`${index + 1}`, "5"]);
  return new Recorder().take(depthText(first, last, levels, []));
}

Deno.test("OrderBook keeps updates until a snapshot and applies those that are newer", () => {
  const book = new OrderBook(INSTRUMENT);
  assertEquals(feedBook(book, bid("1", "1", 90, 95)), books.BOOK_BUFFERED);
  assertEquals(feedBook(book, bid("1", "1", 96, 100)), books.BOOK_BUFFERED);
  assertEquals(feedBook(book, bid("10", "7", 101, 105)), books.BOOK_BUFFERED);
  assertEquals([book.isInStep, book.finalUpdateId, book.bestBid()], [false, 0, undefined]);
  assertEquals(feedBook(book, SNAPSHOT_100), books.BOOK_APPLIED);
  assertEquals([book.isInStep, book.finalUpdateId], [true, 105]);
  assertEquals(levelsOf(book).bids, ["10.00000000 7.00000000", "9.00000000 2.00000000"]);
  assertEquals([book.counts.depthApplied, book.counts.depthDropped], [1, 2]);
});

Deno.test("OrderBook applies an update that the snapshot's id lies within", () => {
  const book = newBook(bid("10", "7", 99, 101), SNAPSHOT_100);
  assertEquals([book.finalUpdateId, book.bestBid()], [101, { price: 10e8, quantity: 7e8 }]);
});

Deno.test("OrderBook refuses a snapshot that is older than the updates kept for it", () => {
  const book = newBook(bid("10", "7", 102, 103));
  assertEquals(feedBook(book, SNAPSHOT_100), books.BOOK_SNAPSHOT_TOO_OLD);
  assertEquals([book.isInStep, book.counts.snapshotsRefused], [false, 1]);
  assertEquals(feedBook(book, SNAPSHOT_100.replace("100", "101")), books.BOOK_APPLIED);
  assertEquals([book.finalUpdateId, book.counts.depthApplied], [103, 1]);
});

Deno.test("OrderBook accepts a snapshot newer than all updates, and the first one after it", () => {
  const book = newBook(bid("10", "7", 80, 90), SNAPSHOT_100);
  assertEquals([book.finalUpdateId, book.counts.depthDropped], [100, 1]);
  assertEquals(feedBook(book, bid("10", "0", 101)), books.BOOK_APPLIED);
});

Deno.test("OrderBook.apply() empties the book at a gap and asks for a snapshot", () => {
  const book = newBook(SNAPSHOT_100, bid("10", "7", 101));
  assertEquals(feedBook(book, bid("10", "8", 103, 104)), books.BOOK_GAP);
  assertEquals([book.counts.gaps, book.isInStep, book.levels], [1, false, { bids: 0, asks: 0 }]);
  assertEquals(feedBook(book, bid("9", "6", 105)), books.BOOK_BUFFERED);
  assertEquals(feedBook(book, SNAPSHOT_100.replace("100", "103")), books.BOOK_APPLIED);
  assertEquals(levelsOf(book).bids, ["10.00000000 8.00000000", "9.00000000 6.00000000"]);
  assertEquals([book.finalUpdateId, book.counts.depthApplied], [105, 3]);
});

Deno.test("OrderBook.apply() finds a gap between the updates that it kept", () => {
  const book = newBook(bid("10", "7", 101), bid("10", "8", 103));
  assertEquals(feedBook(book, SNAPSHOT_100), books.BOOK_GAP);
  assertEquals([book.isInStep, book.counts.depthApplied, book.counts.gaps], [false, 1, 1]);
  assertEquals(feedBook(book, SNAPSHOT_100.replace("100", "102")), books.BOOK_APPLIED);
  assertEquals([book.finalUpdateId, book.counts.depthDropped], [103, 0]);
});

Deno.test("OrderBook.apply() drops duplicates and updates out of order", () => {
  const book = newBook(SNAPSHOT_100, bid("10", "7", 101, 103));
  for (const [first, last] of [[101, 103], [102, 102], [50, 60], [103, 103]]) {
    assertEquals(feedBook(book, bid("10", "1", first!, last)), books.BOOK_DROPPED);
  }
  assertEquals([book.bestBid()?.quantity, book.counts.depthDropped], [7e8, 4]);
});

Deno.test("OrderBook.apply() applies an update that overlaps with the book", () => {
  const book = newBook(SNAPSHOT_100, bid("10", "7", 101, 103));
  assertEquals(feedBook(book, bid("10", "8", 102, 104)), books.BOOK_APPLIED);
  assertEquals([book.bestBid()?.quantity, book.finalUpdateId], [8e8, 104]);
});

Deno.test("OrderBook.apply() removes a level at zero, if it knows the level", () => {
  const book = newBook(SNAPSHOT_100);
  assertEquals(feedBook(book, depthText(101, 101, [["10", "0"], ["8", "0"]], [])), 1);
  assertEquals(feedBook(book, depthText(102, 102, [], [["11", "0"], ["13", "0"]])), 1);
  assertEquals(levelsOf(book), {
    bids: ["9.00000000 2.00000000"],
    asks: ["12.00000000 4.00000000"],
  });
  assertEquals(book.counts.gaps, 0);
});

Deno.test("OrderBook.apply() takes a newer snapshot and drops an older one while in step", () => {
  const book = newBook(SNAPSHOT_100, bid("10", "7", 101, 105));
  for (const id of ["99", "105"]) {
    assertEquals(feedBook(book, SNAPSHOT_100.replace("100", id)), books.BOOK_DROPPED);
  }
  assertEquals([book.finalUpdateId, book.counts.snapshotsRefused], [105, 2]);
  assertEquals(feedBook(book, snapshotText(110, [["5", "5"]], [])), books.BOOK_APPLIED);
  assertEquals(levelsOf(book), { bids: ["5.00000000 5.00000000"], asks: [] });
  assertEquals(feedBook(book, bid("4", "4", 106, 110)), books.BOOK_DROPPED);
  assertEquals(feedBook(book, bid("4", "4", 108, 111)), books.BOOK_APPLIED);
});

Deno.test("OrderBook.apply() changes nothing before the last delta of an update", () => {
  const book = newBook(SNAPSHOT_100);
  const before = levelsOf(book);
  const [first, last] = splitUpdate(101, 103);
  assertEquals(book.apply(first!, 0), books.BOOK_PART);
  assertEquals([levelsOf(book), book.finalUpdateId], [before, 100]);
  assertEquals(book.apply(last!, 0, 256), books.BOOK_APPLIED);
  assertEquals([book.levels.bids, book.counts.depthApplied], [13, 1]);
});

Deno.test("OrderBook.apply() gives up an update whose parts are not complete", () => {
  const [first, last] = splitUpdate(101, 103);
  const ways: [DataView[], number[]][] = [
    [[last!], [books.BOOK_BROKEN]],
    [[first!, first!, last!], [books.BOOK_PART, books.BOOK_PART, books.BOOK_APPLIED]],
    [[first!, edited(last!, (d) => d.part = 2)], [books.BOOK_PART, books.BOOK_BROKEN]],
    [[first!, edited(last!, (d) => d.lastUpdateId = 104)], [books.BOOK_PART, books.BOOK_BROKEN]],
    [[first!, edited(last!, (d) => d.flags |= 4)], [books.BOOK_PART, books.BOOK_BROKEN]],
    [[first!, edited(last!, (d) => d.part = 2), last!], [0, books.BOOK_BROKEN, books.BOOK_BROKEN]],
  ];
  for (const [deltas, results] of ways) {
    const book = newBook(SNAPSHOT_100);
    const before = levelsOf(book);
    assertEquals(deltas.map((delta) => book.apply(delta, 0)), results);
    if (results.includes(books.BOOK_APPLIED)) assertEquals(book.levels.bids, 13);
    else assertEquals(levelsOf(book), before);
    assertEquals(book.counts.broken, Math.max(1, results.filter((code) => code < 0).length));
    const next = bid("1", "1", 104, 105);
    const isWhole = results.includes(books.BOOK_APPLIED);
    assertEquals(feedBook(book, next), isWhole ? books.BOOK_APPLIED : books.BOOK_GAP);
  }
});

Deno.test("OrderBook.apply() gives up a delta that no exchange would send", () => {
  const [update] = new Recorder().take(bid("10", "7", 101));
  const edits: ((delta: Delta) => void)[] = [
    (delta) => delta.bidCount = 13,
    (delta) => delta.askCount = 255,
    (delta) => delta.setPrices(0, -1),
    (delta) => delta.setQuantities(0, -1),
    (delta) => delta.firstUpdateId = 102,
    (delta) => delta.priceDecimals = 9,
    (delta) => delta.quantityDecimals = 2,
    (delta) => delta.quantityDecimals = 255,
  ];
  for (const edit of edits) {
    const book = newBook(SNAPSHOT_100);
    assertEquals(book.apply(edited(update!, edit), 0), books.BOOK_BROKEN, String(edit));
    assertEquals([book.counts.broken, book.bestBid()?.quantity], [1, 1e8]);
  }
  for (const field of ["firstUpdateId", "lastUpdateId", "prices", "quantities"]) {
    const book = newBook(SNAPSHOT_100);
    const copy = edited(update!, () => {});
    const { offset } = OrderBookDelta.fields.find(({ name }) => name === field)!;
    copy.setBigUint64(offset, 2n ** 53n, true);
    assertEquals(book.apply(copy, 0), books.BOOK_BROKEN, field);
    assertEquals([book.counts.broken, book.bestBid()?.quantity], [1, 1e8]);
  }
});

Deno.test("OrderBook.apply() throws RangeError for a message that is not for this book", () => {
  const [update] = new Recorder().take(bid("10", "7", 101));
  const book = new OrderBook(INSTRUMENT + 1);
  assertThrows(() => book.apply(update!, 0), RangeError, `found instrument ${INSTRUMENT}`);
  assertThrows(() => newBook().apply(update!, 1), RangeError, "256 bytes");
  assertThrows(() => newBook().apply(update!, 0, 255), RangeError, "256 bytes");
  const other = edited(update!, (delta) => delta.kind = 1);
  assertThrows(() => newBook().apply(other, 0), RangeError, "kind 1");
  assertThrows(
    () => newBook().apply(new DataView(new ArrayBuffer(Trade.sizeBytes)), 0),
    RangeError,
  );
});

Deno.test("OrderBook forgets the oldest of too many updates", () => {
  const book = new OrderBook(INSTRUMENT);
  for (let id = 101; id <= 101 + 4096; id++) feedBook(book, bid("10", "7", id));
  assertEquals(feedBook(book, SNAPSHOT_100), books.BOOK_SNAPSHOT_TOO_OLD);
  assertEquals(feedBook(book, SNAPSHOT_100.replace("100", "101")), books.BOOK_APPLIED);
  assertEquals([book.finalUpdateId, book.counts.depthApplied], [4197, 4096]);
});

Deno.test("OrderBook calls onApplied after each exchange update, also for those it kept", () => {
  const seen: [number, number | undefined][] = [];
  const onApplied = (book: books.OrderBook) =>
    seen.push([book.finalUpdateId, book.bestBid()?.quantity]);
  const book = new OrderBook(INSTRUMENT, { onApplied });
  feedBook(book, bid("10", "7", 101), bid("10", "8", 102), SNAPSHOT_100, bid("10", "9", 103));
  feedBook(book, bid("10", "9", 103));
  assertEquals(seen, [[101, 7e8], [102, 8e8], [103, 9e8]]);
});

Deno.test("OrderBook has the scales of its first delta, and takes no others", () => {
  const recorder = new Recorder(oneInstrument({ priceDecimals: 2, quantityDecimals: 4 }));
  const book = new OrderBook(INSTRUMENT);
  const [record] = recorder.take(snapshotText(1, [["10.50", "1.2500"]], []));
  assertEquals(book.apply(record!, 0), books.BOOK_APPLIED);
  assertEquals([book.priceDecimals, book.quantityDecimals], [2, 4]);
  assertEquals(book.bestBid(), { price: 1_050, quantity: 12_500 });
  assertEquals(feedBook(book, depthText(2, 2, [], [])), books.BOOK_BROKEN);
  for (const scale of [13, 255]) {
    const fresh = new OrderBook(INSTRUMENT);
    const wrong = edited(record!, (delta) => delta.priceDecimals = scale);
    assertEquals(fresh.apply(wrong, 0), books.BOOK_BROKEN);
    assertEquals(fresh.apply(record!, 0), books.BOOK_APPLIED, "no scale was taken from it");
  }
});

Deno.test("OrderBook.top() returns no more than there is, and side readers return 0 beyond", () => {
  const book = newBook(SNAPSHOT_100);
  assertEquals(book.top(1), {
    bids: [{ price: 10e8, quantity: 1e8 }],
    asks: [{ price: 11e8, quantity: 3e8 }],
  });
  assertEquals(book.top(0), { bids: [], asks: [] });
  assertEquals([book.bids.price(2), book.bids.quantity(2), book.asks.price(9)], [0, 0, 0]);
  assertEquals(book.bestAsk(), { price: 11e8, quantity: 3e8 });
});

Deno.test("OrderBook equals a plain Map after any updates", () => {
  const level = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 3 }))
    .map(([price, quantity]): LevelText => [String(price), String(quantity)]);
  const side = fc.array(level, { maxLength: 40 });
  const property = fc.property(fc.array(fc.tuple(side, side), { maxLength: 30 }), (updates) => {
    const model = { bids: new Map<number, number>(), asks: new Map<number, number>() };
    const book = newBook(snapshotText(0, [], []));
    for (const [index, [bids, asks]] of updates.entries()) {
      feedBook(book, depthText(index + 1, index + 1, bids, asks));
      for (const [side, levels] of [[model.bids, bids], [model.asks, asks]] as const) {
        for (const [price, quantity] of levels) {
          if (quantity === "0") side.delete(Number(price));
          else side.set(Number(price), Number(quantity));
        }
      }
    }
    const print = ([price, quantity]: [number, number]) => `${price}.00000000 ${quantity}.00000000`;
    const sorted = (side: Map<number, number>, sign: number) =>
      [...side].sort(([left], [right]) => (left - right) * sign).map(print);
    assertEquals(levelsOf(book), { bids: sorted(model.bids, -1), asks: sorted(model.asks, 1) });
    assertEquals(book.levels, { bids: model.bids.size, asks: model.asks.size });
  });
  fc.assert(property, { seed: SEED, numRuns: 300 });
});

Deno.test("BookSide grows, and keeps thousands of levels sorted", () => {
  for (const name of ["bid", "ask"] as const) {
    const side = new BookSide(name);
    const count = 5_000;
    for (let index = 0; index < count; index++) side.set(1 + (index * 7_919) % count, index + 1);
    assertEquals(side.count, count);
    for (let depth = 0; depth < count; depth++) {
      const price = name === "bid" ? count - depth : depth + 1;
      assertEquals(side.price(depth), price);
    }
    for (let price = 2; price <= count; price += 2) side.set(price, 0);
    assertEquals([side.count, side.price(0)], [count / 2, name === "bid" ? count - 1 : 1]);
    side.clear();
    assertEquals([side.count, side.price(0), side.quantity(0)], [0, 0, 0]);
  }
});

type Delta = ReturnType<typeof OrderBookDelta.accessor>;

function edited(record: DataView, edit: (delta: Delta) => void): DataView {
  const copy = new DataView((record.buffer as ArrayBuffer).slice(0));
  edit(OrderBookDelta.accessor().wrap(copy, 0));
  return copy;
}

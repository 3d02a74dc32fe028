// The rules by which depth updates follow each other, of the spot market and of futures: a book is
// either the exchange's, or says that it is not in step.

import { assert, assertEquals, assertGreater } from "@std/assert";
import fc from "fast-check";
import * as books from "../lib/market/book/order_book.ts";
import { depthText, feedBook, futuresText, INSTRUMENT, type LevelText } from "./_market.ts";
import { snapshotText } from "./_market.ts";

const SEED = 20_240_808;
const { OrderBook } = books;
const SNAPSHOT_100 = snapshotText(100, [["10", "1"]], [["11", "3"]]);

/** An update of futures that sets the bid of 10. */
function bid(first: number, last: number, previous: number, quantity = "7"): string {
  return futuresText([first, last, previous], [["10", quantity]], []);
}

/** The results of a row of messages. */
function results(book: books.OrderBook, ...messages: string[]): number[] {
  return messages.map((message) => feedBook(book, message));
}

Deno.test("OrderBook begins futures with the update that the snapshot's id lies within", () => {
  for (const [first, last] of [[90, 100], [100, 100], [95, 105], [100, 105]] as const) {
    const book = new OrderBook(INSTRUMENT);
    const kept = results(book, bid(60, 70, 50), bid(80, 89, 70), bid(first, last, 89));
    assertEquals(kept, [books.BOOK_BUFFERED, books.BOOK_BUFFERED, books.BOOK_BUFFERED]);
    assertEquals(feedBook(book, SNAPSHOT_100), books.BOOK_APPLIED, `${first} to ${last}`);
    assertEquals([book.finalUpdateId, book.counts.depthDropped], [last, 2]);
    assertEquals(feedBook(book, bid(200, 210, last)), books.BOOK_APPLIED, "ids may jump");
  }
});

Deno.test("OrderBook refuses a snapshot that is older than the first update of futures", () => {
  const book = new OrderBook(INSTRUMENT);
  assertEquals(results(book, bid(101, 105, 99), SNAPSHOT_100), [
    ...[books.BOOK_BUFFERED, books.BOOK_SNAPSHOT_TOO_OLD],
  ]);
  assertEquals(feedBook(book, SNAPSHOT_100.replace("100", "103")), books.BOOK_APPLIED);
  assertEquals([book.finalUpdateId, book.counts.snapshotsRefused], [105, 1]);
});

Deno.test("OrderBook follows futures by the id before, whatever the first id says", () => {
  const start = [SNAPSHOT_100, bid(95, 105, 90)];
  const cases: [string, number[]][] = [
    [bid(106, 110, 105), [books.BOOK_APPLIED, 110]],
    [bid(150, 160, 105), [books.BOOK_APPLIED, 160]],
    [bid(106, 110, 104), [books.BOOK_GAP, 0]],
    [bid(106, 110, 107), [books.BOOK_GAP, 0]],
    [bid(101, 110, 100), [books.BOOK_GAP, 0]], // An overlap breaks the chain.
    [bid(95, 105, 90), [books.BOOK_DROPPED, 105]], // A duplicate.
    [bid(80, 90, 70), [books.BOOK_DROPPED, 105]], // Out of order.
  ];
  for (const [message, [code, id]] of cases) {
    const book = new OrderBook(INSTRUMENT);
    results(book, ...start);
    assertEquals([feedBook(book, message), book.finalUpdateId], [code, id], message);
    assertEquals(book.isInStep, code !== books.BOOK_GAP);
    if (book.isInStep) continue;
    assertEquals([book.levels, book.counts.gaps], [{ bids: 0, asks: 0 }, 1]);
    assertEquals(feedBook(book, SNAPSHOT_100.replace("100", "108")), books.BOOK_APPLIED);
    assertEquals(book.finalUpdateId, 110, "the update that came too early fits now");
  }
});

Deno.test("OrderBook finds a gap between the futures updates that it kept", () => {
  const book = new OrderBook(INSTRUMENT);
  results(book, bid(95, 105, 90), bid(120, 130, 110), bid(131, 140, 130));
  assertEquals(feedBook(book, SNAPSHOT_100), books.BOOK_GAP);
  assertEquals([book.isInStep, book.counts.gaps, book.counts.depthApplied], [false, 1, 1]);
  assertEquals(feedBook(book, SNAPSHOT_100.replace("100", "125")), books.BOOK_APPLIED);
  assertEquals(book.finalUpdateId, 140);
});

Deno.test("OrderBook removes a level of futures at zero, if it knows the level", () => {
  const book = new OrderBook(INSTRUMENT);
  const unknown = futuresText([105, 106, 105], [["9", "0"]], [["11", "0"]]);
  results(book, SNAPSHOT_100, bid(95, 105, 90, "0"), unknown);
  assertEquals([book.isInStep, book.levels], [true, { bids: 0, asks: 0 }]);
});

Deno.test("OrderBook takes a newer snapshot of futures and begins anew", () => {
  const book = new OrderBook(INSTRUMENT);
  results(book, SNAPSHOT_100, bid(95, 105, 90));
  const next = SNAPSHOT_100.replace("100", "200");
  assertEquals(results(book, SNAPSHOT_100, next), [books.BOOK_DROPPED, books.BOOK_APPLIED]);
  assertEquals(feedBook(book, bid(106, 110, 105)), books.BOOK_DROPPED);
  assertEquals(feedBook(book, bid(195, 200, 110)), books.BOOK_APPLIED, "it ends with that id");
  assertEquals(feedBook(book, bid(201, 210, 200)), books.BOOK_APPLIED);
});

/** An exchange's book, and what it sends about it. */
class Exchange {
  readonly updates: string[] = [];
  /** What the book is after each update id: `price quantity` of bids and asks, sorted. */
  readonly states = new Map<number, string>();
  readonly #isFutures: boolean;
  readonly #sides = [new Map<number, number>(), new Map<number, number>()] as const;
  #id = 1_000;
  #lastId = 1_000;

  constructor(isFutures: boolean) {
    this.#isFutures = isFutures;
    this.states.set(this.#id, this.#state());
  }

  /** Changes levels one after the other, each with an id of its own, and sends the update. */
  change(levels: readonly [side: number, price: number, quantity: number][], jump: number): void {
    const changed = [new Map<number, number>(), new Map<number, number>()];
    if (this.#isFutures) this.#id += jump; // Their ids are of all instruments.
    const first = this.#id + 1;
    for (const [side, price, quantity] of levels) {
      this.#id++;
      changed[side]!.set(price, quantity);
      if (quantity === 0) this.#sides[side]!.delete(price);
      else this.#sides[side]!.set(price, quantity);
      this.states.set(this.#id, this.#state());
    }
    const [bids, asks] = changed.map((side) =>
      [...side].map(([price, quantity]): LevelText => [`${price}`, `${quantity}`])
    );
    const last = this.#id;
    this.updates.push(
      this.#isFutures
        ? futuresText([first, last, this.#lastId], bids!, asks!)
        : depthText(first, last, bids!, asks!),
    );
    this.#lastId = last;
  }

  snapshot(): string {
    const [bids, asks] = this.#sides.map((side) =>
      [...side].map(([price, quantity]): LevelText => [`${price}`, `${quantity}`])
    );
    return snapshotText(this.#id, bids!, asks!);
  }

  #state(): string {
    const [bids, asks] = this.#sides.map((side) => [...side].sort(([a], [b]) => a - b));
    return JSON.stringify([bids!.reverse(), asks]);
  }
}

function stateOf(book: books.OrderBook): string {
  const { bids, asks } = book.top(Infinity);
  const pairs = (levels: books.Level[]) => levels.map((l) => [l.price / 1e8, l.quantity / 1e8]);
  return JSON.stringify([pairs(bids), pairs(asks)]);
}

const anyLevel = fc.tuple(fc.nat(1), fc.integer({ min: 1, max: 12 }), fc.nat(3));
/** What happens to an update on its way, and how late it, or a snapshot of then, arrives. */
const anyStep = fc.record({
  levels: fc.array(anyLevel, { minLength: 1, maxLength: 5 }),
  jump: fc.nat(3),
  fate: fc.constantFrom("pass", "pass", "pass", "pass", "drop", "twice"),
  delay: fc.constantFrom(0, 0, 0, 0, 1, 2),
  snapshotDelay: fc.constantFrom(-1, -1, -1, 0, 1, 3),
});

for (const isFutures of [false, true]) {
  const name = isFutures ? "futures" : "spot";
  Deno.test(`OrderBook is right or not in step, whatever is lost or late (${name})`, () => {
    let [right, gaps] = [0, 0];
    const property = fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
      const exchange = new Exchange(isFutures);
      const book = new OrderBook(INSTRUMENT);
      const onTheWay: { at: number; message: string }[] = [];
      for (const [now, { levels, jump, fate, delay, snapshotDelay }] of steps.entries()) {
        exchange.change(levels, jump);
        const message = exchange.updates.at(-1)!;
        if (fate !== "drop") onTheWay.push({ at: now + delay, message });
        if (fate === "twice") onTheWay.push({ at: now + 2, message });
        if (snapshotDelay >= 0) {
          onTheWay.push({ at: now + snapshotDelay, message: exchange.snapshot() });
        }
        for (const { message } of onTheWay.filter(({ at }) => at === now)) {
          feedBook(book, message);
          if (!book.isInStep) {
            assertEquals(book.levels, { bids: 0, asks: 0 }, "empty while it is not in step");
            continue;
          }
          assertEquals(stateOf(book), exchange.states.get(book.finalUpdateId), message);
          right++;
        }
      }
      gaps += book.counts.gaps;
      assertEquals(book.counts.broken, 0);
    });
    fc.assert(property, { seed: SEED, numRuns: 400 });
    assertGreater(right, 1_000, "it is in step often enough to mean something");
    assertGreater(gaps, 50);
  });
}

Deno.test("OrderBook gets into step again once nothing is lost, by spot and futures rules", () => {
  for (const isFutures of [false, true]) {
    const exchange = new Exchange(isFutures);
    const book = new OrderBook(INSTRUMENT);
    for (let round = 0; round < 20; round++) {
      exchange.change([[0, 1 + round % 5, 1 + round % 3], [1, 7 + round % 4, 2]], round % 3);
      feedBook(book, exchange.updates.at(-1)!);
      if (round === 6 || round === 13) {
        exchange.change([[0, 3, 3]], 0); // Lost.
        assert(book.isInStep || round === 6);
      }
      if (!book.isInStep) feedBook(book, exchange.snapshot());
    }
    assertEquals(stateOf(book), exchange.states.get(book.finalUpdateId));
    assertEquals([book.isInStep, book.counts.gaps], [true, 2]);
  }
});

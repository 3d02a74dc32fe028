// Images of a market feed: golden bytes, damage of every kind, and bytes that somebody has forged,
// whose hash is right.

import { createHash } from "node:crypto";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CorruptSnapshotError, type MarketFeed } from "../lib/exchange/mod.ts";
import { join } from "./_bytes.ts";
import { apply, INSTRUMENTS, level, makeFeed } from "./_market_data.ts";

const HASH_BYTES = 32;

/** Two books, of four levels and three trades together. */
function sample(): MarketFeed {
  const feed = makeFeed();
  apply(feed, level(100));
  apply(feed, level(99, { levelQuantity: 2 ** 50 }));
  apply(feed, level(101, { side: "sell", levelQuantity: 7 }));
  apply(feed, level(102, { kind: "trade", quantity: 3, levelQuantity: 4 }));
  apply(feed, level(102, { kind: "trade", quantity: 4, levelQuantity: 0 }));
  apply(feed, level(9, { instrumentId: 2, kind: "trade", side: "sell", levelQuantity: 1 }));
  return feed;
}

function golden(): Uint8Array<ArrayBuffer> {
  return join(...sample().image());
}

function restore(bytes: Uint8Array, instruments = INSTRUMENTS): MarketFeed {
  const feed = makeFeed(instruments);
  feed.restore(bytes);
  return feed;
}

function sealed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const image = bytes.subarray(0, bytes.length - HASH_BYTES);
  const whole = new Uint8Array(bytes);
  whole.set(createHash("sha256").update(image).digest(), image.length);
  return whole;
}

const GOLDEN = new URL("testdata/feed-snapshot-v1.hex", import.meta.url);

Deno.test("MarketFeed.image() writes the golden bytes, and MarketFeed.restore() reads them", () => {
  const bytes = Uint8Array.fromHex(Deno.readTextFileSync(GOLDEN).replaceAll(/\s/g, ""));
  assertEquals(golden().toHex(), bytes.toHex());
  const feed = restore(bytes);
  assertEquals([feed.sequence, feed.isComplete], [6, true]);
  const market = feed.market("BTC-USD")!;
  assertEquals([market.sequence, market.isComplete, market.bids.count], [5, true, 2]);
  assertEquals([market.bids.price(1), market.bids.quantity(1)], [99, 2 ** 50]);
  assertEquals([market.tape.firstNumber, market.tape.lastNumber], [1, 2]);
  assertEquals(market.tape.at(2), { ...market.tape.at(2), number: 2, sequence: 5, quantity: 4 });
  assertEquals(market.flush(), undefined, "nothing of it is news");
});

Deno.test("MarketFeed.restore() goes on as the feed that never stopped", () => {
  const happening = fc.record({
    instrumentId: fc.integer({ min: 1, max: 2 }),
    kind: fc.constantFrom("level" as const, "trade" as const),
    side: fc.constantFrom("buy" as const, "sell" as const),
    price: fc.integer({ min: 1, max: 40 }),
    quantity: fc.integer({ min: 1, max: 9 }),
    levelQuantity: fc.nat({ max: 3 }),
  });
  const happenings = fc.array(happening, { maxLength: 60 });
  const property = fc.property(happenings, happenings, (before, after) => {
    const feed = makeFeed();
    for (const each of before) apply(feed, each);
    const other = restore(join(...feed.image()));
    assertEquals(join(...other.image()), join(...feed.image()));
    for (const each of after) {
      apply(feed, each);
      apply(other, each);
    }
    assertEquals(join(...other.image()), join(...feed.image()));
  });
  fc.assert(property, { seed: 20_261_129, numRuns: 100 });
});

Deno.test("MarketFeed.image() has the last thousand trades, with their numbers", () => {
  const feed = makeFeed();
  for (let i = 0; i < 1_500; i++) apply(feed, level(100, { kind: "trade", quantity: i + 1 }));
  const { tape } = restore(join(...feed.image())).market("BTC-USD")!;
  assertEquals([tape.firstNumber, tape.lastNumber], [501, 1_500]);
  assertEquals([tape.at(501).quantity, tape.at(1_500).quantity], [501, 1_500]);
});

Deno.test("MarketFeed.image() does not change with what is applied while it is read", () => {
  const feed = sample();
  const parts = feed.image()[Symbol.iterator]();
  apply(feed, level(98));
  const first = parts.next().value!;
  apply(feed, level(97));
  assertEquals(new Uint8Array([...first, ...parts.next().value!]), golden());
});

Deno.test("MarketFeed.restore() leaves no book complete that lacks events", () => {
  const gone = sample();
  gone.markIncomplete();
  const feed = restore(join(...gone.image()));
  assertEquals(Array.from(feed.markets, ({ isComplete }) => isComplete), [false, false]);
  assertEquals([feed.isComplete, feed.sequence], [false, 6]);

  const early = makeFeed([INSTRUMENTS[0]!]);
  apply(early, level(9, { instrumentId: 2 }));
  const late = restore(join(...early.image())); // It knows the second one by now.
  assertEquals(late.isComplete, true);
  assertEquals(Array.from(late.markets, ({ isComplete }) => isComplete), [true, false]);
});

Deno.test("MarketFeed.restore() leaves alone what an exchange fills", () => {
  const feed = makeFeed();
  feed.foreignMarket("BTC-USD");
  feed.restore(golden());
  assertEquals(Array.from(feed.markets, ({ bids }) => bids.count), [0, 1]);
  assertEquals(restore(join(...feed.image())).market("BTC-USD")!.bids.count, 0);
});

Deno.test("MarketFeed.restore() refuses every truncation and every longer one", () => {
  const bytes = golden();
  const feed = makeFeed();
  const refuse = (wrong: Uint8Array) =>
    assertThrows(() => feed.restore(wrong), CorruptSnapshotError);
  for (let length = 0; length < bytes.length; length++) {
    refuse(bytes.subarray(0, length));
    if (length >= HASH_BYTES) refuse(sealed(bytes.subarray(0, length)));
  }
  const longer = new Uint8Array([...bytes, 0]);
  refuse(longer);
  refuse(sealed(longer));
  assertEquals(join(...feed.image()), join(...makeFeed().image()), "nothing was changed");
});

Deno.test("MarketFeed.restore() refuses every flipped bit", () => {
  const bytes = golden();
  const feed = makeFeed();
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assertThrows(() => feed.restore(bytes), CorruptSnapshotError);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
});

Deno.test("MarketFeed.restore() takes forged bytes as a sound state, or refuses them", () => {
  const bytes = golden();
  let taken = 0;
  for (let bit = 0; bit < (bytes.length - HASH_BYTES) * 8; bit++) {
    const forged = new Uint8Array(bytes);
    forged[bit >> 3]! ^= 1 << (bit & 7);
    taken += tryForged(sealed(forged));
  }
  assert(taken > 0, "most bits are of numbers that may be others");
  const spoil = fc.array(
    fc.tuple(fc.nat({ max: bytes.length - HASH_BYTES - 1 }), fc.nat({ max: 255 })),
    { minLength: 1, maxLength: 8 },
  );
  const property = fc.property(spoil, (changes) => {
    const forged = new Uint8Array(bytes);
    for (const [at, value] of changes) forged[at] = value;
    tryForged(sealed(forged));
  });
  fc.assert(property, { seed: 20_261_130, numRuns: 3_000 });
});

/** One for all, as making a feed takes milliseconds. All that is taken has its two markets. */
const victim = makeFeed();

/** Returns 1 if the bytes were taken: then they are what the feed itself would write. */
function tryForged(bytes: Uint8Array): 0 | 1 {
  try {
    victim.restore(bytes);
  } catch (error) {
    const isUnknown = error instanceof TypeError && /found instrument \d+/.test(error.message);
    if (error instanceof CorruptSnapshotError || isUnknown) return 0;
    throw error;
  }
  assertEquals(join(...victim.image()), bytes);
  return 1;
}

Deno.test("MarketFeed.restore() refuses instruments that are others by now", () => {
  assertThrows(() => restore(golden(), [INSTRUMENTS[0]!]), TypeError, "instrument 2");
  const finer = INSTRUMENTS.map((each) => ({ ...each, priceDecimals: 3 }));
  assertThrows(() => restore(golden(), finer), TypeError, "instrument 1 with 2 and 4 decimals");
});

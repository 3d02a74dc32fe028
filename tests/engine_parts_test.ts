// The parts of the matching engine that only show in large books, against arrays and maps.

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { EventOutbox } from "../lib/exchange/engine/event_outbox.ts";
import { IdTable } from "../lib/exchange/engine/id_table.ts";
import { EngineEvent } from "../lib/exchange/mod.ts";
import { LevelPool } from "../lib/exchange/engine/level_pool.ts";
import { NONE } from "../lib/exchange/engine/order_pool.ts";
import { PriceLadder } from "../lib/exchange/engine/price_ladder.ts";
import { readSafe, writeSafe } from "../lib/exchange/engine/safe_integer.ts";
import { openConsumer, openProducer } from "../mod.ts";
import { readEvent } from "./_exchange.ts";
import { Random } from "./_random.ts";
import { Scratch } from "./_support.ts";

const SEED = 20_261_131;

/** Keys go up, down and at random, so that blocks of levels fill at each end and in the middle. */
function keyAt(step: number, random: Random): number {
  if (step < 1_000) return step;
  return step < 2_000 ? 1_000 - step : random.below(6_000) - 3_000;
}

Deno.test("PriceLadder keeps thousands of levels in order", () => {
  const random = new Random(SEED);
  const pool = new LevelPool();
  const ladder = new PriceLadder(pool, 3);
  const levels = new Map<number, number>();
  for (let step = 0; step < 12_000; step++) {
    const key = keyAt(step, random);
    // Grows for a while, then shrinks to nothing.
    const removes = step > 7_000 ? random.below(100) < 70 : random.below(100) < 20;
    const some = removes ? [...levels][random.below(levels.size)] : undefined;
    if (some !== undefined) {
      ladder.remove(some[1]);
      levels.delete(some[0]);
    } else {
      const level = ladder.obtain(key);
      if (level !== (levels.get(key) ?? level)) throw new Error(`key ${key}: another level`);
      levels.set(key, level);
    }
    if (ladder.find(key) !== (levels.get(key) ?? NONE)) throw new Error(`key ${key}`);
    if (step % 100 !== 0) continue;
    const best = levels.size === 0 ? -Infinity : Math.max(...levels.keys());
    assertEquals([ladder.bestKey, ladder.best], [best, levels.get(best) ?? NONE]);
    const inOrder = [...levels].sort(([a], [b]) => b - a).map(([, level]) => level);
    assertEquals(levelsOf(ladder, pool), inOrder);
    for (const [key, level] of levels) {
      if (pool.key(level) !== key || pool.side(level) !== 3) throw new Error(`level ${level}`);
    }
  }
});

/** From the best to the worst. */
function levelsOf(ladder: PriceLadder, pool: LevelPool): number[] {
  const found: number[] = [];
  for (let level = ladder.best; level !== NONE; level = ladder.behind(pool.key(level))) {
    found.push(level);
  }
  return found;
}

Deno.test("PriceLadder.behind() finds the next worse level of any key", () => {
  const pool = new LevelPool();
  const ladder = new PriceLadder(pool, 0);
  assertEquals(ladder.behind(5), NONE);
  for (let key = 0; key < 500; key += 2) ladder.obtain(key);
  for (let key = -1; key < 502; key++) {
    const worse = ladder.behind(key);
    const expected = key <= 0 ? NONE : Math.min(498, key % 2 === 0 ? key - 2 : key - 1);
    assertEquals(worse === NONE ? NONE : pool.key(worse), expected);
  }
});

Deno.test("IdTable finds what was set, whatever came and went", () => {
  const id = fc.oneof(fc.nat({ max: 40 }), fc.constantFrom(2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1));
  const step = fc.record({
    what: fc.constantFrom("set", "set", "delete"),
    group: fc.nat({ max: 2 }),
    id,
  });
  const property = fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
    const table = new IdTable();
    const map = new Map<string, number>();
    for (const [value, { what, group, id }] of steps.entries()) {
      const key = `${group} ${id}`;
      if (what === "set") table.set(group, id, value);
      else table.delete(group, id);
      if (what === "set") map.set(key, value);
      else map.delete(key);
      assertEquals(table.find(group, id), map.get(key) ?? -1);
    }
    for (const [key, value] of map) {
      const [group = 0, id = 0] = key.split(" ").map(Number);
      assertEquals(table.find(group, id), value);
    }
  });
  fc.assert(property, { seed: SEED, numRuns: 500 });
});

Deno.test("IdTable keeps a hundred thousand entries through churn", () => {
  const random = new Random(SEED);
  const table = new IdTable();
  const ids: number[] = [];
  for (let step = 0; step < 300_000; step++) {
    if (step % 3 === 2) {
      const at = random.below(ids.length);
      table.delete(1, ids[at]!);
      ids[at] = ids.at(-1)!;
      ids.pop();
    } else {
      ids.push(step);
      table.set(1, step, step % 1_000);
    }
  }
  const present = new Set(ids);
  let wrong = 0;
  for (let id = 0; id < 300_000; id++) {
    if (table.find(1, id) !== (present.has(id) ? id % 1_000 : -1)) wrong++;
  }
  assertEquals(wrong, 0);
});

Deno.test("writeSafe() writes what readSafe() and a 64-bit integer read", () => {
  const view = new DataView(new ArrayBuffer(8));
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      writeSafe(view, 0, Math.abs(value));
      assertEquals(readSafe(view, 0), Math.abs(value));
      assertEquals(view.getBigInt64(0, true), BigInt(Math.abs(value)));
      view.setBigInt64(0, BigInt(value), true);
      assertEquals(readSafe(view, 0), value < 0 ? -1 : value);
    }),
    { seed: SEED },
  );
  view.setBigInt64(0, 2n ** 53n, true);
  assertEquals(readSafe(view, 0), -1);
});

Deno.test("EventOutbox publishes from where its channel ends, in batches that fit", async () => {
  using scratch = new Scratch();
  const channel = scratch.create({ sizeBytes: "4KB" }, "engine.events");
  const consumer = openConsumer(channel, { name: "all", from: "earliest" });
  const producer = openProducer(channel);
  const source = new DataView(new ArrayBuffer(EngineEvent.sizeBytes));
  const add = (outbox: EventOutbox, count: number, from: number) => {
    for (let i = 0; i < count; i++) {
      writeSafe(source, 8, from + i); // Its number.
      outbox.add(source);
    }
  };
  const first = new EventOutbox(channel, producer);
  add(first, 3, 1);
  await first.flush();
  const second = new EventOutbox(channel, producer);
  add(second, 50, 1);
  assertEquals([second.published, second.count], [3, 47]);
  const numbers: number[] = [];
  const flushed = second.flush();
  while (numbers.length < 50) {
    consumer.poll(({ view, offset }) => void numbers.push(readEvent(view, offset).eventNumber));
    await new Promise((resolve) => setTimeout(resolve));
  }
  await flushed;
  assertEquals(numbers, Array.from({ length: 50 }, (_, i) => i + 1));
  assertEquals(second.count, 0);
});

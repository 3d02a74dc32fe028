// Many who wait until their messages are durable, in any order, and who is told when.

import { assert, assertEquals, assertRejects } from "@std/assert";
import * as fc from "fast-check";
import { openProducer } from "../mod.ts";
import { CommitQueue, type CommitWaiter } from "../lib/channel/commit_queue.ts";
import * as layout from "../lib/native/_layout.ts";
import { native } from "../lib/native/library.ts";
import { Logged, send } from "./_logged.ts";
import { Random } from "./_random.ts";
import { encode, range } from "./_support.ts";
import { isSomebodyAsleep, seedOf, until } from "./fault/_support.ts";

Deno.test("Producer.durable() tells many thousands who wait in any order", async () => {
  const COUNT = 2_000;
  const TIMES = 10;
  using logged = new Logged();
  const options = { sizeBytes: 1024 * 1024 };
  const outside = logged.create({ ...options, persister: "outside" });
  const producer = openProducer(outside);
  for (let i = 0; i < COUNT; i++) producer.write(encode("message"));
  const random = new Random(seedOf(20_249));
  const order = range(1, COUNT * TIMES).map((i) => 1 + i % COUNT);
  for (let i = order.length - 1; i > order.length / 2; i--) { // One half rises, one does not.
    const other = Math.floor(order.length / 2) + random.below(i - order.length / 2);
    [order[i], order[other]] = [order[other]!, order[i]!];
  }
  const told: number[] = [];
  const waits = order.map((n) => producer.durable(n).then((level) => (told.push(n), level)));
  await Promise.all(
    range(1, 100).map((n) =>
      assertRejects(() => producer.durable(7 * n, { timeoutMs: n % 5 }), Deno.errors.TimedOut)
    ),
  );
  assertEquals(told.length, 0);
  using _persister = logged.create(options);
  assertEquals(new Set(await Promise.all(waits)), new Set(["disk"]));
  assert(told.every((n, i) => i === 0 || told[i - 1]! <= n), "the order of the messages");
  assertEquals(told.length, order.length);
});

Deno.test("Producer.durable() is told while somebody sleeps for a later message", async () => {
  using logged = new Logged();
  const channel = logged.create();
  const producer = openProducer(channel);
  const later = producer.durable(1_000_000);
  for (let i = 1; i <= 20; i++) {
    await until("somebody sleeps", () => isSomebodyAsleep(channel, "commit"));
    assertEquals(await producer.durable(producer.write(encode(`${i}`))), "disk");
  }
  channel.close();
  await assertRejects(() => later, Error, "found it closed");
});

Deno.test("mt_producer_durable_wait() ends at the commit of what is wanted meanwhile", async () => {
  using logged = new Logged();
  const channel = logged.create({ producers: "many" });
  const { mt_producer_open, mt_producer_want_durable, mt_producer_durable_wait, mt_close } =
    native();
  const name = new Uint8Array(1);
  const detail = new Uint8Array(layout.DETAIL_SIZE);
  const handle = mt_producer_open(channel.handle, name, 0, detail);
  assertEquals(mt_producer_want_durable(handle, 1_000_000), layout.OK);
  const sleeping = mt_producer_durable_wait(handle, 120_000);
  await until("it sleeps", () => isSomebodyAsleep(channel, "commit"));
  assertEquals(mt_producer_want_durable(handle, 1), layout.OK);
  send(openProducer(channel), 1);
  assertEquals(await sleeping, layout.OK);
  assertEquals(mt_producer_want_durable(handle, -1), layout.INVALID_ARGUMENT);
  assertEquals(mt_close(handle), layout.OK);
  assertEquals(mt_producer_want_durable(handle, 1), layout.CLOSED);
});

Deno.test("CommitQueue has its waiters by sequence, then as they came", () => {
  const step = fc.record({
    does: fc.constantFrom("add", "add", "add", "take", "remove"),
    sequence: fc.integer({ min: 1, max: 20 }),
    place: fc.nat(),
  });
  const property = fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
    const queue = new CommitQueue();
    let model: CommitWaiter[] = [];
    const all: CommitWaiter[] = [];
    for (const { does, sequence, place } of steps) {
      if (does === "add") {
        const waiter = { sequence, resolve: () => {}, reject: () => {} };
        queue.add(waiter);
        all.push(waiter);
        model = [...model, waiter].toSorted((left, right) => left.sequence - right.sequence);
      } else if (does === "take") {
        const expected = (model[0]?.sequence ?? Infinity) <= sequence ? model.shift() : undefined;
        assert(queue.take(sequence) === expected);
      } else if (all.length > 0) {
        const waiter = all[place % all.length]!;
        assertEquals(queue.remove(waiter), model.includes(waiter));
        model = model.filter((other) => other !== waiter);
      }
      assertEquals([queue.size, queue.lowest], [model.length, model[0]?.sequence ?? Infinity]);
    }
  });
  fc.assert(property, { numRuns: 200, seed: seedOf(20_250) });
});

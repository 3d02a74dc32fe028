// A producer's end: its place, going on where the last one stopped, and waiting for room.

import { assert, assertEquals, assertGreaterOrEqual, assertThrows } from "@std/assert";
import {
  ChannelClosedError,
  DeadlockError,
  monotonicNs,
  openConsumer,
  openProducer,
  type WaitStrategy,
} from "../mod.ts";
import { CLAIM_LINE, patchU64, readU64 } from "./_format.ts";
import {
  type ConsumerTask,
  drain,
  encode,
  pattern,
  pollTexts,
  range,
  Scratch,
  testModes,
  TestWorker,
} from "./_support.ts";

const STRATEGIES: WaitStrategy[] = ["spin", "yield", "park", "adaptive"];

Deno.test("openProducer() refuses a second one and names the first", () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  const producer = openProducer(channel, { name: "feed" });
  for (const opening of [channel, scratch.open()]) {
    const error = assertThrows(() => openProducer(opening), Deno.errors.Busy, `("feed")`);
    assert(`${error}`.includes(`live process ${Deno.pid}`), `${error}`);
  }
  assertEquals(channel.stats().producers.map(({ name, state }) => [name, state]), [
    ["feed", "alive"],
  ]);
  producer.close();
  assertEquals(channel.stats().producers, []);
  openProducer(scratch.open()).offer(encode("a"));
});

Deno.test("openProducer() takes 64 in a channel of many and refuses one more", () => {
  using scratch = new Scratch();
  const channel = scratch.create({ producers: "many" });
  const consumer = openConsumer(channel);
  const producers = range(0, 63).map((i) => openProducer(channel, { name: `p${i}` }));
  assertThrows(() => openProducer(channel), Deno.errors.Busy, "found all its slots taken");
  assertThrows(() => openProducer(scratch.open()), Deno.errors.Busy, "found all its slots taken");
  for (const [i, producer] of producers.entries()) {
    assertEquals(producer.offer(encode(`${i}`)), i + 1);
  }
  assertEquals(pollTexts(consumer), range(0, 63).map(String));
  producers[17]!.close();
  assertEquals(openProducer(scratch.open(), { name: "new" }).offer(encode("x")), 65);
  assertEquals(channel.stats().producers[17]?.name, "new");
});

Deno.test("openProducer() throws for options that are none", () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  assertThrows(() => openProducer(channel, { name: "x".repeat(97) }), RangeError);
  assertThrows(() => openProducer(channel, { wait: "sleep" as "park" }), TypeError);
  openProducer(channel, { name: "x".repeat(96) });
});

testModes("Producer.offer() of many producers leaves no hole", ({ view }, scratch) => {
  const channel = scratch.create({ producers: "many", alignment: 8 });
  const consumer = openConsumer(channel, { view });
  const producers = range(0, 4).map(() => openProducer(channel, { view }));
  let next = 1;
  for (let i = 0; i < 2000; i++) {
    const producer = producers[i * 7 % 5]!;
    producer.write(pattern(i % 90, i));
    consumer.poll((message) => {
      assertEquals(message.payload, pattern(i % 90, i));
      assertEquals(message.sequence, next++);
    });
  }
  assertEquals(next, 2001);
});

testModes("openProducer() goes on with the next sequence", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const consumer = openConsumer(channel, { view });
  for (let i = 1; i <= 300; i++) {
    const opening = i % 2 === 0 ? channel : scratch.open();
    const producer = openProducer(opening);
    assertEquals(producer.offer(pattern(i % 300, i)), i);
    producer.close();
    if (opening !== channel) opening.close();
    assertEquals(drain(consumer), [i]);
  }
});

Deno.test("openProducer() walks to the true end from what the last one noted", () => {
  for (const alignment of [8, 64]) {
    for (let published = 1; published <= 80; published++) {
      using scratch = new Scratch();
      const channel = scratch.create({ alignment });
      const first = openProducer(channel);
      const places: bigint[] = [];
      for (let i = 1; i <= published; i++) {
        if (i % 9 === 0) first.tryClaim(i)!.abort();
        else first.offer(pattern(i * 5 % 120, i));
        places.push(readU64(scratch.path(), CLAIM_LINE.last));
      }
      first.close();
      // One that was killed behind its commit leaves these words as the message before had them.
      const behind = Math.max(0, published - 1 - published % 4);
      patchU64(scratch.path(), CLAIM_LINE.last, places[behind]!);
      patchU64(scratch.path(), CLAIM_LINE.sequence, BigInt(behind + 2));
      const second = openProducer(scratch.open());
      assertEquals(second.offer(encode("next")), published + 1);
      assertEquals(channel.stats().nextSequence, published + 2);
      const reader = openConsumer(channel, { onSlow: "drop", from: published });
      const sequences = drain(reader);
      assertEquals(sequences.at(-1), published + 1);
    }
  }
});

Deno.test("Producer.write() names who is in the way when its time is over", async () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  const task: ConsumerTask = { directory: scratch.directory, total: 0 };
  using worker = new TestWorker("_consumer_worker.ts", task);
  assertEquals(await worker.next(), "ready");
  for (const wait of STRATEGIES) {
    using producer = openProducer(channel, { wait });
    while (producer.offer(encode("x")) > 0);
    const attempts = [
      () => producer.write(encode("x"), { timeoutMs: 20 }),
      () => producer.writeBatch([encode("x"), encode("y")], { timeoutMs: 20 }),
    ];
    for (const attempt of attempts) {
      const before = monotonicNs();
      const error = assertThrows(attempt, Deno.errors.TimedOut, "within 20 ms");
      assertGreaterOrEqual(monotonicNs() - before, 20e6);
      const who = `consumer "worker" (process ${Deno.pid}) 64 messages behind`;
      assert(`${error}`.includes(who), `${error}`);
    }
    assertThrows(() => producer.write(encode("x"), { timeoutMs: 0 }), Deno.errors.TimedOut);
    for (const timeoutMs of [-1, NaN]) {
      assertThrows(() => producer.write(encode("x"), { timeoutMs }), RangeError);
    }
  }
  assertEquals(channel.stats().nextSequence, 65, "nothing was sent by those that failed");
});

testModes("Producer.write() tells that its own thread would have to make room", (mode, scratch) => {
  for (const wait of ["spin", "yield", "park", "adaptive"] as const) {
    const channel = scratch.create({ producers: mode.producers }, wait);
    openConsumer(channel, { name: "mine", view: mode.view });
    const producer = openProducer(channel, { wait });
    for (let i = 0; i < 60; i++) producer.offer(encode("x"));
    const long = new Uint8Array(producer.maxRecordBytes + 1);
    const batch = { bytes: new Uint8Array(5 * 8), messageBytes: 8 };
    for (const options of [{}, { timeoutMs: 60_000 }]) {
      assertThrows(() => producer.write(long, options), DeadlockError, `"mine"`);
      assertThrows(() => producer.writeBatch(batch, options), DeadlockError, `"mine"`);
    }
    assertEquals(producer.writeBatch({ ...batch, bytes: new Uint8Array(4 * 8) }), 64);
    assertThrows(() => producer.write(encode("x")), DeadlockError, `"mine"`);
  }
});

for (const wait of STRATEGIES) {
  Deno.test(`Producer.write() with ${wait} waits until another thread makes room`, async () => {
    using scratch = new Scratch();
    const channel = scratch.create();
    const total = 600;
    const task: ConsumerTask = { directory: scratch.directory, total, wait };
    using worker = new TestWorker("_consumer_worker.ts", task);
    assertEquals(await worker.next(), "ready");
    const producer = openProducer(channel, { wait });
    let sent = 0;
    while (sent < total) {
      const batch = range(1, 20).map((i) => pattern(i * 2, i));
      for (let i = 0; i < 10; i++) sent = producer.write(pattern(i * 20, i));
      sent = producer.writeBatch(batch);
    }
    assertEquals(await worker.next(), { received: total, sum: total * (total + 1) / 2 });
  });
}

Deno.test("Producer.close() ends its use and may be repeated", () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  const producer = openProducer(channel);
  assert(producer.isOpen);
  producer.close();
  producer.close();
  assert(!producer.isOpen);
  const attempts = [
    () => producer.offer(encode("a")),
    () => producer.offerBatch([encode("a")]),
    () => producer.write(encode("a")),
    () => producer.writeBatch([encode("a")]),
    () => producer.tryClaim(1),
  ];
  for (const attempt of attempts) assertThrows(attempt, ChannelClosedError, "a producer");
  assertEquals(producer.gating(), undefined);
});

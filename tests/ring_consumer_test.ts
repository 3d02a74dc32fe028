// Several consumers at once: who holds producers back, who is overrun, who only looks, and whose
// place is taken.

import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import {
  BACK_PRESSURED,
  type Channel,
  type Consumer,
  type Gap,
  openConsumer,
  openObserver,
  openProducer,
} from "../mod.ts";
import { drain, encode, pattern, pollTexts, range, Scratch, testModes } from "./_support.ts";

testModes("Consumer.poll() gives each consumer every message", (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers });
  const other = scratch.open();
  const consumers = [
    openConsumer(channel, { view: mode.view }),
    openConsumer(channel, { name: "named" }),
    openConsumer(other, { view: mode.view }),
    openConsumer(other, { onSlow: "drop" }),
  ];
  const producer = openProducer(channel);
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 20; i++) producer.offer(pattern(20 + i, i));
    for (const consumer of consumers) {
      let received = 0;
      while (
        consumer.poll((message) => {
          assertEquals(message.payload, pattern(20 + received, received));
          assertEquals(message.sequence, round * 20 + ++received);
        }, 7) > 0
      );
      assertEquals(received, 20);
    }
  }
});

testModes("Producer.gating() names the slowest consumer", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const producer = openProducer(channel);
  assertEquals(producer.gating(), undefined);
  const slow = openConsumer(channel, { name: "slow", view });
  const fast = openConsumer(channel, { name: "fast", view });
  openConsumer(channel, { name: "dropper", onSlow: "drop" });
  for (let i = 0; i < 10; i++) producer.offer(encode("x"));
  drain(fast);
  slow.poll(() => {}, 2);
  while (producer.offer(encode("x")) > 0);
  const gating = producer.gating()!;
  assertEquals(gating.name, "slow");
  assertEquals([gating.cursor, gating.lagMessages, gating.lagBytes], [2, 64, 4096]);
  assertEquals([gating.state, gating.onSlow, gating.pid], ["alive", "block", Deno.pid]);
  drain(slow);
  assertEquals(producer.gating()?.name, "fast");
  fast.close();
  slow.close();
  assertEquals(producer.gating(), undefined, "who only drops holds nobody back");
  while (channel.stats().nextSequence < 300) assertGreater(producer.offer(encode("x")), 0);
});

testModes("Consumer.close() makes room for producers", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const producer = openProducer(channel);
  const consumer = openConsumer(channel, { view });
  while (producer.offer(encode("x")) > 0);
  consumer.close();
  assertGreater(producer.offer(encode("y")), 0);
});

/** Checks that messages and gaps are every sequence, once, in order. Returns the gaps. */
function checkAccount(
  channel: Channel,
  open: (onGap: (gap: Gap) => void) => Consumer,
  send: (read: () => void) => void,
): Gap[] {
  const gaps: Gap[] = [];
  let next = 1;
  let lost = 0;
  const reader = open((gap) => {
    assertEquals(gap.from, next, "a gap begins behind the last message");
    assert(gap.to >= gap.from);
    gaps.push(gap);
    lost += gap.to - gap.from + 1;
    next = gap.to + 1;
  });
  const read = () => {
    while (
      reader.poll((message) => {
        assertEquals(message.sequence, next++);
        assertEquals(message.payload, pattern(message.length, message.sequence));
      }, 5) > 0
    );
  };
  send(read);
  read();
  assertEquals(reader.lostCount, lost);
  assertEquals(next, channel.stats().nextSequence, "it is told of a gap at its next poll");
  return gaps;
}

testModes("Consumer with onSlow drop is told of each gap and goes on", ({ producers }, scratch) => {
  for (const alignment of [8, 64]) {
    const channel = scratch.create({ producers, alignment }, `a${alignment}`);
    const producer = openProducer(channel);
    const open = (onGap: (gap: Gap) => void) => openConsumer(channel, { onSlow: "drop", onGap });
    const gaps = checkAccount(channel, open, (read) => {
      let sent = 0;
      for (let round = 0; round < 30; round++) {
        for (let i = 0; i < 10 + round * 5; i++) producer.offer(pattern(sent % 150, ++sent));
        read();
      }
    });
    assertGreater(gaps.length, 5);
    const { laps, lost, messages } = channel.stats().consumers[0]!;
    assertEquals(laps, gaps.length);
    assertEquals(lost, gaps.reduce((sum, { from, to }) => sum + to - from + 1, 0));
    assertEquals(messages + lost, channel.stats().nextSequence - 1);
  }
});

testModes("Consumer with onSlow drop loses nothing that fits", ({ producers }, scratch) => {
  const channel = scratch.create({ producers });
  const consumer = openConsumer(channel, { onSlow: "drop" });
  const producer = openProducer(channel);
  for (let i = 0; i < 64; i++) producer.offer(encode("x"));
  assertEquals(drain(consumer), range(1, 64), "exactly a ring behind is not overrun");
  for (let i = 0; i < 65; i++) producer.offer(encode("x"));
  const sequences = drain(consumer);
  assertEquals(sequences, range(sequences[0]!, 129));
  assertGreater(sequences.length, 31, "it goes on half a ring behind, to have room");
  assertEquals(consumer.lostCount, sequences[0]! - 65);
});

testModes("openObserver() sees all and holds nobody back", ({ producers }, scratch) => {
  const channel = scratch.create({ producers });
  const producer = openProducer(channel);
  const readOnly = scratch.open({ readOnly: true });
  const gaps = checkAccount(
    channel,
    (onGap) => openObserver(readOnly, { from: "earliest", onGap }),
    (read) => {
      for (let i = 1; i <= 50; i++) producer.offer(pattern(i, i));
      read();
      for (let i = 51; i <= 500; i++) assertEquals(producer.offer(pattern(i % 90, i)), i);
    },
  );
  assertEquals(gaps.length, 1);
  assertEquals(channel.stats().consumers, [], "nobody knows of it");
  assertThrows(() => openConsumer(readOnly), RangeError);
  assertThrows(() => openProducer(readOnly), RangeError);
});

testModes("openObserver() reads what a blocking consumer has not", ({ producers }, scratch) => {
  const channel = scratch.create({ producers });
  const producer = openProducer(channel);
  const consumer = openConsumer(channel);
  const observer = openObserver(channel);
  while (producer.offer(encode("x")) > 0);
  assertEquals(drain(observer), range(1, 64));
  assertEquals(observer.cursor, 64);
  assertEquals([consumer.cursor, producer.offer(encode("x"))], [0, BACK_PRESSURED]);
});

Deno.test("openConsumer() refuses more consumers than there are slots", () => {
  using scratch = new Scratch();
  const channel = scratch.create({ maxConsumers: 2 });
  const other = scratch.open();
  const first = openConsumer(channel);
  const second = openConsumer(other, { onSlow: "drop" });
  for (const opening of [channel, other]) {
    assertThrows(() => openConsumer(opening), Deno.errors.Busy, "found all its slots taken");
  }
  second.close();
  const third = openConsumer(channel, { name: "kept" });
  first.close();
  third.close();
  assertEquals(channel.stats().consumers.map(({ name, state }) => [name, state]), [
    ["kept", "detached"],
  ]);
  openConsumer(other);
  assertEquals(channel.stats().consumers.length, 2, "a free slot is taken before a kept one");
  openConsumer(other);
  assertEquals(channel.stats().consumers.map(({ name }) => name), ["", ""]);
  openObserver(channel).close();
});

Deno.test("openConsumer() refuses a name that is taken, and says by whom", () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  const consumer = openConsumer(channel, { name: "book" });
  for (const opening of [channel, scratch.open()]) {
    const error = assertThrows(
      () => openConsumer(opening, { name: "book" }),
      Deno.errors.Busy,
      "book",
    );
    assert(`${error}`.includes(`process ${Deno.pid}`), `${error}`);
  }
  consumer.close();
  openConsumer(scratch.open(), { name: "book" }).close();
});

Deno.test("openConsumer() throws for options that are none", () => {
  using scratch = new Scratch();
  const channel = scratch.create({ maxConsumers: 1 });
  const wrong = [
    [{ name: "x".repeat(97) }, RangeError],
    [{ name: "é".repeat(49) }, RangeError],
    [{ from: 0 }, RangeError],
    [{ from: -1 }, RangeError],
    [{ from: 1.5 }, RangeError],
    [{ from: NaN }, RangeError],
    [{ from: 2 ** 53 }, RangeError],
    [{ from: "newest" as "latest" }, RangeError],
    [{ from: "toString" as "latest" }, RangeError],
    [{ onSlow: "spill" as "drop" }, TypeError],
    [{ onSlow: "drop", view: true }, TypeError],
    [{ wait: "sleep" as "park" }, TypeError],
  ] as const;
  for (const [options, kind] of wrong) {
    assertThrows(() => openConsumer(channel, options), kind, "Cannot", JSON.stringify(options));
  }
  // None of them has left its slot taken; a name counts bytes.
  assertEquals(openConsumer(channel, { name: "é".repeat(48) }).name, "é".repeat(48));
});

Deno.test("openConsumer() with view needs unscoped --allow-ffi and leaves nothing taken", () => {
  if (Deno.permissions.querySync({ name: "ffi" }).state === "granted") return;
  using scratch = new Scratch();
  const channel = scratch.create({ maxConsumers: 1 });
  assertThrows(() => openConsumer(channel, { view: true }), Deno.errors.NotCapable);
  assertThrows(() => openProducer(channel, { view: true }), Deno.errors.NotCapable);
  const consumer = openConsumer(channel);
  openProducer(channel).offer(encode("a"));
  assertEquals(pollTexts(consumer), ["a"]);
});

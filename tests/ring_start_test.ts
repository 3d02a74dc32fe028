// Where a consumer begins: at its own checkpoint, a sequence, the oldest message or the next one.

import { assert, assertEquals, assertGreaterOrEqual, assertThrows } from "@std/assert";
import { openConsumer, openObserver, openProducer, SequenceGapError } from "../mod.ts";
import { BLOCKS, LIMITS_PER_RING } from "../lib/native/_layout.ts";
import { drain, encode, pattern, pollSequences, range, testModes } from "./_support.ts";

testModes("openConsumer() from latest begins with the next message", (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers });
  const producer = openProducer(channel);
  for (let count = 0; count < 150; count++) { // From an empty ring to one that is lapped.
    const consumer = openConsumer(channel, { view: mode.view });
    const observer = openObserver(channel);
    assertEquals([consumer.cursor, observer.cursor], [count, count]);
    assertEquals(drain(consumer), []);
    producer.offer(pattern(count, 1));
    assertEquals(drain(consumer), [count + 1]);
    assertEquals(drain(observer), [count + 1]);
    consumer.close();
    observer.close();
  }
});

testModes("openConsumer() from earliest begins with the oldest in the ring", (mode, scratch) => {
  const alignment = 8;
  const channel = scratch.create({ producers: mode.producers, alignment });
  const producer = openProducer(channel);
  const starts = [0]; // Of each message, in bytes.
  for (let count = 1; count <= 200; count++) {
    producer.offer(pattern(count * 7 % 100, count));
    starts.push(channel.stats().claimed);
    const oldest = starts.findIndex((start) => starts[count]! - start <= channel.sizeBytes) + 1;
    for (const isObserver of [false, true]) {
      const from = "earliest";
      const reader = isObserver
        ? openObserver(channel, { from })
        : openConsumer(channel, { view: mode.view, from });
      const sequences = drain(reader);
      reader.close();
      assertEquals(sequences, range(sequences[0]!, count), "nothing is missing behind the first");
      assertGreaterOrEqual(sequences[0]!, oldest);
      // A noted message is never further away than a sixty-fourth of the ring and a record; a
      // consumer that blocks leaves out what producers may overwrite unasked.
      const passedBytes = starts[sequences[0]! - 1]! - starts[oldest - 1]!;
      const unasked = isObserver ? 0 : channel.sizeBytes / LIMITS_PER_RING + 120;
      assertGreaterOrEqual(channel.sizeBytes / BLOCKS + 120 + unasked, passedBytes);
      if (starts[count]! + unasked <= channel.sizeBytes) assertEquals(sequences[0], 1);
    }
  }
});

function assertWithin(actual: number, low: number, high: number): void {
  assert(low <= actual && actual <= high, `expected ${low} to ${high}, found ${actual}`);
}

/** Messages of 64 bytes that a ring of 4 KiB surely still has for a consumer that blocks. */
const KEPT = 64 - 64 / LIMITS_PER_RING;

testModes("openConsumer() from a sequence begins there or names the gap", (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers });
  const producer = openProducer(channel);
  for (let i = 1; i <= 70; i++) producer.offer(encode("x")); // 7 to 70 are in the ring.
  const gap = assertThrows(() => openConsumer(channel, { from: 1 }), SequenceGapError);
  const oldest = [7, gap.actual];
  assertWithin(gap.actual, 7, 70 - KEPT + 1);
  for (let sequence = 1; sequence <= 71; sequence++) {
    const openings = [
      () => openObserver(channel, { from: sequence }),
      () => openConsumer(channel, { view: mode.view, from: sequence }),
    ];
    for (const [i, open] of openings.entries()) {
      if (sequence < oldest[i]!) {
        const error = assertThrows(open, SequenceGapError, `from sequence ${sequence}`);
        assertEquals([error.expected, error.actual], [sequence, oldest[i]]);
        continue;
      }
      const reader = open();
      assertEquals(reader.cursor, sequence - 1);
      assertEquals(drain(reader), range(sequence, 70));
      reader.close();
    }
  }
  for (const sequence of [72, 1e6, Number.MAX_SAFE_INTEGER]) { // Nobody has sent that yet.
    const open = () => openConsumer(channel, { from: sequence });
    assertEquals(assertThrows(open, SequenceGapError).expected, sequence);
  }
  assertEquals(channel.stats().consumers, [], "refused ones have left no slot taken");
});

testModes("openConsumer() from a sequence finds it in batches and fragments", (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers, alignment: 8 });
  const producer = openProducer(channel);
  const batch = range(1, 20).map((i) => pattern(i, i));
  assertEquals(producer.offerBatch(batch), 20);
  const long = producer.offer(pattern(1200, 1)); // Three records: 21 to 23.
  producer.tryClaim(3)!.abort();
  assertEquals(producer.offerBatch(batch), 44);
  assertEquals(long, 23);
  const delivered = [...range(1, 20), 23, ...range(25, 44)];
  for (let sequence = 1; sequence <= 44; sequence++) {
    const observer = openObserver(channel, { from: sequence });
    assertEquals(drain(observer), delivered.filter((each) => each >= sequence), `${sequence}`);
    observer.close();
  }
});

testModes("Consumer with a name goes on where it acknowledged", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const producer = openProducer(channel);
  for (let i = 1; i <= 10; i++) producer.offer(encode("x"));
  const first = openConsumer(channel, { view, name: "book" });
  assertEquals(pollSequences(first, 4), [1, 2, 3, 4], "a new name begins with the oldest");
  first.close();
  assertEquals(channel.stats().consumers[0]?.state, "detached");
  const second = openConsumer(scratch.open(), { view, name: "book", ack: "manual" });
  assertEquals(second.cursor, 4);
  assertEquals(pollSequences(second), range(5, 10));
  second.ack(7);
  second.close();
  const third = openConsumer(channel, { view, name: "book" });
  assertEquals(drain(third), [8, 9, 10]);
  third.close();
  const fourth = openConsumer(channel, { view, name: "book" });
  assertEquals([fourth.cursor, ...drain(fourth)], [10]);
  producer.offer(encode("x"));
  assertEquals(drain(fourth), [11]);
  const { messages } = channel.stats().consumers[0]!;
  assertEquals(messages, 11, "it counts over all its openings");
});

testModes("Consumer with a name may begin elsewhere", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const producer = openProducer(channel);
  for (let i = 1; i <= 10; i++) producer.offer(encode("x"));
  const starts = [["latest", 11], ["earliest", 1], [5, 5], ["checkpoint", 5]] as const;
  for (const [from, first] of starts) {
    const consumer = openConsumer(channel, { view, name: "book", from });
    assertEquals(consumer.cursor, first - 1);
    consumer.close();
  }
});

testModes("Consumer with a name learns that the ring has gone past it", (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers });
  const producer = openProducer(channel);
  const open = () => openConsumer(channel, { view: mode.view, name: "book" });
  const first = open();
  for (let i = 1; i <= 10; i++) producer.offer(encode("x"));
  drain(first);
  first.close();
  for (let i = 11; i <= 10 + KEPT; i++) producer.offer(encode("x"));
  open().close(); // Nothing is lost yet.
  for (let i = 11 + KEPT; i <= 100; i++) producer.offer(encode("x"));
  const oldest = assertThrows(open, SequenceGapError, "from sequence 11").actual;
  assertWithin(oldest, 37, 100 - KEPT + 1);
  const again = assertThrows(open, SequenceGapError, `found ${oldest}`);
  assertEquals(again.expected, 11, "a refusal changes nothing");
  const late = openConsumer(channel, { view: mode.view, name: "book", from: oldest });
  assertEquals(drain(late), range(oldest, 100));
  late.close();
  assertEquals(open().cursor, 100);
});

testModes("Consumer that joins holds producers back from its first message", (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers });
  const producer = openProducer(channel);
  for (let i = 1; i <= 100; i++) producer.offer(encode("x"));
  for (const from of ["earliest", 60] as const) {
    const consumer = openConsumer(channel, { view: mode.view, from });
    const before = channel.stats().nextSequence;
    while (producer.offer(encode("x")) > 0);
    const last = channel.stats().nextSequence - 1;
    assert(last >= before - 1);
    const sequences = drain(consumer);
    assertEquals(sequences, range(last - 63, last), "the ring is full of what it has not read");
    if (from === 60) assertEquals(sequences[0], 60);
    else assertWithin(sequences[0]!, 37, 100 - KEPT + 1);
    consumer.close();
  }
});

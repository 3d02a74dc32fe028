// Acknowledgement: what is delivered again, what makes room, and what a handler may do meanwhile.

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  BACK_PRESSURED,
  ChannelClosedError,
  type Consumer,
  type Gap,
  openConsumer,
  openProducer,
} from "../mod.ts";
import {
  drain,
  encode,
  pattern,
  pollSequences,
  pollTexts,
  range,
  Scratch,
  testModes,
} from "./_support.ts";

const MISHAP = new Error("mishap");

/** Polls with a handler that throws at the message of that sequence. Returns what it was given. */
function pollUntilMishap(consumer: Consumer, sequence: number): number[] {
  const seen: number[] = [];
  assertThrows(
    () =>
      consumer.poll((message) => {
        seen.push(message.sequence);
        if (message.sequence === sequence) throw MISHAP;
      }),
    Error,
    MISHAP.message,
  );
  return seen;
}

testModes("Consumer.poll() delivers again what a handler threw at", (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers });
  const consumer = openConsumer(channel, { view: mode.view });
  const producer = openProducer(channel);
  for (let i = 1; i <= 5; i++) producer.offer(pattern(i * 40, i));
  assertEquals(pollUntilMishap(consumer, 3), [1, 2, 3]);
  assertEquals(consumer.cursor, 2);
  assertEquals(pollUntilMishap(consumer, 3), [3]);
  assertEquals(pollUntilMishap(consumer, 4), [3, 4]);
  assertEquals(consumer.cursor, 3);
  assertEquals(drain(consumer), [4, 5]);
  assertEquals(channel.stats().occupancy, 0);
});

testModes("Consumer.poll() delivers a split message again as a whole", (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers });
  const consumer = openConsumer(channel, { view: mode.view });
  const producer = openProducer(channel);
  producer.offer(encode("a"));
  const long = pattern(producer.maxMessageBytes, 3);
  const sequence = producer.offer(long);
  producer.offer(encode("b"));
  assertEquals(pollUntilMishap(consumer, sequence), [1, sequence]);
  assertEquals(consumer.cursor, 1);
  const payloads: Uint8Array[] = [];
  consumer.poll((message) => void payloads.push(message.payload.slice()));
  assertEquals(payloads, [long, encode("b")]);
});

testModes("Consumer.poll() passes over aborted claims when it begins again", (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers });
  const consumer = openConsumer(channel, { view: mode.view });
  const producer = openProducer(channel);
  producer.tryClaim(9)!.abort();
  producer.offer(encode("a"));
  producer.tryClaim(200)!.abort();
  producer.offer(encode("b"));
  assertEquals(pollUntilMishap(consumer, 4), [2, 4]);
  assertEquals(consumer.cursor, 2);
  assertEquals(pollTexts(consumer), ["b"]);
  assertEquals(consumer.cursor, 4);
});

testModes("Consumer.ack() alone makes room where ack is manual", (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers });
  const consumer = openConsumer(channel, { view: mode.view, ack: "manual" });
  const producer = openProducer(channel);
  while (producer.offer(encode("x")) > 0);
  assertEquals(drain(consumer), range(1, 64));
  assertEquals([consumer.cursor, producer.offer(encode("y"))], [0, BACK_PRESSURED]);
  consumer.ack(2);
  assertEquals(consumer.cursor, 2);
  assertEquals([producer.offer(encode("y")), producer.offer(encode("y"))], [65, 66]);
  assertEquals(producer.offer(encode("y")), BACK_PRESSURED);
  consumer.ack(1); // Done before: nothing happens.
  assertEquals(consumer.cursor, 2);
  consumer.ack();
  assertEquals(consumer.cursor, 64);
  assertEquals(drain(consumer), [65, 66]);
  assertEquals(consumer.cursor, 64);
  consumer.ack(66);
  assertEquals(channel.stats().occupancy, 0);
});

testModes("Consumer.ack() refuses what was not delivered", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const consumer = openConsumer(channel, { view, ack: "manual" });
  const producer = openProducer(channel);
  for (let i = 1; i <= 5; i++) producer.offer(encode("x"));
  consumer.ack(); // Nothing was delivered yet: nothing is acknowledged.
  assertEquals(consumer.cursor, 0);
  for (const sequence of [1, 2 ** 53, Infinity, NaN, 1.5]) {
    assertThrows(() => consumer.ack(sequence), RangeError, `sequence ${sequence}`);
  }
  pollSequences(consumer, 3);
  assertThrows(() => consumer.ack(4), RangeError, "at most 3");
  consumer.poll(({ sequence }) => {
    // The batch has two; the second is not delivered yet.
    if (sequence === 4) assertThrows(() => consumer.ack(5), RangeError, "at most 4");
  });
  consumer.ack(5);
  assertEquals(consumer.cursor, 5);
});

testModes("Consumer.ack() in a handler means what was delivered so far", (mode, scratch) => {
  for (const ack of ["manual", "auto"] as const) {
    const channel = scratch.create({ producers: mode.producers }, ack);
    const consumer = openConsumer(channel, { view: mode.view, ack });
    const producer = openProducer(channel);
    for (let i = 1; i <= 5; i++) producer.offer(encode("x"));
    assertThrows(
      () =>
        consumer.poll(({ sequence }) => {
          if (sequence !== 2) return;
          consumer.ack();
          assertEquals(consumer.cursor, 2);
          throw MISHAP;
        }),
      Error,
      MISHAP.message,
    );
    assertEquals(pollSequences(consumer), [3, 4, 5], "2 was acknowledged, the others were not");
    consumer.ack();
    assertEquals(consumer.cursor, 5);
  }
});

testModes("Consumer.ack() before break keeps the rest of the batch", async (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers });
  const consumer = openConsumer(channel, { view: mode.view });
  const producer = openProducer(channel);
  for (let i = 1; i <= 6; i++) producer.offer(encode("x"));
  for await (const message of consumer) {
    if (message.sequence < 2) continue;
    consumer.ack();
    break;
  }
  assertEquals(consumer.cursor, 2);
  for await (const message of consumer) {
    if (message.sequence === 4) break; // Unacknowledged: it comes again.
  }
  assertEquals(consumer.cursor, 3);
  await assertRejects(
    async () => {
      for await (const message of consumer) {
        if (message.sequence === 5) throw MISHAP;
      }
    },
    Error,
    MISHAP.message,
  );
  assertEquals(consumer.cursor, 4);
  assertEquals(drain(consumer), [5, 6]);
});

testModes("Consumer.poll() refuses to be called by its handler", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const consumer = openConsumer(channel, { view });
  const producer = openProducer(channel);
  producer.offer(encode("a"));
  producer.offer(encode("b"));
  const waits: Promise<unknown>[] = [];
  const texts: string[] = [];
  consumer.poll((message) => {
    const attempts = [() => consumer.poll(() => {}), () => consumer.pollWait(() => {})];
    for (const attempt of attempts) assertThrows(attempt, TypeError, "inside a handler");
    waits.push(assertRejects(() => consumer.wait(), TypeError, "inside a handler"));
    texts.push(message.text);
  });
  assertEquals(texts, ["a", "b"], "and is unharmed");
  return Promise.all(waits).then(() => {});
});

testModes("Producer.offer() may be called by a handler", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const consumer = openConsumer(channel, { view });
  const producer = openProducer(channel, { view });
  producer.offer(encode("1"));
  const seen: string[] = [];
  for (let i = 0; i < 100; i++) {
    consumer.poll((message) => {
      seen.push(message.text);
      producer.offer(encode(`${Number(message.text) + 1}`));
    });
  }
  assertEquals(seen, range(1, 100).map(String));
});

testModes(
  "Consumer.close() by a handler keeps what was handled",
  ({ producers, view }, scratch) => {
    const channel = scratch.create({ producers });
    const producer = openProducer(channel);
    for (let i = 1; i <= 5; i++) producer.offer(encode("x"));
    const consumer = openConsumer(channel, { view, name: "worker" });
    const seen: number[] = [];
    const count = consumer.poll(({ sequence }) => {
      seen.push(sequence);
      if (sequence === 3) consumer.close();
    });
    assertEquals([seen, count], [[1, 2, 3], 3]);
    assertThrows(() => consumer.poll(() => {}), ChannelClosedError);
    assertEquals(pollSequences(openConsumer(channel, { view, name: "worker" })), [3, 4, 5]);
  },
);

Deno.test("Consumer.poll() of a drop consumer tells of what was lost while it handled", () => {
  using scratch = new Scratch();
  const channel = scratch.create({ alignment: 8 });
  const gaps: Gap[] = [];
  const onGap = (gap: Gap) => void gaps.push(gap);
  const consumer = openConsumer(channel, { onSlow: "drop", onGap });
  const producer = openProducer(channel);
  for (let i = 1; i <= 5; i++) producer.offer(pattern(i, i));
  assertThrows(
    () =>
      consumer.poll(({ sequence }) => {
        if (sequence !== 3) return;
        // Every record of the batch is overwritten, by ones of other sizes.
        for (let i = 6; i <= 200; i++) producer.offer(pattern(i * 13 % 300, i));
        throw MISHAP;
      }),
    Error,
    MISHAP.message,
  );
  assertEquals(consumer.cursor, 2);
  const sequences = drain(consumer);
  assertEquals(gaps, [{ from: 3, to: sequences[0]! - 1 }]);
  assertEquals(sequences, range(sequences[0]!, 200));
  assertEquals(consumer.lostCount, sequences[0]! - 3);
});

Deno.test("Consumer.ack() of a drop consumer works after its messages were overwritten", () => {
  using scratch = new Scratch();
  const channel = scratch.create({ alignment: 8 });
  const consumer = openConsumer(channel, { onSlow: "drop", ack: "manual" });
  const producer = openProducer(channel);
  for (let i = 1; i <= 5; i++) producer.offer(pattern(i, i));
  assertEquals(drain(consumer), range(1, 5));
  for (let i = 6; i <= 200; i++) producer.offer(pattern(i * 13 % 300, i));
  for (const sequence of [2, 4, 5]) {
    consumer.ack(sequence);
    assertEquals(consumer.cursor, sequence);
  }
  const sequences = drain(consumer);
  assertEquals(sequences, range(sequences[0]!, 200));
  assertEquals(consumer.lostCount, sequences[0]! - 6);
});

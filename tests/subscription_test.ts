// One subscription over log and ring: it starts at any sequence, crosses to the ring, falls back to
// the log when it is overtaken, and has neither gap nor duplicate while segments come and go.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Consumer,
  openConsumer,
  openObserver,
  openProducer,
  type Producer,
  SequenceGapError,
  WAL_FULL,
} from "../mod.ts";
import { Logged, SEGMENT_BYTES, send } from "./_logged.ts";
import { drain, IS_UNSCOPED, pattern, range, Scratch } from "./_support.ts";

/** Polls until something of that sequence or a later one came. */
function drainTo(consumer: Consumer, last: number): number[] {
  const sequences: number[] = [];
  while ((sequences.at(-1) ?? 0) < last) {
    consumer.pollWait((message) => void sequences.push(message.sequence), { timeoutMs: 30_000 });
  }
  return sequences;
}

Deno.test("Consumer from inside a message that spans two segments gets all of it", () => {
  using logged = new Logged();
  const channel = logged.create({ sizeBytes: 256 * 1024 });
  const producer = openProducer(channel);
  // 100 KB are two records: the first segment's rest is too small for the second.
  const ends = Array.from({ length: 12 }, (_, i) => producer.write(pattern(100_000, i)));
  producer.waitDurable(ends.at(-1)!);
  assert(channel.stats().log!.segments > 3);
  channel.close();
  const again = logged.remakeRing();
  for (let from = 1; from <= ends.at(-1)!; from++) {
    const consumer = openConsumer(again, { from });
    const first = ends.findIndex((end) => end >= from);
    assertEquals(drain(consumer), ends.slice(first), `from ${from}`);
    consumer.close();
  }
});

Deno.test("Consumer whose place was cut says so every time, and names both ends", () => {
  using logged = new Logged();
  const retention = { maxBytes: 2 * SEGMENT_BYTES, whenFull: "cut" } as const;
  const channel = logged.create({ retention });
  const producer = openProducer(channel);
  const consumer = openConsumer(channel, { from: 1, onSlow: "spill" });
  const reading = openObserver(channel, { from: 1 });
  send(producer, 2000);
  assertEquals(reading.poll(() => {}, 1), 1);
  send(producer, 10_000);
  const { oldest, forcedCuts } = channel.stats().log!;
  assert(oldest > 1 && forcedCuts > 0);
  for (let tries = 0; tries < 3; tries++) {
    const error = assertThrows(() => drain(consumer), SequenceGapError);
    assertEquals([error.expected, error.actual], [1, oldest]);
  }
  assertEquals(drain(openConsumer(channel, { from: "earliest" })), range(oldest, 12_000));
});

Deno.test("Consumer that is overtaken reads on in the log, and comes back to the ring", () => {
  using logged = new Logged();
  const channel = logged.create();
  const producer = openProducer(channel);
  const consumer = openConsumer(channel, { name: "slow", onSlow: "spill" });
  let next = 1;
  for (let lap = 0; lap < 5; lap++) {
    const last = send(producer, 2000);
    // The first poll finds out that it was overtaken, and keeps to its limit all the same.
    assertEquals(consumer.poll(({ sequence }) => assertEquals(sequence, next++), 1), 1);
    for (const sequence of drainTo(consumer, last)) assertEquals(sequence, next++);
    assertEquals(consumer.poll(() => {}), 0);
    assertEquals(consumer.cursor, last);
    const near = send(producer, 10); // In the ring again.
    for (const sequence of drainTo(consumer, near)) assertEquals(sequence, next++);
  }
  const slow = channel.stats().consumers.find(({ name }) => name === "slow");
  assertEquals(slow!.laps, 5);
});

/** Sends messages of all sizes, also some of several records. Returns them by their sequence. */
function sendMixed(producer: Producer, count: number): Map<number, Uint8Array> {
  const sent = new Map<number, Uint8Array>();
  for (let i = 0; i < count; i++) {
    const length = i % 40 === 7 ? 66_000 + 500 * (i % 100) : i * 37 % 2000;
    const message = pattern(length, i);
    sent.set(producer.write(message), message);
  }
  producer.waitDurable([...sent.keys()].at(-1)!);
  return sent;
}

for (const limit of [1, 3, 256]) {
  Deno.test(`Messages of any size come whole out of log and ring, at most ${limit} a poll`, () => {
    using logged = new Logged();
    const channel = logged.create({ sizeBytes: 256 * 1024, producers: "many" });
    const [one, other] = [openProducer(channel), openProducer(channel)];
    const sent = [...sendMixed(one, 300), ...sendMixed(other, 300)];
    const consumer = openConsumer(channel, { from: "earliest" });
    const observer = openObserver(channel, { from: "earliest" });
    for (const reader of [consumer, observer]) {
      let at = 0;
      const check = (message: { sequence: number; payload: Uint8Array }) => {
        const [sequence, payload] = sent[at++]!;
        assertEquals(message.sequence, sequence);
        assertEquals(message.payload, payload);
      };
      while (at < sent.length) assert(reader.pollWait(check, { limit }) <= limit);
    }
    assert(channel.stats().log!.segments > 5);
  });
}

Deno.test("Handler that throws is given its message again, out of the log and the ring", () => {
  using logged = new Logged();
  const channel = logged.create();
  const last = send(openProducer(channel), 3000);
  const consumer = openConsumer(channel, { name: "thrower", from: 1 });
  const seen: number[] = [];
  let hasThrown = false;
  while ((seen.at(-1) ?? 0) < last) {
    try {
      consumer.poll(({ sequence }) => {
        hasThrown = !hasThrown && sequence % 100 === 0;
        if (hasThrown) throw new Error("not now");
        seen.push(sequence);
      });
    } catch (error) {
      assertEquals((error as Error).message, "not now");
      assertEquals(consumer.cursor, seen.at(-1));
    }
  }
  assertEquals(seen, range(1, last));
});

Deno.test("Loop asleep in the ring goes on, after it came out of the log", async () => {
  using logged = new Logged();
  const channel = logged.create();
  const producer = openProducer(channel);
  send(producer, 3000);
  const consumer = openConsumer(channel, { name: "loop", from: 1, onSlow: "spill" });
  const seen: number[] = [];
  for await (const { sequence } of consumer) {
    seen.push(sequence);
    if (sequence === 3000) setTimeout(() => send(producer, 10), 20);
    if (sequence === 3010) setTimeout(() => send(producer, 3000), 20); // Overtakes it.
    if (sequence === 6010) {
      consumer.ack();
      break;
    }
  }
  assertEquals(seen, range(1, 6010));
  assertEquals(consumer.cursor, 6010);
  await assertRejects(async () => {
    consumer.close();
    await consumer.wait();
    consumer.poll(() => {});
  });
});

Deno.test(
  "View is refused where the ring no longer has the place",
  { ignore: !IS_UNSCOPED },
  () => {
    using logged = new Logged();
    const channel = logged.create();
    send(openProducer(channel), 3000);
    const error = assertThrows(
      () => openConsumer(channel, { from: 1, view: true }),
      SequenceGapError,
    );
    assertEquals(error.expected, 1);
    assert(error.actual > 1 && error.actual <= 3000);
  },
);

Deno.test("Log is cut below what named consumers keep, and not before one does", async () => {
  using logged = new Logged();
  const channel = logged.create();
  const producer = openProducer(channel);
  const [fast, slow] = ["fast", "slow"].map((name) => openConsumer(channel, { name }));
  const both = (last: number) => {
    for (const consumer of [fast!, slow!]) while (consumer.cursor < last) drain(consumer);
  };
  for (let i = 0; i < 200; i++) both(send(producer, 100));
  assertEquals(channel.stats().log!.oldest, 1);
  assert(channel.stats().log!.segments > 10);
  fast!.keep(19_000);
  slow!.keep(9_000);
  for (let next = 20_001; channel.stats().log!.oldest === 1; next++) both(send(producer, 1));
  const { oldest, segments } = channel.stats().log!;
  assert(oldest > 5000 && oldest <= 9000, `${oldest}`);
  const files = [...Deno.readDirSync(channel.logDirectory!)].filter(({ name }) =>
    /wal$/.test(name)
  );
  assertEquals(files.length, segments);
  assertEquals(drain(openConsumer(channel, { from: 9000 }))[0], 9000);
  await Promise.resolve();
});

Deno.test("Log at its cap refuses producers until its consumers have moved on", () => {
  using logged = new Logged();
  const channel = logged.create({ retention: { maxBytes: 2 * SEGMENT_BYTES, whenFull: "block" } });
  const producer = openProducer(channel);
  const consumer = openConsumer(channel, { name: "only", onSlow: "spill" });
  let last = 0;
  for (let sequence = 0; (sequence = producer.offer(pattern(1000, 1))) !== WAL_FULL;) {
    if (sequence > 0) last = sequence;
  }
  assert(channel.stats().log!.state === "full");
  const error = assertThrows(
    () => producer.write(pattern(1000, 1), { timeoutMs: 50 }),
    Deno.errors.TimedOut,
  );
  assert(error.message.includes(`found no room for its log "${channel.logDirectory}"`));
  drainTo(consumer, last);
  consumer.keep(last);
  assertEquals(producer.write(pattern(1000, 1)), last + 1);
  producer.waitDurable(last + 1);
  assertEquals(channel.stats().log!.forcedCuts, 0);
});

Deno.test("Consumer waits for a claim that is open where it goes on", async () => {
  using logged = new Logged();
  const channel = logged.create({ producers: "many" });
  const [one, other] = [openProducer(channel), openProducer(channel)];
  openConsumer(channel, { name: "again" }).close();
  send(one, 3000);
  const consumer = openConsumer(channel, { name: "again" }); // In the log.
  const claim = other.tryClaim(8)!;
  assertEquals(drain(consumer), range(1, 3000));
  assertEquals(await consumer.wait({ timeoutMs: 1 }), false);
  consumer.close();
  const heir = openConsumer(channel, { name: "again" }); // At the claim.
  assertEquals([heir.cursor, heir.poll(() => {})], [3000, 0]);
  setTimeout(() => claim.publish(), 5);
  for await (const { sequence } of heir) {
    assertEquals(sequence, 3001);
    break;
  }
});

Deno.test("openConsumer() refuses the library's own names", () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  for (const name of ["mt.persister", "mt."]) {
    assertThrows(() => openConsumer(channel, { name }), RangeError, `found "${name}"`);
  }
  openConsumer(channel, { name: "mt-engine" }).close();
});

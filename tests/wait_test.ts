// Asynchronous waiting. These tests run twice: here, where a wait sleeps on a thread of Deno's
// pool, and by unscoped_ffi_test.ts, where the notifier thread wakes it.

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertRejects,
} from "@std/assert";
import {
  BACK_PRESSURED,
  ChannelClosedError,
  type Consumer,
  monotonicNs,
  openConsumer,
  openObserver,
  openProducer,
  type WaitStrategy,
} from "../mod.ts";
import {
  type ConsumerTask,
  encode,
  IS_UNSCOPED,
  pattern,
  range,
  Scratch,
  testModes,
  TestWorker,
} from "./_support.ts";

const STRATEGIES: WaitStrategy[] = ["spin", "yield", "park", "adaptive"];

if (IS_UNSCOPED) { // The notifier's callback stays: made within a test, it would count as a leak.
  using scratch = new Scratch();
  await openConsumer(scratch.create(), { wait: "park" }).wait({ timeoutMs: 1 });
}

/** Lets waits that have begun come to their sleep. Where they have not, the test is weaker. */
function aWhile(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

/** Loops over a consumer until it has that many messages. Returns their sequences. */
async function take(consumer: Consumer, count: number): Promise<number[]> {
  const sequences: number[] = [];
  for await (const message of consumer) {
    sequences.push(message.sequence);
    if (sequences.length < count) continue;
    consumer.ack();
    break;
  }
  return sequences;
}

for (const wait of STRATEGIES) {
  testModes(`Consumer with ${wait} loops over what comes later`, async (mode, scratch) => {
    const channel = scratch.create({ producers: mode.producers });
    const consumer = openConsumer(channel, { wait, view: mode.view });
    const producer = openProducer(scratch.open());
    const loop = (async () => {
      let received = 0;
      for await (const message of consumer) {
        assertEquals(message.payload, pattern(received % 100, received));
        assertEquals(message.sequence, ++received);
        if (received === 300) break;
      }
    })();
    for (let sent = 0; sent < 300;) {
      if (sent % 50 === 10) await aWhile(); // It sleeps now.
      while (sent < 300 && producer.offer(pattern(sent % 100, sent)) > 0) {
        if (++sent % 50 === 10) break;
      }
      await producer.ready();
    }
    await loop;
  });

  Deno.test(`Consumer.close() ends a loop with ${wait}`, async () => {
    for (const isChannelClosed of [false, true]) {
      using scratch = new Scratch();
      const channel = scratch.create();
      const consumer = openConsumer(channel, { wait });
      openProducer(channel).offer(encode("a"));
      const loop = (async () => {
        let count = 0;
        for await (const _ of consumer) count++;
        return count;
      })();
      await aWhile();
      if (isChannelClosed) channel.close();
      else consumer.close();
      assertEquals(await loop, 1);
      assertEquals(await consumer.wait(), false);
    }
  });

  Deno.test(`Consumer.wait() with ${wait} ends in time`, async () => {
    using scratch = new Scratch();
    const consumer = openConsumer(scratch.create(), { wait });
    for (const timeoutMs of [0, 1, 30]) {
      const before = monotonicNs();
      assertEquals(await consumer.wait({ timeoutMs }), false);
      assertGreaterOrEqual(monotonicNs() - before, timeoutMs * 1e6);
    }
    for (const timeoutMs of [-1, NaN]) {
      await assertRejects(() => consumer.wait({ timeoutMs }), RangeError);
    }
  });

  Deno.test(`Consumer.wait() with ${wait} sees what was there before`, async () => {
    using scratch = new Scratch();
    const channel = scratch.create();
    const consumer = openConsumer(channel, { wait });
    openProducer(channel).offer(encode("a"));
    assertEquals(await consumer.wait({ timeoutMs: 0 }), true);
    assertEquals(await take(consumer, 1), [1]);
    assertEquals(await consumer.wait({ timeoutMs: 0 }), false);
  });

  Deno.test(`Consumer.pollWait() with ${wait} is woken by another thread`, async () => {
    using scratch = new Scratch();
    const channel = scratch.create();
    const task: ConsumerTask = { directory: scratch.directory, total: 20, wait };
    using worker = new TestWorker("_consumer_worker.ts", task);
    assertEquals(await worker.next(), "ready");
    const producer = openProducer(channel);
    for (let i = 0; i < 20; i++) {
      if (i % 5 === 0) await aWhile(); // It sleeps now, if its strategy does.
      producer.write(encode("x"));
    }
    assertEquals(await worker.next(), { received: 20, sum: 210 });
    assertEquals(channel.stats().consumers[0]?.lateWakeups, 0);
  });
}

Deno.test("Consumer.wait() refuses a second wait at a time", async () => {
  using scratch = new Scratch();
  const consumer = openConsumer(scratch.create(), { wait: "park" });
  const first = consumer.wait();
  await assertRejects(() => consumer.wait(), TypeError, "found a wait under way");
  await assertRejects(() => take(consumer, 1), TypeError, "found a wait under way");
  consumer.close();
  assertEquals(await first, false);
});

Deno.test("Consumer.wait() leaves what it found for the next poll", async () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  const consumer = openConsumer(channel, { wait: "park" });
  const waiting = consumer.wait();
  await aWhile();
  openProducer(channel).offerBatch([encode("a"), encode("b")]);
  assertEquals(await waiting, true);
  assertEquals(consumer.cursor, 0);
  assertEquals(await take(consumer, 2), [1, 2]);
});

Deno.test("Producer.offer() wakes all consumers of a channel that sleep", async () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  const consumers = [
    openConsumer(channel, { wait: "park" }),
    openConsumer(channel, { wait: "park", onSlow: "drop" }),
    openConsumer(scratch.open(), { wait: "park" }),
    openObserver(channel, {}),
    openObserver(scratch.open({ readOnly: true })),
  ];
  const producer = openProducer(channel);
  for (let i = 1; i <= 5; i++) {
    const loops = consumers.map((consumer) => take(consumer, 1));
    await aWhile();
    producer.offer(encode("x"));
    assertEquals(await Promise.all(loops), consumers.map(() => [i]));
  }
  assertEquals(channel.stats().consumers.map(({ lateWakeups }) => lateWakeups), [0, 0, 0]);
});

Deno.test("Consumer.wait() works for more channels than the notifier has places", async () => {
  using scratch = new Scratch();
  const channels = range(1, 140).map((i) => scratch.create({ maxConsumers: 1 }, `c${i}`));
  const consumers = channels.map((channel) => openConsumer(channel, { wait: "park" }));
  const producers = channels.map((channel) => openProducer(channel));
  const loops = consumers.map((consumer) => take(consumer, 2));
  await aWhile();
  for (const producer of producers) producer.offer(encode("x"));
  await aWhile();
  for (const producer of producers.toReversed()) producer.offer(encode("y"));
  assertEquals(await Promise.all(loops), consumers.map(() => [1, 2]));
  const idle = consumers.map((consumer) => consumer.wait());
  await aWhile();
  for (const channel of channels) channel.close();
  assertEquals(await Promise.all(idle), consumers.map(() => false));
});

Deno.test("Producer.ready() waits for room and for no more", async () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  const consumer = openConsumer(channel);
  const producer = openProducer(channel);
  assertEquals(await producer.ready(), true);
  while (producer.offer(encode("x")) > 0);
  assertEquals(await producer.ready({ timeoutMs: 0 }), false);
  const before = monotonicNs();
  assertEquals(await producer.ready({ timeoutMs: 30 }), false);
  assertGreaterOrEqual(monotonicNs() - before, 30e6);

  const waiting = producer.ready();
  await aWhile();
  consumer.poll(() => {}, 1);
  assertEquals(await waiting, true);
  assertEquals(producer.offer(new Uint8Array(45)), BACK_PRESSURED);
  assertEquals(await producer.ready({ timeoutMs: 0 }), false, "that takes two lines");

  const longest = new Uint8Array(producer.maxMessageBytes);
  assertEquals(producer.offer(longest), BACK_PRESSURED);
  let isReady = false;
  const waitingForMore = producer.ready().then((answer) => isReady = answer);
  for (let room = 2; room <= 31; room++) {
    consumer.poll(() => {}, 1);
    if (room % 10 === 0) await aWhile();
    assert(!isReady, `${room} lines are too little`);
  }
  consumer.poll(() => {}, 1);
  assertEquals(await waitingForMore, true);
  assertGreater(producer.offer(longest), 0);
  assertEquals(producer.offer(longest), BACK_PRESSURED);

  const closing = producer.ready();
  await aWhile();
  producer.close();
  assertEquals(await closing, false);
  for (const timeoutMs of [-1, NaN]) {
    await assertRejects(() => producer.ready({ timeoutMs }), RangeError);
  }
});

Deno.test("Consumer.pollWait() ends in time and throws once closed", () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  for (const wait of STRATEGIES) {
    const consumer = openConsumer(channel, { wait });
    for (const timeoutMs of [0, 1, 30]) {
      const before = monotonicNs();
      assertEquals(consumer.pollWait(() => {}, { timeoutMs }), 0);
      assertGreaterOrEqual(monotonicNs() - before, timeoutMs * 1e6);
    }
    consumer.close();
    let error: unknown;
    try {
      consumer.pollWait(() => {}, { timeoutMs: 0 });
    } catch (caught) {
      error = caught;
    }
    assert(error instanceof ChannelClosedError, `${error}`);
  }
});

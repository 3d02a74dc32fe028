// Agrona's list for a ring, after its OneToOneRingBufferTest: what a message meets on its way from
// a producer to a consumer. Claims, consumers' policies and producers' ends have files of their
// own.

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { BACK_PRESSURED, MESSAGE_FLAGS, monotonicNs, openConsumer, openProducer } from "../mod.ts";
import { drain, encode, pattern, pollSequences, pollTexts, range, testModes } from "./_support.ts";

/** Fixed, so that a failure comes again; fast-check prints it with the shrunk example. */
const SEED = 20240808;

testModes("Consumer.poll() returns 0 when nothing is there", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const consumer = openConsumer(channel, { view });
  for (let i = 0; i < 600; i++) { // Every 256th empty poll looks at the producers' words.
    assertEquals(consumer.poll(() => assert(false, "nothing was sent")), 0);
  }
});

testModes("Producer.offer() fills the ring and not a byte more", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const consumer = openConsumer(channel, { view });
  const producer = openProducer(channel);
  // 44 bytes and the 20 of head and checksum are one line of 64: 64 of them are the ring.
  const payload = pattern(44, 1);
  assertEquals(range(1, 64).map(() => producer.offer(payload)), range(1, 64));
  assertEquals(producer.offer(payload), BACK_PRESSURED);
  assertEquals(producer.offer(new Uint8Array(0)), BACK_PRESSURED);
  assertEquals(channel.stats().occupancy, 4096);
  assertEquals(channel.stats().producers[0]?.backPressured, 2);

  assertEquals(pollSequences(consumer, 1), [1]);
  assertEquals(producer.offer(pattern(45, 1)), BACK_PRESSURED, "two lines do not fit into one");
  assertEquals(producer.offer(payload), 65);
  assertEquals(producer.offer(payload), BACK_PRESSURED);
  assertEquals(drain(consumer), range(2, 65));
});

testModes("Consumer.poll() reads records that wrap around", ({ producers, view }, scratch) => {
  // 85 bytes are 112 in a ring of 8-byte steps, which do not divide 4096: ends meet in mid-record.
  const channel = scratch.create({ producers, alignment: 8 });
  const consumer = openConsumer(channel, { view });
  const producer = openProducer(channel);
  for (let sequence = 1; sequence <= 300; sequence++) {
    assertEquals(producer.offer(pattern(85, sequence)), sequence);
    let count = 0;
    consumer.poll((message) => {
      assertEquals(message.payload, pattern(85, sequence));
      count += message.sequence;
    });
    assertEquals(count, sequence);
  }
});

testModes("Consumer.poll() keeps order through many laps", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers, alignment: 8 });
  const consumer = openConsumer(channel, { view });
  const producer = openProducer(channel);
  let sent = 0;
  let received = 0;
  for (let round = 0; round < 200; round++) {
    while (producer.offer(pattern(sent * 37 % 200, sent)) > 0) sent++;
    const limit = 1 + round % 11;
    const count = consumer.poll((message) => {
      assertEquals(message.payload, pattern(received * 37 % 200, received));
      assertEquals(message.sequence, ++received);
    }, limit);
    assertEquals(count, limit);
  }
  assertGreater(sent, 1000);
});

testModes("Producer.offer() ends exactly at the ring's end", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const consumer = openConsumer(channel, { view });
  const producer = openProducer(channel);
  const half = { bytes: pattern(32 * 44, 3), messageBytes: 44 };
  for (let lap = 0; lap < 3; lap++) {
    assertEquals(producer.offerBatch(half), lap * 64 + 32);
    assertEquals(producer.offerBatch(half), lap * 64 + 64);
    assertEquals(producer.offer(new Uint8Array(0)), BACK_PRESSURED);
    assertEquals(drain(consumer), range(lap * 64 + 1, lap * 64 + 64));
  }
  assertEquals(channel.stats().claimed, 3 * 4096);
});

testModes("Producer.offer() sends a message of 0 bytes", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const consumer = openConsumer(channel, { view });
  const producer = openProducer(channel);
  assertEquals(producer.offer(new Uint8Array(0)), 1);
  assertEquals(producer.offer(encode("a")), 2);
  assertEquals(producer.offer(new Uint8Array(0)), 3);
  const lengths: number[] = [];
  consumer.poll((message) => void lengths.push(message.length, message.payload.length));
  assertEquals(lengths, [0, 0, 1, 1, 0, 0]);
});

testModes(
  "Producer.offer() sends the longest message and refuses one byte more",
  (mode, scratch) => {
    for (const timestamps of [false, true]) {
      const channel = scratch.create({ producers: mode.producers, timestamps }, `t${timestamps}`);
      const consumer = openConsumer(channel, { view: mode.view });
      const producer = openProducer(channel);
      const { maxRecordBytes, maxMessageBytes } = producer;
      const lengths = [maxRecordBytes, maxRecordBytes + 1, maxMessageBytes];
      for (const length of lengths) {
        const before = channel.stats().nextSequence;
        assertGreater(producer.offer(pattern(length, length)), 0);
        assertThrows(
          () => producer.offer(new Uint8Array(maxMessageBytes + 1)),
          RangeError,
          `Cannot send ${maxMessageBytes + 1} bytes`,
        );
        const records = Math.ceil(length / maxRecordBytes);
        assertEquals(channel.stats().nextSequence, before + records, "the refused one has none");
        let isDelivered = false;
        consumer.poll((message) => {
          assertEquals(message.payload, pattern(length, length));
          assertEquals(message.sequence, before + records - 1);
          isDelivered = true;
        });
        assert(isDelivered, `${length} bytes`);
      }
    }
  },
);

testModes("Producer.offer() brings every size through", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers, sizeBytes: 8192 });
  const consumer = openConsumer(channel, { view });
  const producer = openProducer(channel);
  const size = fc.integer({ min: 0, max: producer.maxMessageBytes });
  const limit = fc.integer({ min: 1, max: 3 });
  fc.assert(
    fc.property(size, limit, (length, limit) => {
      const sequence = producer.offer(pattern(length, length));
      let payload: Uint8Array | undefined;
      let at = 0;
      const count = consumer.poll((message) => {
        payload = message.payload.slice();
        at = message.sequence;
      }, limit);
      assertEquals(count, 1, "one poll delivers the message, in however many records it came");
      assertEquals(at, sequence);
      assertEquals(payload, pattern(length, length));
    }),
    { seed: SEED, numRuns: 300 },
  );
});

testModes("Consumer.poll() honours its limit", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const consumer = openConsumer(channel, { view });
  const producer = openProducer(channel);
  for (const text of ["a", "b", "c", "d"]) producer.offer(encode(text));
  assertEquals(pollTexts(consumer, 0), []);
  assertEquals(pollTexts(consumer, 1), ["a"]);
  assertEquals(consumer.cursor, 1, "what is beyond the limit is not acknowledged");
  assertEquals(pollTexts(consumer, 2), ["b", "c"]);
  assertEquals(pollTexts(consumer, 100), ["d"]);
  for (const limit of [-1, 1.5, NaN, 2 ** 32]) {
    assertThrows(() => consumer.poll(() => {}, limit), TypeError);
  }
});

testModes("Consumer.poll() delivers more than its buffer holds in one go", (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers, sizeBytes: "1MB" });
  const consumer = openConsumer(channel, { view: mode.view });
  const producer = openProducer(channel);
  const count = 14; // Of 64 KiB each: more than the 256 KiB of the buffer.
  for (let i = 0; i < count; i++) producer.write(pattern(producer.maxRecordBytes, i));
  let received = 0;
  while (
    consumer.poll((message) => {
      assertEquals(message.payload, pattern(producer.maxRecordBytes, received++));
    }) > 0
  );
  assertEquals(received, count);
});

testModes(
  "Message.flags has the application's bits and no other",
  ({ producers, view }, scratch) => {
    const channel = scratch.create({ producers, timestamps: true });
    const consumer = openConsumer(channel, { view });
    const producer = openProducer(channel);
    const { critical, user } = MESSAGE_FLAGS;
    producer.offer(encode("none"));
    producer.offer(encode("critical"), critical);
    producer.offer(encode("all"), 0xff);
    producer.write(encode("written"), { flags: 0x80 });
    producer.tryClaim(1)?.publish(0x40);
    producer.offer(new Uint8Array(producer.maxMessageBytes / 2), user);
    const flags: number[] = [];
    consumer.poll((message) => void flags.push(message.flags));
    assertEquals(flags, [0, critical, critical | user, 0x80, 0x40, user]);
  },
);

testModes("Message.latencyNs is measured with timestamps alone", ({ producers, view }, scratch) => {
  for (const timestamps of [true, false]) {
    const channel = scratch.create({ producers, timestamps }, `t${timestamps}`);
    const consumer = openConsumer(channel, { view });
    const producer = openProducer(channel);
    const before = monotonicNs();
    for (const length of [0, 8, 100]) producer.offer(pattern(length, 1));
    const latencies: number[] = [];
    consumer.poll((message) => {
      latencies.push(message.latencyNs);
      assertEquals(message.payload, pattern(message.length, 1), "the stamp is no part of it");
    });
    const elapsedNs = monotonicNs() - before;
    const index = channel.stats().consumers[0]!.index;
    const { count, values } = channel.latency(index, [0, 0.5, 1]);
    if (!timestamps) {
      assertEquals(latencies, [0, 0, 0]);
      assertEquals([count, ...values], [0, 0, 0, 0]);
      continue;
    }
    assertEquals(latencies.length, 3);
    for (const latency of latencies) {
      assertGreater(latency, 0);
      assertGreaterOrEqual(elapsedNs * 1.01, latency); // Two clocks: 1 % for their rates.
    }
    assertEquals(count, 3);
    assertEquals(values.toSorted((a, b) => a - b), values);
    assertGreaterOrEqual(values[2]! * 1.04, Math.max(...latencies), "3 % wide");
  }
});

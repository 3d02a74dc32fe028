// Claims and batches: what consumers see of a message that is not published yet, and of several
// that become visible together.

import { assertEquals, assertGreater, assertThrows } from "@std/assert";
import { BACK_PRESSURED, ChannelClosedError, openConsumer, openProducer } from "../mod.ts";
import {
  drain,
  encode,
  pattern,
  pollSequences,
  pollTexts,
  range,
  Scratch,
  testModes,
  TestWorker,
} from "./_support.ts";

testModes("Producer.tryClaim() hides a message until publish()", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const consumer = openConsumer(channel, { view });
  const observer = openConsumer(channel, { from: "earliest", onSlow: "drop" });
  const producer = openProducer(channel, { view });
  producer.offer(encode("first"));
  const claim = producer.tryClaim(5)!;
  assertEquals(claim.length, 5);
  claim.bytes.set(encode("sec"));
  assertEquals(pollTexts(consumer), ["first"]);
  assertEquals(pollTexts(consumer), []);
  claim.bytes.set(encode("second").subarray(0, 5));
  assertEquals(pollTexts(consumer), [], "written is not published");
  assertEquals(claim.publish(), 2);
  assertEquals(pollTexts(consumer), ["secon"]);
  assertEquals(pollTexts(observer), ["first", "secon"]);
});

testModes("Claim.view reaches the message's bytes", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers, timestamps: true });
  const consumer = openConsumer(channel, { view });
  const producer = openProducer(channel, { view });
  for (let i = 1; i < 400; i++) { // Through the end of the ring, too.
    const claim = producer.tryClaim(16)!;
    claim.view.setFloat64(claim.offset, i / 4, true);
    claim.view.setUint32(claim.offset + 12, i, true);
    claim.publish();
    consumer.poll(({ view, offset, length }) => {
      assertEquals(length, 16);
      assertEquals(view.getFloat64(offset, true), i / 4);
      assertEquals(view.getUint32(offset + 12, true), i);
    });
    assertEquals(consumer.cursor, i);
  }
});

testModes("Claim.abort() uses a sequence up, which nobody is given", (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers });
  const consumer = openConsumer(channel, { view: mode.view, name: "c" });
  const producer = openProducer(channel, { view: mode.view });
  producer.tryClaim(0)!.abort();
  producer.offer(encode("a"));
  producer.tryClaim(producer.maxRecordBytes)!.abort();
  producer.tryClaim(100)!.abort();
  producer.offer(encode("b"));
  producer.tryClaim(7)!.abort();
  assertEquals(pollSequences(consumer), [2, 5]);
  assertEquals(consumer.cursor, 6, "aborted ones need no acknowledgement of their own");
  assertEquals(channel.stats().occupancy, 0);
  assertEquals(channel.stats().producers[0]?.aborted, 4);
  assertEquals(channel.stats().consumers[0]?.aborted, 4);
  producer.tryClaim(1)!.abort();
  assertEquals(pollSequences(consumer), []);
  assertEquals(channel.stats().occupancy, 0, "an empty poll frees them as well");
});

testModes("Producer.tryClaim() takes 0 to maxRecordBytes", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const consumer = openConsumer(channel, { view });
  const producer = openProducer(channel, { view });
  for (const length of [0, 1, producer.maxRecordBytes]) {
    const claim = producer.tryClaim(length)!;
    claim.bytes.set(pattern(length, 9));
    claim.publish();
    consumer.poll((message) => assertEquals(message.payload, pattern(length, 9)));
  }
  assertEquals(consumer.cursor, 3);
  assertThrows(
    () => producer.tryClaim(producer.maxRecordBytes + 1),
    RangeError,
    "expected at most",
  );
  for (const length of [-1, 0.5, NaN]) assertThrows(() => producer.tryClaim(length), TypeError);
  assertEquals(producer.offer(encode("next")), 4, "refused claims took nothing");
});

testModes("Producer.tryClaim() allows one claim at a time", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const consumer = openConsumer(channel, { view });
  const producer = openProducer(channel, { view });
  const claim = producer.tryClaim(1)!;
  const attempts = [
    () => producer.tryClaim(1),
    () => producer.offer(encode("a")),
    () => producer.offer(new Uint8Array(producer.maxMessageBytes)),
    () => producer.offerBatch([encode("a")]),
    () => producer.write(encode("a")),
  ];
  for (const attempt of attempts) assertThrows(attempt, TypeError, "found a claim open");
  claim.bytes.set(encode("c"));
  assertEquals(claim.publish(), 1);
  assertThrows(() => claim.publish(), TypeError, "found none open");
  assertThrows(() => claim.abort(), TypeError, "found none open");
  assertEquals(pollTexts(consumer), ["c"]);
});

testModes("Producer.tryClaim() returns undefined when the ring is full", (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers });
  const consumer = openConsumer(channel, { view: mode.view });
  const producer = openProducer(channel, { view: mode.view });
  while (producer.offer(encode("x")) > 0);
  assertEquals(producer.tryClaim(0), undefined);
  assertThrows(() => producer.publishClaim(0), TypeError, "found none open");
  consumer.poll(() => {}, 1);
  assertEquals(producer.tryClaim(0)?.publish(), 65);
});

testModes("Producer.close() aborts an open claim", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const consumer = openConsumer(channel, { view });
  const producer = openProducer(channel, { view });
  const claim = producer.tryClaim(8)!;
  producer.close();
  assertThrows(() => claim.publish(), ChannelClosedError);
  assertThrows(() => claim.abort(), ChannelClosedError);
  const next = openProducer(channel, { view });
  assertEquals(next.offer(encode("after")), 2);
  assertEquals(pollTexts(consumer), ["after"]);
});

Deno.test("Claim.publish() lets consumers pass in the order of claims", () => {
  using scratch = new Scratch();
  const channel = scratch.create({ producers: "many" });
  const consumer = openConsumer(channel);
  const [first, second] = [openProducer(channel), openProducer(channel)];
  const claim = first.tryClaim(5)!;
  assertEquals(second.offer(encode("later")), 2);
  assertEquals(pollTexts(consumer), [], "the earlier one is still open");
  claim.bytes.set(encode("early"));
  assertEquals(claim.publish(), 1);
  assertEquals(pollTexts(consumer), ["early", "later"]);
});

Deno.test("Producer.offer() does not overrun another producer's open claim", () => {
  using scratch = new Scratch();
  // Nobody gates here: only the claim itself holds the others back.
  const channel = scratch.create({ producers: "many" });
  const reader = openConsumer(channel, { onSlow: "drop" });
  const [slow, fast] = [openProducer(channel), openProducer(channel)];
  const claim = slow.tryClaim(40)!;
  assertEquals(range(2, 64).map(() => fast.offer(encode("fast"))), range(2, 64));
  assertEquals(fast.offer(encode("fast")), BACK_PRESSURED);
  claim.bytes.set(pattern(40, 5));
  assertEquals(claim.publish(), 1);
  assertEquals(fast.offer(encode("fast")), 65);
  assertEquals(reader.lostCount, 0);
  const sequences = drain(reader);
  assertEquals(sequences, range(65 - sequences.length + 1, 65));
  assertEquals(reader.lostCount + sequences.length, 65);
  for (let i = 0; i < 200; i++) assertGreater(fast.offer(encode("on")), 0);
});

testModes("Producer.offerBatch() sends all messages or none", ({ producers, view }, scratch) => {
  const channel = scratch.create({ producers });
  const consumer = openConsumer(channel, { view });
  const producer = openProducer(channel, { view });
  assertEquals(producer.offerBatch([encode("a"), encode(""), encode("ccc")]), 3);
  assertEquals(producer.offerBatch({ bytes: encode("112233"), messageBytes: 2 }), 6);
  assertEquals(pollTexts(consumer), ["a", "", "ccc", "11", "22", "33"]);

  while (producer.offerBatch({ bytes: new Uint8Array(8 * 7), messageBytes: 8 }) > 0);
  const { occupancy, nextSequence } = channel.stats();
  assertEquals(occupancy, 63 * 64, "room for one more message, and not for seven");
  assertEquals(producer.offerBatch([encode("x"), encode("y")]), BACK_PRESSURED);
  assertEquals(channel.stats().nextSequence, nextSequence);
  assertEquals(producer.offerBatch([encode("x")]), nextSequence);
  assertEquals(drain(consumer).length, 64);
});

testModes("Producer.offerBatch() refuses what half the ring does not hold", (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers });
  const consumer = openConsumer(channel, { view: mode.view });
  const producer = openProducer(channel, { view: mode.view });
  const half = { bytes: new Uint8Array(32 * 44), messageBytes: 44 };
  assertEquals(producer.offerBatch(half), 32);
  const tooMany = { bytes: new Uint8Array(33 * 44), messageBytes: 44 };
  const tooLong = [encode("a"), new Uint8Array(producer.maxRecordBytes + 1)];
  const attempts = [
    () => producer.offerBatch(tooMany),
    () => producer.offerBatch(tooLong),
    () => producer.offerBatch([]),
    () => producer.offerBatch({ bytes: new Uint8Array(0), messageBytes: 8 }),
    () => producer.offerBatch({ bytes: new Uint8Array(9), messageBytes: 8 }),
    () => producer.offerBatch({ bytes: new Uint8Array(9), messageBytes: 0 }),
    () => producer.writeBatch(tooMany),
  ];
  for (const attempt of attempts) assertThrows(attempt, RangeError);
  assertEquals(channel.stats().nextSequence, 33, "nothing of them was sent");
  assertEquals(drain(consumer), range(1, 32));
  assertEquals(producer.offerBatch([new Uint8Array(producer.maxRecordBytes)]), 33);
});

testModes("Producer.offerBatch() is visible in one step", async ({ producers, view }, scratch) => {
  // Another thread polls as fast as it can and never sees a part of a batch.
  const [batches, size] = [3000, 7];
  const channel = scratch.create({ producers, alignment: 8 });
  const producer = openProducer(channel, { view });
  const { directory } = scratch;
  using worker = new TestWorker("_batch_worker.ts", { directory, total: batches * size, size });
  assertEquals(await worker.next(), "ready");
  const batch = range(1, size).map((i) => pattern(i * 3, i));
  for (let i = 0; i < batches; i++) producer.writeBatch(batch);
  assertEquals(await worker.next(), { received: batches * size, partial: 0 });
});

import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { RingSink } from "../lib/market/collector/ring_sink.ts";
import { ChannelClosedError, type Message, openConsumer, openProducer, WAL_FULL } from "../mod.ts";
import { Logged, SEGMENT_BYTES } from "./_logged.ts";
import { range, testModes } from "./_support.ts";

const RECORD_BYTES = 64;

/** Publishes numbers, each as the record of its own. */
function push(sink: RingSink, numbers: readonly number[]): void {
  for (const number of numbers) {
    assert(sink.claim(RECORD_BYTES));
    sink.view.setUint32(sink.offset, number, true);
    sink.publish();
  }
}

const numberOf = (view: DataView, offset: number) => view.getUint32(offset, true);

testModes(
  "RingSink keeps the order while it is behind, and loses nothing",
  async (mode, scratch) => {
    const channel = scratch.create({ producers: mode.producers });
    const consumer = openConsumer(channel, { view: mode.view });
    const sink = new RingSink(openProducer(channel, { view: mode.view }), () => true);
    const found: number[] = [];
    const handler = ({ view, offset }: Message) => void found.push(numberOf(view, offset));
    push(sink, range(1, 500)); // Many times what the ring holds, and what is kept at first.
    assert(sink.isBehind);
    consumer.poll(handler, 10);
    push(sink, range(501, 510)); // There is room in the ring now, and yet they have to wait.
    const caughtUp = sink.catchUp();
    push(sink, range(511, 2_000)); // Also what comes while it catches up.
    assertEquals(sink.catchUp(), caughtUp, "one at a time");
    let isDone = false;
    caughtUp.then(() => isDone = true);
    while (!isDone) {
      consumer.poll(handler);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    assert(!sink.isBehind);
    push(sink, [2_001]);
    while (consumer.poll(handler) > 0);
    assertEquals(found, range(1, 2_001));
    assertEquals([sink.sequence, sink.bytes], [2_001, 2_001 * RECORD_BYTES]);
  },
);

testModes(
  "RingSink gives back what is refused, in the ring and beside it",
  async (mode, scratch) => {
    const channel = scratch.create({ producers: mode.producers });
    const consumer = openConsumer(channel, { view: mode.view });
    const isEven = (view: DataView, offset: number) => numberOf(view, offset) % 2 === 0;
    const sink = new RingSink(openProducer(channel, { view: mode.view }), isEven);
    push(sink, range(1, 300));
    assert(sink.isBehind);
    const found: number[] = [];
    const handler = ({ view, offset }: Message) => void found.push(numberOf(view, offset));
    let isDone = false;
    sink.catchUp().then(() => isDone = true);
    while (!isDone || consumer.poll(handler) > 0) {
      consumer.poll(handler);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    assertEquals(found, range(1, 150).map((half) => 2 * half));
    assertGreater(sink.sequence, 150, "what was refused in the ring has used up a sequence");
  },
);

testModes("RingSink.catchUp() rejects when the producer is closed", async (mode, scratch) => {
  const channel = scratch.create({ producers: mode.producers });
  openConsumer(channel);
  const producer = openProducer(channel, { view: mode.view });
  const sink = new RingSink(producer, () => true);
  push(sink, range(1, 100));
  const caughtUp = sink.catchUp();
  producer.close();
  await assertRejects(() => caughtUp, ChannelClosedError);
});

Deno.test("RingSink.catchUp() goes on when a full log has room again", async () => {
  using logged = new Logged();
  const retention = { maxBytes: 2 * SEGMENT_BYTES, whenFull: "block" } as const;
  const channel = logged.create({ retention, snapshotIntervalMs: 1e6 });
  const producer = openProducer(channel);
  const slow = openConsumer(channel, { name: "slow", onSlow: "spill" });
  slow.keep(1);
  let last = 0;
  for (let sequence = 0; sequence !== WAL_FULL; last = Math.max(last, sequence)) {
    sequence = producer.offer(new Uint8Array(1000));
  }
  const sink = new RingSink(producer, () => true);
  push(sink, range(1, 10));
  assert(sink.isBehind);
  const caughtUp = sink.catchUp();
  while (slow.delivered < last) {
    await slow.wait();
    slow.poll(() => {});
  }
  assert(sink.isBehind, "the log is still kept");
  slow.keep(last);
  await caughtUp;
  assertEquals(sink.sequence, last + 10);
});

// A process that is stopped (SIGSTOP) is slow, not dead: its place is kept, nothing is repaired,
// and when it goes on nothing is lost. Time never kills.

import { assertEquals } from "@std/assert";
import { BACK_PRESSURED, createChannel, openConsumer, openProducer } from "../../mod.ts";
import { encode } from "./_content.ts";
import { Child, IS_LONG, pause, TestDirectory, until } from "./_support.ts";

const STOP_MS = IS_LONG ? 20_000 : 1_000; // Many times what a look at a peer's lock takes.

Deno.test("Consumer that is stopped holds producers back and misses nothing", async () => {
  using directory = new TestDirectory();
  using channel = createChannel("stop", { directory: directory.path, sizeBytes: 4096 });
  const producer = openProducer(channel);
  const config = { channel: "stop", name: "slow", handle: "print", from: "earliest" };
  await using consumer = new Child("consumer", config, { directory: directory.path });
  await consumer.expect("open");
  producer.write(encode(1, 0, 40));
  await consumer.expect("handled 1 1");
  consumer.kill("SIGSTOP");
  let [sent, refused] = [1, 0];
  const end = performance.now() + STOP_MS;
  while (refused === 0 || performance.now() < end) {
    if (producer.offer(encode(1, sent, 40)) !== BACK_PRESSURED) {
      sent++;
      continue;
    }
    refused++;
    await pause();
  }
  assertEquals(producer.gating()?.name, "slow");
  assertEquals(channel.stats().consumers.map(({ state }) => state), ["alive"]);
  assertEquals(channel.stats().producers.map(({ repaired }) => repaired), [0]);
  consumer.kill("SIGCONT");
  await until("the consumer has caught up", () => channel.stats().occupancy === 0);
  await consumer.send("stop");
  let line = await consumer.line();
  while (line?.startsWith("handled")) line = await consumer.line();
  assertEquals(line?.split(" ").slice(0, 4), ["end", `${sent}`, "0", "0"]);
  await consumer.succeeded();
});

Deno.test("Producer of many that is stopped in a claim is waited for, not repaired", async () => {
  using directory = new TestDirectory();
  using channel = createChannel("stop", {
    directory: directory.path,
    sizeBytes: 4096,
    producers: "many",
  });
  const consumer = openConsumer(channel, { from: "earliest" });
  const other = openProducer(channel);
  const config = { channel: "stop", id: 1, operation: "offer", count: 5 };
  const options = { directory: directory.path, fault: "after_claim:3:stop" };
  await using stopped = new Child("producer", config, options);
  await until("the producer has claimed its third place", () => channel.stats().nextSequence === 4);
  other.write(encode(2, 0, 40));
  const sequences: number[] = [];
  const end = performance.now() + STOP_MS;
  do {
    consumer.poll(({ sequence }) => void sequences.push(sequence));
    await pause();
  } while (performance.now() < end);
  assertEquals(sequences, [1, 2], "what was published behind the open claim has to wait");
  assertEquals(channel.stats().consumers.map(({ aborted }) => aborted), [0]);
  await until("all six have come", () => {
    stopped.kill("SIGCONT"); // Again and again: it may come to its stop only now.
    consumer.poll(({ sequence }) => void sequences.push(sequence));
    return sequences.length === 6;
  });
  assertEquals(sequences, [1, 2, 3, 4, 5, 6]);
  await stopped.ended();
});

Deno.test("Consumer that is stopped in a poll takes a whole batch that came then", async () => {
  using directory = new TestDirectory();
  const options = { directory: directory.path, sizeBytes: 4096, timestamps: true };
  using channel = createChannel("stop", options);
  const producer = openProducer(channel);
  const config = { channel: "stop", handle: "print", count: 7 };
  const place = { directory: directory.path, fault: "mid_poll:1:stop" };
  await using consumer = new Child("consumer", config, place);
  await consumer.expect("open 0");
  await consumer.expect("stopped");
  assertEquals(producer.offerBatch(Array.from({ length: 7 }, (_, i) => encode(1, i, 40))), 7);
  const timer = setInterval(() => consumer.kill("SIGCONT"), 5); // It may not have stopped yet.
  await consumer.expect("handled 1 7");
  clearInterval(timer);
  await consumer.succeeded();
  const { counts } = channel.histogram("latency", 0);
  assertEquals(counts.reduce((sum, count) => sum + count), 7, "and measures each message");
});

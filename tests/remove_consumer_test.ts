// A consumer that is gone for good: its slot and what its log keeps for it go, nothing of others.

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type Channel,
  type Consumer,
  openConsumer,
  openProducer,
  type Producer,
  removeConsumer,
  WAL_FULL,
} from "../mod.ts";
import { currentSlot, decodeControl, type LogCursor } from "../lib/native/log_files.ts";
import { Logged, SEGMENT_BYTES, send } from "./_logged.ts";
import { drain, encode, range, Scratch } from "./_support.ts";
import { until } from "./fault/_support.ts";

/** The cursors that a log has written down, by their names. */
function cursorsOf(directory: string): Record<string, LogCursor> {
  const slot = currentSlot(decodeControl(Deno.readFileSync(`${directory}/control`)))!;
  return Object.fromEntries(slot.cursors.map((cursor) => [cursor.name, cursor]));
}

/** Names of consumers that a log is yet to forget. */
function pendingIn(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name)
    .filter((name) => name.startsWith("removed-"));
}

function names(channel: Channel): string[] {
  return channel.stats().consumers.filter(({ onSlow }) => onSlow !== "hold")
    .map(({ name }) => name).sort();
}

/** Takes everything up to a sequence. */
function drainTo(consumer: Consumer, last: number): void {
  while (consumer.cursor < last) consumer.pollWait(() => {}, { timeoutMs: 30_000 });
}

/** Fills some segments, which these consumers read. Returns the last sequence. */
function fill(producer: Producer, others: Consumer[]): number {
  let last = 0;
  for (let i = 0; i < 100; i++) {
    last = send(producer, 100);
    for (const consumer of others) drainTo(consumer, last);
  }
  return last;
}

Deno.test("removeConsumer() frees the slot, where there is no log", () => {
  using scratch = new Scratch();
  const channel = scratch.create({ maxConsumers: 1 });
  const consumer = openConsumer(channel, { name: "gone" });
  openProducer(channel).offer(encode("first"));
  assertEquals(consumer.poll(() => {}), 1);
  const error = assertThrows(() => removeConsumer(channel, "gone"), Deno.errors.Busy);
  assertStringIncludes(error.message, `live process ${Deno.pid} ("gone")`);
  consumer.close();
  removeConsumer(channel, "gone");
  assertEquals(channel.stats().consumers, []);
  assertEquals(drain(openConsumer(channel, { name: "gone" })), [1], "it begins anew");
});

Deno.test("removeConsumer() refuses what is no consumer, and where it may not", () => {
  using logged = new Logged();
  const channel = logged.create();
  openConsumer(channel).close();
  for (const name of ["", "x".repeat(97)]) {
    assertThrows(() => removeConsumer(channel, name), RangeError, `found ${name.length}`);
  }
  for (const name of ["none", "mt.persister"]) {
    assertThrows(() => removeConsumer(channel, name), Deno.errors.NotFound, `"${name}"`);
  }
  const looking = logged.open({ readOnly: true });
  assertThrows(() => removeConsumer(looking, "none"), TypeError, "readOnly");
  openConsumer(channel, { name: "gone" }).close();
  Deno.removeSync(logged.path());
  assertThrows(() => removeConsumer(channel, "gone"), Deno.errors.NotFound, logged.path());
});

Deno.test("Log is cut when the consumer that held it is removed, also by a keep", async () => {
  for (const keeps of [true, false]) {
    using logged = new Logged();
    const channel = logged.create();
    const producer = openProducer(channel);
    const gone = openConsumer(channel, { name: "gone", onSlow: "spill" });
    const other = openConsumer(channel, { name: "other" });
    if (keeps) gone.keep(1);
    const last = fill(producer, [other]);
    other.keep(last - 5000);
    if (keeps) drainTo(gone, last);
    await until("the needs are written", () => cursorsOf(channel.logDirectory!).other?.keep !== 0);
    assertEquals(channel.stats().log!.oldest, 1);
    assertThrows(() => removeConsumer(channel, "gone"), Deno.errors.Busy);
    gone.close();
    removeConsumer(channel, "gone");
    await until("the log is cut", () => channel.stats().log!.oldest > 1);
    assert(channel.stats().log!.oldest <= last - 5000);
    assertEquals(Object.keys(cursorsOf(channel.logDirectory!)), ["other"]);
    await until("nothing is pending", () => pendingIn(channel.logDirectory!).length === 0);
    assertEquals(names(channel), ["other"]);
    const replay = openConsumer(channel, { from: last - 4999, onSlow: "spill" });
    assertEquals(drain(replay), range(last - 4999, last), "nothing that the other one needs");
  }
});

Deno.test("removeConsumer() while nobody writes takes effect when somebody does", async () => {
  using logged = new Logged();
  {
    const channel = logged.create();
    const producer = openProducer(channel);
    const [gone, other] = ["gone", "other"].map((name) => openConsumer(channel, { name }));
    const last = fill(producer, [gone!, other!]);
    gone!.keep(1);
    other!.keep(last);
    channel.close();
  }
  const outside = logged.create({ persister: "outside" });
  removeConsumer(outside, "gone");
  assertEquals([names(outside), pendingIn(outside.logDirectory!).length], [["other"], 1]);
  assert("gone" in cursorsOf(outside.logDirectory!), "nobody writes");
  assertThrows(() => removeConsumer(outside, "gone"), Deno.errors.NotFound);
  const channel = logged.create();
  await until("the log is cut", () => channel.stats().log!.oldest > 1);
  assertEquals(Object.keys(cursorsOf(channel.logDirectory!)), ["other"]);
});

Deno.test("removeConsumer() knows consumers that only the log has, of any name", () => {
  const gone = 'gone/"\0ü'; // Would be no file's name.
  for (const persister of ["inside", "outside"] as const) {
    using logged = new Logged();
    {
      const channel = logged.create();
      const consumer = openConsumer(channel, { name: gone });
      consumer.keep(1);
      drainTo(consumer, send(openProducer(channel), 10));
      channel.close();
    }
    const channel = logged.remakeRing({ persister });
    assertEquals([names(channel), cursorsOf(channel.logDirectory!)[gone]?.sequence], [[], 11]);
    removeConsumer(channel, gone);
    const again = openConsumer(channel, { name: gone });
    assertEquals(drain(again), range(1, 10), "it begins anew");
    channel.close();
  }
});

Deno.test("Consumer that comes back before it is forgotten is a new one for good", async () => {
  using logged = new Logged();
  {
    const channel = logged.create();
    const gone = openConsumer(channel, { name: "gone" });
    gone.keep(1);
    drainTo(gone, send(openProducer(channel), 10));
    channel.close();
  }
  const outside = logged.create({ persister: "outside" });
  removeConsumer(outside, "gone");
  const first = openConsumer(outside, { name: "gone" });
  assertEquals(first.poll(() => {}, 4), 4);
  first.keep(3);
  first.close();
  assertEquals(openConsumer(outside, { name: "gone" }).cursor, 4);
  outside.close();
  const channel = logged.create();
  send(openProducer(channel), 1);
  const cursor = () => cursorsOf(channel.logDirectory!)["gone"];
  await until("it is written down", () => cursor()?.sequence === 5);
  assertEquals([cursor()?.keep, pendingIn(channel.logDirectory!)], [3, []]);
  channel.close();
  const remade = logged.remakeRing();
  assertEquals(drain(openConsumer(remade, { name: "gone" })), range(5, 11));
});

Deno.test("removeConsumer() makes room in a full channel, and in a full log", () => {
  using logged = new Logged();
  const channel = logged.create({
    maxConsumers: 1,
    retention: { maxBytes: 2 * SEGMENT_BYTES, whenFull: "block" },
    snapshotIntervalMs: 1e6,
  });
  const producer = openProducer(channel);
  const gone = openConsumer(channel, { name: "gone", onSlow: "spill" });
  gone.keep(1);
  gone.close();
  const error = assertThrows(() => openConsumer(channel, { name: "next" }), Deno.errors.Busy);
  assertStringIncludes(error.message, "removeConsumer()");
  let last = 0;
  for (let sequence = 0; sequence !== WAL_FULL; last = Math.max(last, sequence)) {
    sequence = producer.offer(new Uint8Array(1000));
  }
  assertEquals(channel.stats().log!.state, "full");
  removeConsumer(channel, "gone");
  const next = openConsumer(channel, { name: "next", onSlow: "spill" });
  drainTo(next, last);
  next.keep(last);
  assertEquals(producer.write(new Uint8Array(1000), { timeoutMs: 60_000 }), last + 1);
});

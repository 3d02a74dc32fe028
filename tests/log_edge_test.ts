// The edges of logs: claims that are open where a reader begins, owners that leave while others
// write, rings that were replaced, cuts under readers that nobody has noted yet.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  DurabilityError,
  LayoutMismatchError,
  openConsumer,
  openProducer,
  removeChannel,
  SequenceGapError,
} from "../mod.ts";
import { patchBytes } from "./_format.ts";
import { Logged, SEGMENT_BYTES, send } from "./_logged.ts";
import type { OwnerTask } from "./_owner_worker.ts";
import { drain, encode, IS_UNSCOPED, range } from "./_support.ts";

/** Where the words of `DurabilityLine` lie in a ring file. */
const DURABLE_OFFSET = 4608;
const LOGGED_OFFSET = DURABLE_OFFSET + 8;
const OLDEST_OFFSET = DURABLE_OFFSET + 80;

function word(value: bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(value).buffer);
}

Deno.test("Consumer comes back to its place while a claim is open there", () => {
  using logged = new Logged();
  const channel = logged.create({ producers: "many" });
  const [producer, other] = [openProducer(channel), openProducer(channel)];
  const consumer = openConsumer(channel, { name: "named" });
  send(producer, 3);
  assertEquals(drain(consumer), range(1, 3));
  consumer.close();
  const claim = other.tryClaim(8)!;
  const again = openConsumer(channel, { name: "named" });
  assertEquals(drain(again), []);
  claim.publish();
  producer.write(encode("behind it"));
  assertEquals(drain(again), [4, 5]);
});

Deno.test("Consumer that has caught up with the log waits while a claim is open", async () => {
  using logged = new Logged();
  const before = logged.create({ producers: "many" });
  send(openProducer(before), 3);
  before.close();
  const channel = logged.remakeRing({ producers: "many" });
  const claim = openProducer(channel).tryClaim(8)!;
  const consumer = openConsumer(channel, { from: 1 });
  assertEquals(drain(consumer), range(1, 3));
  assertEquals(await consumer.wait({ timeoutMs: 20 }), false);
  claim.publish();
  assertEquals(await consumer.wait(), true);
  assertEquals(drain(consumer), [4]);
});

Deno.test("Loop in the log lets others run whatever the ring says of the log", async () => {
  using logged = new Logged();
  // So that nobody tells meanwhile how far the log is.
  const channel = logged.create({ durability: "memory", snapshotIntervalMs: 1e6 });
  const consumer = openConsumer(channel, { from: 1, onSlow: "spill" });
  send(openProducer(channel), 3000);
  while (channel.stats().log!.logged < 3000);
  assertEquals(consumer.poll(() => {}, 10), 10);
  patchBytes(logged.path(), LOGGED_OFFSET, word(0n));
  assertEquals(await consumer.wait({ timeoutMs: 20 }), false);
  setTimeout(() => consumer.close(), 20);
  for await (const _ of consumer);
});

Deno.test("Channel.close() of a log's owner ends while others go on writing", () => {
  using logged = new Logged();
  const state = new Int32Array(new SharedArrayBuffer(4));
  const options = { ...logged.options, directory: logged.directory, sizeBytes: "4MB" };
  const worker = new Worker(new URL("_owner_worker.ts", import.meta.url), { type: "module" });
  try {
    worker.postMessage({ options, state } satisfies OwnerTask);
    Atomics.wait(state, 0, 0);
    const producer = openProducer(logged.open());
    const batch = { bytes: new Uint8Array(500 * 64), messageBytes: 64 };
    let sent = 0;
    for (let count = 0; Atomics.load(state, 0) !== 4; count++) {
      const isSent = producer.offerBatch(batch) > 0;
      if (count === 1000) {
        Atomics.store(state, 0, 2);
        Atomics.notify(state, 0);
      }
      if (isSent && Atomics.load(state, 0) === 3) sent += 500;
      if (sent > 1_000_000) throw new Error(`The owner has taken ${sent} messages while closing`);
    }
  } finally {
    worker.terminate();
  }
});

Deno.test("Log is not continued out of a ring that was replaced", () => {
  using logged = new Logged();
  const owner = logged.create();
  send(openProducer(owner), 10);
  const standby = logged.create();
  removeChannel("test", { directory: logged.directory });
  owner.close();
  const replaced = logged.create(); // Even if the standby has the log for a moment.
  const producer = openProducer(standby);
  assertEquals(send(openProducer(replaced), 3), 13);
  replaced.close();
  assertThrows(
    () => {
      for (let i = 0; i < 3; i++) producer.write(encode("lost"));
      producer.waitDurable(13, { timeoutMs: 60_000 });
    },
    DurabilityError,
  );
  const after = logged.create(); // Nor is the log held by who cannot write it.
  assertEquals(send(openProducer(after), 1), 14);
  assertEquals(drain(openConsumer(after, { from: 1 })), range(1, 14));
});

Deno.test(
  "View does not begin where an earlier life was in the log, but in another place",
  { ignore: !IS_UNSCOPED },
  () => {
    using logged = new Logged();
    const before = logged.create();
    send(openProducer(before), 1000);
    before.close();
    const channel = logged.remakeRing();
    send(openProducer(channel), 10);
    const consumer = openConsumer(channel, { name: "named", from: 1 });
    assertEquals(consumer.poll(() => {}, 4), 4);
    consumer.close();
    const error = assertThrows(
      () => openConsumer(channel, { name: "named", view: true }),
      SequenceGapError,
    );
    assertEquals([error.expected, error.actual], [5, 1001]);
  },
);

Deno.test("Log is not cut below a consumer that went back behind what it keeps", () => {
  using logged = new Logged();
  const before = logged.create();
  openConsumer(before, { name: "holds", from: 1, onSlow: "spill" });
  const keeping = openConsumer(before, { name: "keeps", from: 1, onSlow: "spill" });
  const last = send(openProducer(before), 10_000);
  drain(keeping);
  keeping.keep(last);
  before.close();
  const channel = logged.remakeRing();
  const again = openConsumer(channel, { name: "keeps", from: 1, onSlow: "spill" });
  openConsumer(channel, { name: "holds", from: "latest", onSlow: "spill" });
  const producer = openProducer(channel);
  for (let i = 0; i < 20; i++) send(producer, 1);
  assertEquals(drain(again), range(1, last + 20));
});

Deno.test("Log is not cut below a consumer that its control file has no room for", () => {
  using logged = new Logged();
  const before = logged.create({ maxConsumers: 63 });
  const last = send(openProducer(before), 10_000);
  for (let i = 0; i < 63; i++) openConsumer(before, { name: `c${i}`, from: "latest" });
  before.close();
  const channel = logged.remakeRing({ maxConsumers: 63 });
  const producer = openProducer(channel);
  const fits = openConsumer(channel, { name: "c63", from: "latest", onSlow: "spill" });
  for (let i = 0; i < 20; i++) send(producer, 1);
  const tooMany = openConsumer(channel, { name: "c64", from: 1, onSlow: "spill" });
  fits.keep(last);
  for (let i = 0; i < 20; i++) send(producer, 1);
  assertEquals(drain(tooMany), range(1, last + 40));
});

Deno.test("Consumer from the earliest begins behind a cut that it was not told of", () => {
  using logged = new Logged();
  const retention = { maxBytes: 2 * SEGMENT_BYTES, whenFull: "cut" } as const;
  const channel = logged.create({ retention });
  const last = send(openProducer(channel), 10_000);
  const { oldest } = channel.stats().log!;
  assert(oldest > 1);
  patchBytes(logged.path(), OLDEST_OFFSET, word(1n));
  assertEquals(drain(openConsumer(channel, { from: "earliest" })), range(oldest, last));
});

Deno.test("Consumer reads the log of a ring whose writer has not come yet", () => {
  using logged = new Logged();
  const before = logged.create();
  send(openProducer(before), 100);
  before.close();
  const channel = logged.remakeRing({ persister: "outside" });
  assertEquals(drain(openConsumer(channel, { from: "earliest" })), range(1, 100));
  assertEquals(drain(openConsumer(channel, { from: 7 })), range(7, 100));
});

Deno.test("Words of durability that no writer has written end no process", async () => {
  using logged = new Logged();
  const channel = logged.create();
  const producer = openProducer(channel);
  const last = send(producer, 3);
  for (const value of [0xffff_ffff_ffff_ffffn, 1n << 63n, (1n << 63n) - 1n]) {
    patchBytes(logged.path(), DURABLE_OFFSET, word(value));
    assertEquals(await producer.durable(last), "disk");
    assertEquals(producer.waitDurable(last), "disk");
    channel.stats();
  }
});

Deno.test("createChannel() says that a ring is of a log that is no longer there", () => {
  using logged = new Logged();
  const before = logged.create();
  const directory = before.logDirectory!;
  send(openProducer(before), 3);
  before.close();
  Deno.removeSync(directory, { recursive: true });
  const error = assertThrows(() => logged.create(), LayoutMismatchError);
  assert(error.message.includes("removeChannel()"), error.message);
  assert(error.message.includes(directory), error.message);
  assert(error.message.includes("a log that was there before"), error.message);
  removeChannel("test", { directory: logged.directory });
  assertEquals(send(openProducer(logged.create()), 1), 1);
});

Deno.test("openConsumer() names a consumer that has left and holds the last slot", () => {
  using logged = new Logged();
  const channel = logged.create({ maxConsumers: 1 });
  openConsumer(channel, { name: "gone" }).close();
  const error = assertThrows(() => openConsumer(channel), Deno.errors.Busy);
  assert(error.message.includes('"gone", which has left'), error.message);
});

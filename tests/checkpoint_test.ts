// Checkpoints: what is kept, what recovery returns, what the log keeps for it.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Channel,
  type Consumer,
  CorruptLogError,
  CorruptStoreError,
  openConsumer,
  openProducer,
  openStore,
  SequenceGapError,
} from "../mod.ts";
import { createDurable, openIn, pollUpTo } from "./_checkpoints.ts";
import { encode, pattern, range, Scratch } from "./_support.ts";
import { until } from "./fault/_support.ts";

Deno.test("Checkpoints.recover() has nothing of a state without a checkpoint", async () => {
  using scratch = new Scratch();
  using channel = createDurable(scratch);
  using checkpoints = openIn(scratch);
  openProducer(channel).write(encode("first"));
  const recovery = await checkpoints.recover("engine", channel);
  assertEquals(
    [recovery.state, recovery.checkpoint, recovery.sequence, recovery.damaged],
    [undefined, 0, 0, []],
  );
  assertEquals(recovery.log?.verdict, "created");
  assertEquals(pollUpTo(recovery.replay({ name: "engine" }), 1), [1]);
});

Deno.test("Checkpoints.recover() returns the newest state and replays the rest", async () => {
  using scratch = new Scratch();
  {
    using channel = createDurable(scratch);
    using checkpoints = openIn(scratch);
    const producer = openProducer(channel);
    const consumer = openConsumer(channel, { name: "engine", from: "earliest" });
    for (let i = 0; i < 10; i++) producer.write(encode(`${i}`));
    pollUpTo(consumer, 4);
    for (let i = 0; i < 10; i++) producer.write(encode(`${i}`));
    pollUpTo(consumer, 20);
    const made = await checkpoints.checkpoint("engine", {
      state: encode("after 20"),
      consumers: [consumer],
    });
    assertEquals([made.id, made.bytes], [1, 8]);
    for (let i = 0; i < 5; i++) producer.write(encode(`${i}`));
    pollUpTo(consumer, 25); // Applied, and lost with the process.
  }
  using channel = createDurable(scratch);
  using checkpoints = openIn(scratch);
  const recovery = await checkpoints.recover("engine", channel);
  assertEquals(new TextDecoder().decode(recovery.state), "after 20");
  assertEquals([recovery.checkpoint, recovery.sequence, recovery.lastSequence], [1, 20, 25]);
  const { channel: name, consumer, sequence } = recovery.cursors[0]!;
  assertEquals([name, consumer, sequence], ["orders", "engine", 20]);
  assertEquals(recovery.log?.clean, true);
  assertEquals(pollUpTo(recovery.replay({ name: "engine" }), 25), range(21, 25));
});

Deno.test("Checkpoints.checkpoint() keeps a state that comes part by part", async () => {
  using scratch = new Scratch();
  using channel = createDurable(scratch);
  using checkpoints = openIn(scratch);
  const whole = pattern(3_500_000, 7);
  async function* parts(bytes: number) {
    const buffer = new Uint8Array(bytes);
    for (let at = 0; at < whole.length; at += buffer.length) {
      const part = whole.subarray(at, at + buffer.length);
      buffer.set(part); // Used again each time.
      await Promise.resolve();
      yield buffer.subarray(0, part.length);
    }
  }
  for (const bytes of [100_000, 2 ** 20, 2_000_000]) { // Less than a chunk, as much, and more.
    await checkpoints.checkpoint("engine", { state: parts(bytes), consumers: [] });
    const recovery = await checkpoints.recover("engine", channel);
    assertEquals(recovery.verified, { chunks: 4, bytes: whole.length });
    assert(recovery.state!.every((byte, i) => byte === whole[i]));
  }
});

Deno.test("Checkpoints.checkpoint() leaves the one before when a part fails", async () => {
  using scratch = new Scratch();
  using channel = createDurable(scratch);
  using checkpoints = openIn(scratch);
  await checkpoints.checkpoint("engine", { state: encode("kept"), consumers: [] });
  function* parts() {
    for (let i = 0; i < 9; i++) yield pattern(2 ** 20, i);
    throw new TypeError("no more");
  }
  await assertRejects(
    () => checkpoints.checkpoint("engine", { state: parts(), consumers: [] }),
    TypeError,
    "no more",
  );
  const { state, checkpoint } = await checkpoints.recover("engine", channel);
  assertEquals([new TextDecoder().decode(state), checkpoint], ["kept", 1]);
  await checkpoints.checkpoint("engine", { state: encode("next"), consumers: [] });
});

Deno.test("Checkpoints.checkpoint() keeps an empty state apart from none", async () => {
  using scratch = new Scratch();
  using channel = createDurable(scratch);
  using checkpoints = openIn(scratch);
  await checkpoints.checkpoint("engine", { state: new Uint8Array(), consumers: [] });
  const { state, checkpoint } = await checkpoints.recover("engine", channel);
  assertEquals([state?.length, checkpoint], [0, 1]);
});

Deno.test("Checkpoints.checkpoint() keeps two, and nothing of older ones", async () => {
  using scratch = new Scratch();
  {
    using checkpoints = openIn(scratch);
    for (let i = 1; i <= 5; i++) {
      const { id } = await checkpoints.checkpoint("a", { state: encode(`${i}`), consumers: [] });
      assertEquals(id, i);
      await checkpoints.checkpoint("b", { state: encode(`${i}`), consumers: [] });
    }
  }
  const ids: string[] = [];
  for (const name of ["a", "b"]) {
    using store = openStore({ directory: `${scratch.directory}/checkpoints/${name}` });
    const keys = await Array.fromAsync(store.keys());
    assertEquals(keys.length, 4, "a manifest and a chunk of each state");
    ids.push(...keys.filter((key) => key.startsWith("ckpt/a/")));
  }
  assertEquals(ids.map((key) => Number(key.slice(-16))).sort(), [4, 5]);
});

Deno.test("Checkpoints.recover() falls back when the newest is damaged, and says so", async () => {
  using scratch = new Scratch();
  using channel = createDurable(scratch);
  const producer = openProducer(channel);
  const consumer = openConsumer(channel, { name: "engine" });
  {
    using checkpoints = openIn(scratch);
    for (const text of ["one", "two"]) {
      pollUpTo(consumer, producer.write(encode(text)));
      await checkpoints.checkpoint("engine", { state: encode(text), consumers: [consumer] });
    }
  }
  const directory = `${scratch.directory}/checkpoints/b`; // Where the second one went.
  const newest = "snap/engine/0000000000000002/00000000";
  for (
    const spoil of [
      [{ put: newest, value: encode("tvo") }],
      [{ delete: newest }],
      [{ put: "ckpt/engine/0000000000000002", value: encode("{}") }],
      [{ put: "ckpt/engine/0000000000000002", value: encode("garbage") }],
    ]
  ) {
    using store = openStore({ directory });
    await store.commit(spoil);
    store.close();
    using checkpoints = openIn(scratch);
    const recovery = await checkpoints.recover("engine", channel);
    assertEquals(new TextDecoder().decode(recovery.state), "one");
    assertEquals([recovery.checkpoint, recovery.sequence], [1, 1]);
    assertEquals(recovery.damaged.map(({ id }) => id), [2]);
    assert(recovery.damaged[0]!.error instanceof CorruptStoreError);
    using replay = recovery.replay();
    assertEquals(pollUpTo(replay, 2), [2]);
  }
});

Deno.test("Checkpoint after a fallback takes the damaged one's place", async () => {
  using scratch = new Scratch();
  using channel = createDurable(scratch);
  const make = async (checkpoints: ReturnType<typeof openIn>, text: string) => {
    await checkpoints.checkpoint("engine", { state: encode(text), consumers: [] });
  };
  const spoil = async (name: string, id: number) => {
    using store = openStore({ directory: `${scratch.directory}/checkpoints/${name}` });
    const key = `snap/engine/${`${id}`.padStart(16, "0")}/00000000`;
    await store.commit([{ put: key, value: encode("spoilt") }]);
  };
  {
    using checkpoints = openIn(scratch);
    await make(checkpoints, "one");
    await make(checkpoints, "two");
  }
  await spoil("b", 2);
  {
    using checkpoints = openIn(scratch);
    await checkpoints.recover("engine", channel);
    await make(checkpoints, "three");
  }
  await spoil("b", 2);
  using checkpoints = openIn(scratch);
  const { state } = await checkpoints.recover("engine", channel);
  assertEquals(new TextDecoder().decode(state), "one", "the sound one was left");
});

Deno.test("Checkpoints.recover() falls back when a whole store is damaged", async () => {
  using scratch = new Scratch();
  using channel = createDurable(scratch);
  {
    using checkpoints = openIn(scratch);
    for (const text of ["one", "two", "three"]) {
      await checkpoints.checkpoint("engine", { state: encode(text), consumers: [] });
    }
  }
  const directory = `${scratch.directory}/checkpoints`;
  Deno.writeFileSync(`${directory}/a/data.mdb`, pattern(100_000, 3));
  using checkpoints = openIn(scratch);
  const recovery = await checkpoints.recover("engine", channel);
  assertEquals(new TextDecoder().decode(recovery.state), "two");
  assertEquals(recovery.damaged.map(({ id }) => id), [0]);
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name.split("-")[0]);
  assertEquals(names.sort(), ["a", "a.damaged", "b"], "what is damaged is kept");
  await checkpoints.checkpoint("engine", { state: encode("four"), consumers: [] });
  const { state, checkpoint } = await checkpoints.recover("engine", channel);
  assertEquals([new TextDecoder().decode(state), checkpoint], ["four", 3]);
});

Deno.test("Checkpoints.recover() throws when there are checkpoints and none is sound", async () => {
  using scratch = new Scratch();
  using channel = createDurable(scratch);
  {
    using checkpoints = openIn(scratch);
    await checkpoints.checkpoint("engine", { state: encode("x"), consumers: [] });
  }
  {
    using store = openStore({ directory: `${scratch.directory}/checkpoints/a` });
    await store.commit([{ deletePrefix: "snap/" }]);
  }
  using checkpoints = openIn(scratch);
  await assertRejects(() => checkpoints.recover("engine", channel), CorruptStoreError, "chunk");
});

Deno.test("Checkpoints.recover() refuses a state that knows more than the log", async () => {
  using scratch = new Scratch();
  using checkpoints = openIn(scratch);
  {
    using channel = createDurable(scratch);
    const producer = openProducer(channel);
    const consumer = openConsumer(channel, { name: "engine" });
    pollUpTo(consumer, producer.write(encode("x")));
    await checkpoints.checkpoint("engine", { state: encode("x"), consumers: [consumer] });
  }
  Deno.removeSync(`${scratch.directory}/wal/orders`, { recursive: true });
  Deno.removeSync(scratch.path("orders"));
  using channel = createDurable(scratch);
  await assertRejects(() => checkpoints.recover("engine", channel), CorruptLogError, "regressed");
});

Deno.test("The log is cut below what both checkpoints need, and no further", async () => {
  using scratch = new Scratch();
  using channel = createDurable(scratch);
  using checkpoints = openIn(scratch);
  const producer = openProducer(channel);
  const consumer = openConsumer(channel, { name: "engine", from: "earliest" });
  const advance = async (messages: number) => {
    let last = 0;
    for (let i = 0; i < messages; i++) {
      last = producer.write(new Uint8Array(1000));
      if (i % 16 === 0) consumer.poll(() => {});
    }
    pollUpTo(consumer, last);
    await checkpoints.checkpoint("engine", { state: encode(`${last}`), consumers: [consumer] });
    return last;
  };
  const marks = [await advance(1000), await advance(1000), await advance(1000)];
  await until("enough is cut", () => channel.stats().log!.oldest > marks[0]!);
  const { oldest } = channel.stats().log!;
  assert(oldest <= marks[1]! + 1, `the log begins with ${oldest}`);
  using before = openConsumer(channel, { from: marks[1]! + 1, onSlow: "spill" });
  assertEquals(pollUpTo(before, marks[2]!).length, 1000);
  assertThrows(() => openConsumer(channel, { from: 1 }), SequenceGapError);
});

Deno.test("Recovery.lastSequence counts what is in the ring and not in the log yet", async () => {
  using scratch = new Scratch();
  createDurable(scratch).close();
  using channel = scratch.create({
    walDir: `${scratch.directory}/wal`,
    persister: "outside",
    durability: "disk",
    sizeBytes: "64KB",
  }, "orders");
  using checkpoints = openIn(scratch);
  const producer = openProducer(channel);
  for (let i = 0; i < 3; i++) producer.write(encode("order"));
  const { lastSequence, replay } = await checkpoints.recover("engine", channel);
  assertEquals(lastSequence, 3);
  assertEquals(pollUpTo(replay({ name: "engine" }), lastSequence), range(1, 3));
});

/** Sends messages until so many kilobytes are in the log and their consumer has them. */
function advance(channel: Channel, consumer: Consumer, messages: number): number {
  using producer = openProducer(channel);
  let last = 0;
  for (let i = 0; i < messages; i++) {
    last = producer.write(new Uint8Array(1000));
    if (i % 16 === 0) consumer.poll(() => {});
  }
  pollUpTo(consumer, last);
  return last;
}

/** Lets the log's writer look several times whether there is something to cut. */
function letCut(channel: Channel, consumer: Consumer): void {
  for (let i = 0; i < 20; i++) {
    using producer = openProducer(channel);
    producer.waitDurable(producer.write(new Uint8Array(8)));
    consumer.poll(() => {});
  }
}

Deno.test("Recovery.replay() keeps what the checkpoint before the newest needs", async () => {
  using scratch = new Scratch();
  using channel = createDurable(scratch);
  using checkpoints = openIn(scratch);
  const consumer = openConsumer(channel, { name: "engine", from: "earliest" });
  const marks: number[] = [];
  for (let i = 0; i < 2; i++) {
    marks.push(advance(channel, consumer, 1000));
    await checkpoints.checkpoint("engine", { state: encode(`${i}`), consumers: [consumer] });
  }
  consumer.close();
  const recovery = await checkpoints.recover("engine", channel);
  const again = recovery.replay({ name: "engine" });
  letCut(channel, again);
  const { oldest } = channel.stats().log!;
  assert(oldest <= marks[0]! + 1, `the log begins with ${oldest}`);
});

Deno.test("The log is not cut below what another state of a consumer needs", async () => {
  using scratch = new Scratch();
  using channel = createDurable(scratch);
  using checkpoints = openIn(scratch);
  const consumer = openConsumer(channel, { name: "engine", from: "earliest" });
  const mark = advance(channel, consumer, 10);
  await checkpoints.checkpoint("first", { state: encode("first"), consumers: [consumer] });
  for (let i = 0; i < 2; i++) {
    advance(channel, consumer, 1000);
    await checkpoints.checkpoint("second", { state: encode("second"), consumers: [consumer] });
  }
  letCut(channel, consumer);
  const { oldest } = channel.stats().log!;
  assert(oldest <= mark + 1, `the log begins with ${oldest}`);
});

Deno.test("Checkpoints.checkpoint() refuses a second one of a state under way", async () => {
  using scratch = new Scratch();
  using checkpoints = openIn(scratch);
  const content = { state: encode("x"), consumers: [] };
  const first = checkpoints.checkpoint("engine", content);
  await assertRejects(() => checkpoints.checkpoint("engine", content), TypeError, "under way");
  assertEquals((await first).id, 1);
  await assertRejects(() => checkpoints.checkpoint("no/name", content), RangeError, "no/name");
});

Deno.test("Checkpoints.checkpoint() waits for a writer of the log, not for ever", async () => {
  using scratch = new Scratch();
  createDurable(scratch).close();
  const options = { walDir: `${scratch.directory}/wal`, durability: "disk" } as const;
  using channel = scratch.create({ ...options, persister: "outside", sizeBytes: "64KB" }, "orders");
  using checkpoints = openIn(scratch);
  const producer = openProducer(channel);
  const consumer = openConsumer(channel, { name: "engine" });
  pollUpTo(consumer, producer.write(encode("order")));
  const make = (logTimeoutMs: number) =>
    checkpoints.checkpoint("engine", { state: encode("1"), consumers: [consumer], logTimeoutMs });
  const error = await assertRejects(() => make(5), Deno.errors.TimedOut, "durable up to 0");
  assert(error.message.includes(channel.logDirectory!));
  await assertRejects(() => make(-1), RangeError, "found -1");
  assertEquals((await checkpoints.recover("engine", channel)).checkpoint, 0);
  const waiting = make(60_000);
  using _persister = createDurable(scratch);
  assertEquals((await waiting).cursors[0]?.sequence, 1);
  assertEquals((await make(0)).id, 2, "the log has it already");
});

// What channels count in shared memory, and what is left of it when those who counted are killed.

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertThrows,
} from "@std/assert";
import {
  BACK_PRESSURED,
  type Channel,
  CorruptRecordError,
  createChannel,
  openConsumer,
  openProducer,
  type Peer,
  removeConsumer,
  WAL_FULL,
} from "../mod.ts";
import { isReadable, LatencyHistogram, Watch } from "../lib/observability/mod.ts";
import { patchBytes, readShape } from "./_format.ts";
import { FAULTY_LIBRARY, isSomebodyAsleep, until } from "./fault/_support.ts";
import { TestLog } from "./_log.ts";
import { Logged, SEGMENT_BYTES, send } from "./_logged.ts";
import {
  type ConsumerTask,
  drain,
  encode,
  ROOT,
  runChild,
  Scratch,
  TestWorker,
} from "./_support.ts";

function onlyConsumer(channel: Channel): Peer {
  return channel.stats().consumers[0]!;
}

for (const producers of ["single", "many"] as const) {
  Deno.test(`Peer counts visible steps and wake-ups that nobody needed (${producers})`, () => {
    using scratch = new Scratch();
    const channel = scratch.create({ producers });
    const consumer = openConsumer(channel);
    const producer = openProducer(channel);
    for (let i = 0; i < 5; i++) producer.offer(encode("x"));
    producer.offerBatch([encode("y"), encode("z")]);
    producer.tryClaim(1)!.publish();
    producer.tryClaim(1)!.abort();
    drain(consumer);
    const [maker] = channel.stats().producers;
    const { publishes, wakeups, wakeupsSkipped, messages, aborted } = maker!;
    assertEquals([publishes, wakeups, wakeupsSkipped], [8, 0, 8]);
    assertEquals([messages, aborted], [8, 1]);
    const taker = onlyConsumer(channel);
    assertGreater(taker.acks, 0);
    assertEquals([taker.wakeups, taker.wakeupsSkipped], [0, taker.acks]);
    assertEquals(taker.aborted, 1);
  });
}

Deno.test("Peer counts a consumer's waits, and the wake-up that ends one", async () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  const idle = openConsumer(channel, { name: "idle", wait: "park", onSlow: "drop" });
  assertEquals(idle.pollWait(() => {}, { timeoutMs: 1 }), 0);
  let { waits, waitsTimedOut, lateWakeups } = onlyConsumer(channel);
  assertEquals([waits, waitsTimedOut, lateWakeups], [1, 1, 0]);
  idle.close();
  const producer = openProducer(channel);
  const task: ConsumerTask = { directory: scratch.directory, total: 1, wait: "park" };
  // It sleeps again and again. Where the message came in between, no wait was ended by it.
  do {
    using worker = new TestWorker("_consumer_worker.ts", task);
    assertEquals(await worker.next(), "ready");
    await until("it sleeps", () => isSomebodyAsleep(channel, "data"));
    producer.offer(encode("x"));
    await worker.next();
    ({ waits, waitsTimedOut } = channel.stats().consumers.find(({ name }) => name === "worker")!);
    assertGreaterOrEqual(1, waits - waitsTimedOut);
  } while (waits === waitsTimedOut);
  assertGreater(channel.stats().producers[0]!.wakeups, 0);
});

Deno.test("Peer counts the waits of an asynchronous consumer", async () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  const consumer = openConsumer(channel, { wait: "park" });
  // On a busy machine the time may be over before it sleeps.
  while (onlyConsumer(channel).waits === 0) {
    assertEquals(await consumer.wait({ timeoutMs: 20 }), false);
  }
  assertEquals(onlyConsumer(channel).waits, 1);
});

Deno.test("Peer counts a producer's waits for room", async () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  const task: ConsumerTask = { directory: scratch.directory, total: 0 };
  using worker = new TestWorker("_consumer_worker.ts", task);
  assertEquals(await worker.next(), "ready");
  const producer = openProducer(channel);
  while (producer.offer(encode("x")) !== BACK_PRESSURED);
  const only = () => channel.stats().producers[0]!;
  // On a busy machine the time may be over before it sleeps.
  while (only().waits === 0) {
    assertThrows(() => producer.write(encode("x"), { timeoutMs: 1 }), Deno.errors.TimedOut);
  }
  const { waits, waitsTimedOut, backPressured, logRefused } = only();
  assertEquals([waitsTimedOut, logRefused], [waits, 0], "each ended by its time");
  assertGreater(backPressured, 0);
});

/** Offsets of the lines that consumers and producers sleep on, in a ring file. */
const SLEEPERS = { consumers: 4224, producers: 4352 } as const;

/** Lets the words of a line say that everybody was woken who sleeps there. */
function forgetSleepers(path: string, line: number): void {
  const [sleepsAt, servedAt] = [line, line + 4];
  patchBytes(path, servedAt, Deno.readFileSync(path).slice(sleepsAt, sleepsAt + 4));
}

/** A wait, and what has to end it. */
interface LateScene {
  line: number;
  sleeper: () => Peer;
  sleep: () => Promise<unknown>;
  act: () => void;
}

/**
 * Loses a wake-up: nobody is woken by what is done. Again where the sleeper turned meanwhile: then
 * it was woken, or found what is there before it slept.
 */
async function loseWakeup(path: string, { line, sleeper, sleep, act }: LateScene) {
  for (let attempt = 0; attempt < 20 && sleeper().lateWakeups === 0; attempt++) {
    const { waits } = sleeper();
    const slept = sleep();
    await until("it waits again", () => sleeper().waits > waits);
    forgetSleepers(path, line);
    act();
    await slept;
  }
}

for (const producers of ["single", "many"] as const) {
  Deno.test(`Peer counts a wait whose wake-up was lost (${producers})`, async () => {
    using scratch = new Scratch();
    const channel = scratch.create({ producers });
    const consumer = openConsumer(channel, { wait: "park" });
    const producer = openProducer(channel);
    const [maker, taker] = [() => channel.stats().producers[0]!, () => onlyConsumer(channel)];
    await loseWakeup(scratch.path(), {
      line: SLEEPERS.consumers,
      sleeper: taker,
      sleep: () => consumer.wait().then(() => drain(consumer)),
      act: () => producer.offer(encode("x")),
    });
    assertEquals([taker().lateWakeups, maker().lateWakeups], [1, 0]);
    await loseWakeup(scratch.path(), {
      line: SLEEPERS.producers,
      sleeper: maker,
      sleep: () => {
        while (producer.offer(encode("x")) !== BACK_PRESSURED);
        return producer.ready();
      },
      act: () => drain(consumer),
    });
    assertEquals([taker().lateWakeups, maker().lateWakeups], [1, 1]);
  });
}

Deno.test("Peer counts a wait of Consumer.pollWait() whose wake-up was lost", async () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  const producer = openProducer(channel);
  openConsumer(channel, { name: "worker" }).close();
  await loseWakeup(scratch.path(), {
    line: SLEEPERS.consumers,
    sleeper: () => onlyConsumer(channel),
    sleep: async () => {
      const task: ConsumerTask = { directory: scratch.directory, total: 1, wait: "park" };
      using worker = new TestWorker("_consumer_worker.ts", task);
      assertEquals(await worker.next(), "ready");
      await worker.next();
    },
    act: () => producer.offer(encode("x")),
  });
  assertEquals(onlyConsumer(channel).lateWakeups, 1);
});

Deno.test("Peer counts what a consumer was too slow for, and what was damaged", () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  const slow = openConsumer(channel, { name: "slow", onSlow: "drop" });
  const producer = openProducer(channel, { name: "maker" });
  for (let i = 0; i < 100; i++) producer.offer(encode("x"));
  drain(slow);
  const { laps, lost, messages } = onlyConsumer(channel);
  assertGreaterOrEqual(laps, 1);
  assertEquals(lost + messages, 100);
  const sequence = producer.offer(encode("spoilt"));
  const { headerBytes } = readShape(Deno.readFileSync(scratch.path()));
  const at = headerBytes + (sequence - 1) * 64 % 4096;
  patchBytes(scratch.path(), at + 17, encode("?"));
  for (let i = 0; i < 3; i++) {
    try {
      slow.poll(() => {});
      assert(false, "it was damaged");
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error;
    }
  }
  assertEquals(onlyConsumer(channel).damaged, 3);
  const found = channel.history().map(({ kind, name, sequence }) => ({ kind, name, sequence }));
  assertEquals(found, [{ kind: "record-damaged", name: "slow", sequence }], "told once");
});

Deno.test("A log counts its groups and syncs, and tells when it is full", async () => {
  using scratch = new Logged();
  const channel = scratch.create({
    retention: { maxBytes: 2 * SEGMENT_BYTES },
  });
  const consumer = openConsumer(channel, { name: "kept" });
  const producer = openProducer(channel);
  send(producer, 20);
  await until("it was counted", () => channel.stats().log!.publishes > 0); // Behind what it told.
  const { log } = channel.stats();
  assertEquals(log!.wakeupsSkipped, log!.publishes - log!.wakeups);
  const [found] = new Watch(scratch).look().channels;
  assert(found !== undefined && isReadable(found));
  const { syncTime, groupBytes, syncs } = found.log!;
  assertGreater(syncTime.count, 0);
  assertGreaterOrEqual(syncs, syncTime.count);
  assertEquals(groupBytes.sumNs, 20 * 128, "a record of 100 bytes takes 128");
  while (producer.offer(new Uint8Array(4000)) !== WAL_FULL) drain(consumer);
  const { fullTimes } = channel.stats().log!;
  assertEquals(fullTimes, 1);
  assertGreater(channel.stats().producers[0]!.logRefused, 0);
  assertEquals(channel.history().map(({ kind, pid }) => [kind, pid]), [["log-full", Deno.pid]]);
});

Deno.test("Channel.history() tells of a consumer that was removed", () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  openConsumer(channel, { name: "gone" }).close();
  removeConsumer(channel, "gone");
  const { kind, name, pid, timeMs } = channel.history()[0]!;
  assertEquals([kind, name, pid], ["consumer-removed", "gone", Deno.pid]);
  assertGreaterOrEqual(timeMs, performance.timeOrigin - 1);
});

Deno.test("Channel.history() tells of a log whose torn end was saved aside", () => {
  using log = new TestLog(3);
  log.write(log.segments().at(-1)!, 100 * 1024, encode("never acknowledged"));
  using channel = createChannel(log.channel, log.options);
  const [entry, ...others] = channel.history();
  assertEquals([entry?.kind, entry?.sequence, entry?.pid], ["log-repaired", 3, Deno.pid]);
  assertEquals(others, []);
});

Deno.test("Channel.history() does not show an entry whose writer was killed over it", async () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  openConsumer(channel, { name: "gone" }).close();
  openConsumer(channel, { name: "next" }).close();
  const flags = ["--no-prompt", "--no-lock", "--allow-read", "--allow-write", "--allow-env=MT_LIB"];
  const script = `${ROOT}tests/_channel_counters_child.ts`;
  const { signal } = await runChild(
    ["run", ...flags, `--allow-ffi=${ROOT}zig-out`, script, scratch.directory, "remove"],
    { env: { MT_LIB: FAULTY_LIBRARY, MT_FAULT: "mid_note:1" } },
  );
  assertEquals(signal, "SIGKILL");
  assertEquals(channel.stats().consumers.map(({ name }) => name), ["next"], "it was removed");
  assertEquals(channel.history(), []);
  removeConsumer(channel, "next");
  assertEquals(channel.history().map(({ name }) => name), ["next"]);
});

Deno.test("Peer.resets goes on counting where one has died over taking a slot", async () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  openConsumer(channel).close();
  openProducer(channel, { name: "before" }).close();
  const flags = ["--no-prompt", "--no-lock", "--allow-read", "--allow-write", "--allow-env=MT_LIB"];
  const script = `${ROOT}tests/_channel_counters_child.ts`;
  const dieAt = async (reset: number) => {
    const { signal } = await runChild(
      ["run", ...flags, `--allow-ffi=${ROOT}zig-out`, script, scratch.directory],
      { env: { MT_LIB: FAULTY_LIBRARY, MT_FAULT: `mid_reset:${reset}` } },
    );
    assertEquals(signal, "SIGKILL");
  };
  await dieAt(1); // As a consumer.
  openConsumer(channel, { name: "after" }).close();
  assertEquals(channel.stats().consumers.map(({ name, resets }) => [name, resets]), [["after", 2]]);
  await dieAt(2); // As a producer, being a consumer in another slot already.
  using _ = openProducer(channel, { name: "after" });
  assertEquals(channel.stats().producers.map(({ name, resets }) => [name, resets]), [["after", 2]]);
});

for (const producers of ["single", "many"] as const) {
  Deno.test(`What a killed process has counted is there, and its end (${producers})`, async () => {
    using scratch = new Scratch();
    const channel = scratch.create({ producers, timestamps: true });
    const ffi = `--allow-ffi=${ROOT}zig-out`;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--no-lock", "--allow-read", "--allow-write", ffi],
        ...[`${ROOT}tests/_channel_counters_child.ts`, scratch.directory],
      ],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    const { done } = await reader.read();
    assert(!done, "the child has failed");
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    {
      using looked = scratch.open({ readOnly: true });
      const { producers: [maker], consumers: [taker] } = looked.stats();
      assertEquals([maker!.state, maker!.pid], ["dead", child.pid]);
      assertEquals([maker!.messages, maker!.publishes, maker!.aborted], [10, 11, 1]);
      assertEquals([taker!.state, taker!.pid, taker!.aborted], ["dead", child.pid, 1]);
      assertEquals(taker!.waitsTimedOut, 1);
      const latency = new LatencyHistogram(looked.histogram("latency", taker!.index));
      assertEquals(latency.count, 10);
      assertEquals(looked.history(), [], "nobody has met it yet");
    }
    const producer = openProducer(channel, { name: "next" });
    openConsumer(channel, { name: "taker" }).close();
    const told = channel.history().map(({ kind, name, pid }) => [kind, name, pid]);
    const first = producers === "many" ? "claim-ended" : "producer-replaced";
    assertEquals(told, [
      [first, "maker", child.pid],
      ["consumer-replaced", "taker", child.pid],
    ]);
    producer.close();
  });
}

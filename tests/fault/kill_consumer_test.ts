// Consumers that are killed (SIGKILL): while they hold producers back, asleep, in the middle of a
// batch, before they acknowledge, while they join, and at random moments. Their slot becomes free,
// producers go on, and a consumer of the same name begins behind what the dead one acknowledged.

import { assert, assertEquals } from "@std/assert";
import {
  BACK_PRESSURED,
  type Channel,
  createChannel,
  openConsumer,
  openProducer,
} from "../../mod.ts";
import { encode, Ledger, lengthOf } from "./_content.ts";
import {
  Child,
  IS_LONG,
  isSomebodyAsleep,
  note,
  pause,
  Random,
  seedOf,
  TestDirectory,
  until,
} from "./_support.ts";

const SIZE_BYTES = 4096;

/** A way to die: the consumer's configuration, its fault point, and when the test kills it. */
interface Stage {
  name: string;
  config: object;
  fault?: string;
  /** Last sequence that its heir finds acknowledged. */
  cursor: number;
  /** Returns when the consumer is where it is to die. */
  reached?: (child: Child, channel: Channel) => Promise<unknown>;
}

const STAGES: Stage[] = [
  {
    name: "before its first poll",
    config: { handle: "never" },
    cursor: 0,
    reached: (child) => child.expect("stalled"),
  },
  {
    name: "asleep",
    config: { handle: "print", wait: "park" },
    cursor: 0,
    reached: (_, channel) => until("it sleeps", () => isSomebodyAsleep(channel, "data")),
  },
  {
    name: "in a handler in the middle of a batch",
    config: { handle: "print", stallAt: 5 },
    cursor: 0,
    reached: (child) => child.expect("stalled"),
  },
  {
    name: "before it acknowledges",
    config: { handle: "print", limit: 3 },
    fault: "before_ack:3",
    cursor: 6,
  },
  {
    name: "while it acknowledges",
    config: { handle: "print", limit: 3 },
    fault: "mid_ack:3",
    cursor: 9,
  },
];

/**
 * Starts a consumer and kills it at its stage; messages come when it has opened. `send` sends all
 * of them in one step, so that batches are as large as the consumer wants.
 */
async function die(
  channel: Channel,
  directory: string,
  stage: Stage,
  send: () => void,
  name?: string,
): Promise<void> {
  const config = {
    channel: channel.name,
    ...stage.config,
    ...(name === undefined ? {} : { name }),
  };
  const options = { directory, ...(stage.fault === undefined ? {} : { fault: stage.fault }) };
  await using child = new Child("consumer", config, options);
  await child.expect("open");
  if (stage.name !== "asleep") send();
  if (stage.reached !== undefined) {
    await stage.reached(child, channel);
    child.kill();
  }
  const { signal, stderr } = await child.ended();
  assertEquals(signal, "SIGKILL", stderr);
}

for (const stage of STAGES) {
  Deno.test(`Consumer killed ${stage.name} does not hold producers back`, async () => {
    using directory = new TestDirectory();
    const place = { directory: directory.path };
    using channel = createChannel("kill.slot", { ...place, sizeBytes: SIZE_BYTES });
    const producer = openProducer(channel);
    let counter = 0;
    const next = () => encode(1, counter++, 40);
    await die(channel, directory.path, stage, () => {
      producer.offerBatch(Array.from({ length: 10 }, next));
    });
    assertEquals(channel.stats().consumers.map(({ state }) => state), ["dead"]);
    for (let rounds = 0; rounds < 5 * SIZE_BYTES / 64; rounds++) {
      while (producer.offer(next()) === BACK_PRESSURED) await producer.ready();
    }
    assertEquals(channel.stats().consumers.map(({ state }) => state), ["detached"]);
    assertEquals(channel.stats().producers[0]!.repaired, 1);
    const told = channel.history().map(({ kind, name }) => [kind, name]);
    assertEquals(told, [["consumer-detached", ""]], "once, and of an anonymous one");
  });

  Deno.test(`Consumer killed ${stage.name} is resumed where it has acknowledged`, async () => {
    using directory = new TestDirectory();
    using channel = createChannel("kill.name", { directory: directory.path });
    const producer = openProducer(channel);
    let counter = 0;
    const next = () => encode(1, counter, lengthOf(counter++, 60));
    await die(channel, directory.path, stage, () => {
      producer.offerBatch(Array.from({ length: 20 }, next));
    }, "ledger");
    while (counter < 30) producer.offer(next());
    const config = {
      channel: "kill.name",
      name: "ledger",
      handle: "print",
      count: 30 - stage.cursor,
    };
    await using heir = new Child("consumer", config, { directory: directory.path });
    assertEquals(await heir.expect("open"), String(stage.cursor));
    let last = stage.cursor;
    while (last < 30) {
      const [first, end] = (await heir.expect("handled")).split(" ").map(Number);
      assertEquals(first, last + 1);
      last = end!;
    }
    await heir.expect("end");
    await heir.succeeded();
  });
}

for (const producers of ["single", "many"] as const) {
  Deno.test(`Consumer resumed at the end takes no record of an earlier lap (${producers})`, () => {
    using directory = new TestDirectory();
    const options = { directory: directory.path, sizeBytes: SIZE_BYTES, producers };
    using channel = createChannel("kill.lap", options);
    const producer = openProducer(channel);
    let counter = 0;
    // Messages of one length, so that an old record stands at every place that a new one will take.
    for (let rest = 0; rest < 100; rest++) {
      using consumer = openConsumer(channel, { name: "ledger" });
      const sent = 1 + rest % 7;
      for (let n = 0; n < sent; n++) producer.offer(encode(1, counter++, 40));
      const ledger = new Ledger({ last: counter - sent, hasGaps: true });
      while (consumer.poll((message) => ledger.accept(message)) > 0);
      assertEquals([ledger.delivered, ledger.last], [sent, counter]);
    }
  });
}

Deno.test("Consumer resumed behind a message that nobody noted loses none", async () => {
  using directory = new TestDirectory();
  using channel = createChannel("kill.note", { directory: directory.path });
  const ledger = new Ledger();
  for (const id of [1, 2, 3]) {
    const config = { channel: "kill.note", id, operation: "offer" };
    const options = { directory: directory.path, fault: "after_publish:2" };
    await using child = new Child("producer", config, options);
    assertEquals((await child.ended()).signal, "SIGKILL");
    for (const delivered of [2 * id, 2 * id]) {
      using consumer = openConsumer(channel, { name: "ledger" });
      while (consumer.poll((message) => ledger.accept(message)) > 0);
      assertEquals(ledger.last, delivered);
    }
  }
});

Deno.test("Consumer killed while it joins does not hold producers back", async () => {
  using directory = new TestDirectory();
  const place = { directory: directory.path };
  using channel = createChannel("kill.join", { ...place, sizeBytes: SIZE_BYTES });
  const producer = openProducer(channel);
  const config = { channel: "kill.join", handle: "count" };
  await using child = new Child("consumer", config, { ...place, fault: "mid_join:1" });
  assertEquals((await child.ended()).signal, "SIGKILL");
  for (let counter = 0; counter < SIZE_BYTES / 8; counter++) {
    while (producer.offer(encode(1, counter, 40)) === BACK_PRESSURED) await producer.ready();
  }
  assertEquals(channel.stats().producers[0]!.repaired, 1);
});

Deno.test("Producer.write() asleep goes on when the consumer in its way is killed", async () => {
  using directory = new TestDirectory();
  const place = { directory: directory.path };
  using channel = createChannel("kill.write", { ...place, sizeBytes: SIZE_BYTES });
  const consumer = { channel: "kill.write", handle: "never" };
  await using stalled = new Child("consumer", consumer, place);
  await stalled.expect("open");
  await stalled.expect("stalled");
  const config = { channel: "kill.write", id: 1, operation: "offer", count: 500 };
  await using writer = new Child("producer", config, place);
  await writer.expect("open");
  await until("the writer waits", () => {
    return (channel.stats().producers[0]?.backPressured ?? 0) > 0;
  });
  stalled.kill();
  assertEquals(await writer.expect("end"), "500");
  await writer.succeeded();
});

/** Rounds of killing at random moments, over all lanes. */
const ROUNDS = IS_LONG ? 2_000 : 30;

Deno.test(`Consumer killed ${ROUNDS} times at random moments loses nothing`, async () => {
  const seed = seedOf(20_241);
  using directory = new TestDirectory();
  using channel = createChannel("kill.loop", { directory: directory.path, sizeBytes: 65536 });
  const names = ["lane-a", "lane-b"];
  for (const name of names) openConsumer(channel, { name }).close(); // Begins with message 1.
  const running = new Set(names);
  const lanes = names.map((name, i) =>
    runLane(channel, directory.path, name, new Random(seed + i), ROUNDS / 2)
      .finally(() => running.delete(name))
  );
  const producer = openProducer(channel);
  let counter = 0;
  let isDone = false;
  const all = Promise.all(lanes).finally(() => isDone = true);
  all.catch(() => {}); // Awaited below.
  while (!isDone) {
    const waiting = channel.stats().consumers.filter(({ name }) => running.has(name));
    const slowest = Math.min(counter, ...waiting.map(({ cursor }) => cursor));
    // Never a ring ahead of a dead one's cursor: what it did not acknowledge must stay there.
    while (counter - slowest < 500) producer.offer(encode(1, counter, lengthOf(counter++, 40)));
    await pause();
  }
  const redelivered = await all;
  note("killedConsumers", ROUNDS);
  note("redeliveredMessages", redelivered[0]! + redelivered[1]!);
});

/** Kills consumers of one name one after the other. Returns how many messages came again. */
async function runLane(
  channel: Channel,
  directory: string,
  name: string,
  random: Random,
  rounds: number,
): Promise<number> {
  let handled = 0;
  let redelivered = 0;
  for (let round = 0; round < rounds; round++) {
    const limit = 1 + random.below(40);
    const config = { channel: channel.name, name, from: "checkpoint", handle: "print", limit };
    await using child = new Child("consumer", config, { directory, isUnscoped: round % 2 === 1 });
    // Every fourth while it starts and joins, others soon after, others when they have done some.
    const isEarly = round % 4 === 0;
    if (isEarly) setTimeout(() => child.kill(), 20 + random.below(40));
    let untilKill = round % 4 === 2 ? 1 + random.below(20) : Infinity;
    let next = 0;
    for (let line = await child.line(); line !== undefined; line = await child.line()) {
      const [word, first, last] = line.split(" ");
      if (word === "open") {
        const cursor = Number(first);
        assert(cursor <= handled, `round ${round}: acknowledged ${cursor}, handled ${handled}`);
        redelivered += handled - cursor;
        next = cursor + 1;
        if (round % 2 === 1) setTimeout(() => child.kill(), random.below(60));
        continue;
      }
      assertEquals([word, Number(first)], ["handled", next], `round ${round} of ${name}`);
      next = Number(last) + 1;
      handled = Math.max(handled, next - 1);
      if (--untilKill === 0) child.kill();
    }
    const { signal, stderr } = await child.ended();
    assertEquals(signal, "SIGKILL", stderr);
  }
  assert(handled > rounds, `${name} has handled ${handled} messages in ${rounds} rounds`);
  return redelivered;
}

// What a channel with a log promises, as its options say: levels that are told, refusals, who
// writes, and how it ends.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  CorruptHeaderError,
  CorruptLogError,
  createChannel,
  LayoutMismatchError,
  MESSAGE_FLAGS,
  openChannel,
  openConsumer,
  openProducer,
  removeChannel,
} from "../mod.ts";
import { forgeIdentity, IDENTITY } from "./_format.ts";
import { TestLog } from "./_log.ts";
import { Logged, SEGMENT_BYTES, send } from "./_logged.ts";
import { drain, encode, pattern, range, ROOT, runChild, Scratch } from "./_support.ts";

const CRITICAL = MESSAGE_FLAGS.critical;

Deno.test("Producer.durable() says the level that was reached, and no higher one", async () => {
  using logged = new Logged();
  const levels: Record<string, [string, string]> = {};
  const cases = {
    none: { walDir: undefined, durability: undefined },
    memory: { durability: "memory" },
    disk: { durability: "disk" },
    interval: { durability: "disk", sync: { intervalMs: 5 } },
    "disk without sync": { durability: "disk", sync: "none" },
  } as const;
  for (const [name, options] of Object.entries(cases)) {
    const { walDir, durability, ...rest } = { walDir: logged.options.walDir, ...options };
    const common = { directory: logged.directory, sizeBytes: 4096, ...rest };
    using channel = createChannel(name.replaceAll(" ", "-"), {
      ...common,
      ...walDir === undefined ? {} : { walDir, segmentBytes: SEGMENT_BYTES },
      ...durability === undefined ? {} : { durability },
    });
    const producer = openProducer(channel);
    const sequence = producer.write(encode("x"));
    levels[name] = [await producer.durable(sequence), producer.waitDurable(sequence)];
    const [level] = levels[name]!;
    assert(channel.durability === level);
    if (level === "disk") assert(channel.stats().log!.durable >= sequence);
  }
  assertEquals(levels, {
    none: ["memory", "memory"],
    memory: ["memory", "memory"],
    disk: ["disk", "disk"],
    interval: ["disk", "disk"],
    "disk without sync": ["memory", "memory"],
  });
});

Deno.test("Critical message of a memory channel takes those before it to the disk", async () => {
  using logged = new Logged();
  const channel = logged.create({ durability: "memory" });
  const producer = openProducer(channel);
  const usual = producer.write(encode("usual"));
  assertEquals(await producer.durable(usual), "memory");
  assertEquals(channel.stats().log!.durable, 0);
  const critical = producer.write(encode("critical"), { flags: CRITICAL });
  assertEquals(await producer.durable(critical), "disk");
  assertEquals([await producer.durable(usual), channel.stats().log!.durable], ["disk", critical]);
  const claim = producer.tryClaim(1)!;
  const claimed = claim.publish(CRITICAL);
  assertEquals(producer.waitDurable(claimed), "disk");
  assertEquals(await producer.durable(producer.write(encode("later"))), "memory");
});

Deno.test("Producer.durable() serves many at once, and ends with its producer", async () => {
  using logged = new Logged();
  const channel = logged.create();
  const producer = openProducer(channel);
  const last = send(producer, 100);
  const later = Array.from({ length: 50 }, () => producer.write(pattern(500, 1)));
  const waits = [...later.toReversed(), ...range(1, last)].map((n) => producer.durable(n));
  assertEquals(new Set(await Promise.all(waits)), new Set(["disk"]));
  const error = await assertRejects(
    () => producer.durable(10_000, { timeoutMs: 5 }),
    Deno.errors.TimedOut,
    "Cannot make sequence 10000",
  );
  assert(error.message.includes(`found ${later.at(-1)} durable and the log's writer running`));
  assertThrows(() => producer.waitDurable(10_000, { timeoutMs: 5 }), Deno.errors.TimedOut);
  const open = producer.durable(10_000);
  producer.close();
  await assertRejects(() => open, Error, "found it closed");
  const other = openProducer(channel);
  for (const wrong of [0, -1, 1.5, NaN]) {
    await assertRejects(() => other.durable(wrong), RangeError, `wait for sequence ${wrong}`);
  }
});

Deno.test("createChannel() refuses options of a log that cannot be", () => {
  using logged = new Logged();
  const { walDir } = logged.options;
  const create = (options: object) => () =>
    createChannel("wrong", { directory: logged.directory, sizeBytes: 4096, ...options });
  const cases: [object, string][] = [
    [{ durability: "disk" }, 'with durability "disk": expected walDir as well'],
    [{ sync: "group" }, "with sync: expected walDir as well"],
    [{ walDir, durability: "tape" }, 'expected durability "memory" or "disk", found "tape"'],
    [{ walDir, sync: "never" }, 'expected sync "group" or "none", found "never"'],
    [{ walDir, sync: { intervalMs: 0 } }, "expected sync.intervalMs to be 1 to 1000000, found 0"],
    [{ walDir, segmentBytes: 4096 }, "expected segmentBytes to be whole pages from 262144"],
    [{ walDir, segmentBytes: 300_000 }, "found 300000"],
    [{ walDir, snapshotIntervalMs: -1 }, "expected snapshotIntervalMs to be 0 to 1e9, found -1"],
    [{ walDir, io: "fast" }, 'expected io "buffered" or "direct", found "fast"'],
    [{ walDir, persister: "me" }, 'expected persister "inside" or "outside", found "me"'],
    [{ walDir, retention: { maxBytes: 1 } }, "retention.maxBytes to be two segments or more"],
    [{ walDir, maxConsumers: 64 }, "expected maxConsumers to be 1 to 63, found 64"],
  ];
  for (const [options, text] of cases) {
    const error = assertThrows(create(options)) as Error;
    assert(error instanceof TypeError || error instanceof RangeError, `${error}`);
    assert(error.message.includes(text), `${error.message}: expected "${text}"`);
  }
  assertEquals([...Deno.readDirSync(logged.directory)], [], "nothing is left behind");
});

Deno.test("createChannel() refuses a ring or a log that is another one", () => {
  using logged = new Logged();
  logged.create({ alignment: 64 });
  const others: [object, string][] = [
    [{ walDir: `${logged.directory}/other` }, "walDir with the log"],
    [{ durability: "memory" }, "durability"],
    [{ sizeBytes: 4096 }, "sizeBytes"],
  ];
  for (const [options, what] of others) {
    const error = assertThrows(() => logged.create(options), LayoutMismatchError);
    assert(error.message.includes(`expected ${what}`), error.message);
  }
  using plain = new Scratch();
  plain.create();
  const walDir = `${plain.directory}/wal`;
  assertThrows(() => plain.create({ walDir }), LayoutMismatchError, "walDir with the log");
  using foreign = new Logged();
  foreign.create({ alignment: 64 }).close();
  Deno.removeSync(foreign.path());
  assertThrows(() => foreign.create({ alignment: 8 }), LayoutMismatchError, "log of another one");
  assertThrows(() => foreign.create({ timestamps: true }), LayoutMismatchError);
});

Deno.test("createChannel() that refuses a ring leaves its directory of logs as it was", () => {
  using scratch = new Scratch();
  const walDir = `${scratch.directory}/wal`;
  scratch.create().close();
  assertThrows(() => scratch.create({ walDir }), LayoutMismatchError, "found none");
  assertThrows(() => Deno.statSync(walDir), Deno.errors.NotFound);
  Deno.writeTextFileSync(scratch.path(), "no ring file");
  assertThrows(() => scratch.create({ walDir }), CorruptHeaderError);
  assertThrows(() => Deno.statSync(walDir), Deno.errors.NotFound);
  Deno.removeSync(scratch.path());
  using log = new TestLog(100);
  removeChannel("test", { directory: log.root });
  createChannel("test", { directory: log.root, sizeBytes: "64KB" }).close();
  const before = log.copy();
  assertThrows(() => createChannel("test", log.options), LayoutMismatchError, "found none");
  assertEquals([log.changedSince(before), log.files()], [[], [...before.keys()].sort()]);
});

Deno.test("Channel.close() writes everything that was published, and the end", () => {
  using logged = new Logged();
  for (const sync of ["group", "none", { intervalMs: 1000 }] as const) {
    const channel = logged.create({ sync });
    const producer = openProducer(channel);
    for (let i = 0; i < 100; i++) producer.write(pattern(100, i));
    const { nextSequence } = channel.stats();
    channel.close();
    const again = logged.remakeRing({ sync });
    const { verdict, clean, lastSequence } = again.recovered!;
    assertEquals([verdict, clean, lastSequence], ["whole", true, nextSequence - 1]);
    assertEquals(drain(openConsumer(again, { from: 1 })), range(1, nextSequence - 1));
    again.close();
    Deno.removeSync(logged.path());
  }
});

Deno.test("Two channels of one directory of logs do not meet", () => {
  using logged = new Logged();
  const [one, other] = ["one", "other"].map((name) => logged.create({}, name));
  assertEquals([send(openProducer(one!), 3), send(openProducer(other!), 5)], [3, 5]);
  assertEquals(one!.logDirectory, `${logged.options.walDir}/one`);
  assertEquals(drain(openConsumer(one!, { from: 1 })), [1, 2, 3]);
  assertEquals(drain(openConsumer(other!, { from: 1 })), [1, 2, 3, 4, 5]);
});

Deno.test("Persister outside leaves the log to the next that is inside", async () => {
  using logged = new Logged();
  const outside = logged.create({ persister: "outside" });
  const producer = openProducer(outside);
  const sequence = producer.write(encode("x"));
  await assertRejects(
    () => producer.durable(sequence, { timeoutMs: 20 }),
    Deno.errors.TimedOut,
    "found 0 durable and the log's writer absent",
  );
  logged.create();
  assertEquals(await producer.durable(sequence), "disk");
});

Deno.test("createChannel() refuses a log of which a segment is gone", () => {
  using logged = new Logged();
  const channel = logged.create();
  send(openProducer(channel), 3000);
  const { logDirectory } = channel;
  channel.close();
  const names = [...Deno.readDirSync(logDirectory!)].map(({ name }) => name);
  Deno.removeSync(`${logDirectory}/${names.filter((name) => /wal$/.test(name)).sort()[1]}`);
  const error = assertThrows(() => logged.remakeRing(), CorruptLogError);
  assertEquals([error.kind, error.file], ["segment-missing", "00000002"]);
});

/** Runs a script in a process that may read and write some directories only. */
async function runNarrow(script: string, flags: string[]): Promise<string> {
  const code = `import * as mt from "${new URL("../mod.ts", import.meta.url)}";\n${script}`;
  const url = `data:text/typescript,${encodeURIComponent(code)}`;
  const library = `--allow-ffi=${ROOT}zig-out`;
  const ended = await runChild(["run", "--no-prompt", "--no-lock", library, ...flags, url]);
  return ended.code === 0 ? ended.stdout.trim() : ended.stderr;
}

Deno.test("createChannel() demands permission for the directory of logs", async () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const ring = `${directory}/ring`;
  Deno.mkdirSync(ring, { mode: 0o700 });
  const script = `mt.createChannel("narrow", {
    directory: "${ring}", sizeBytes: 4096, walDir: "${directory}/wal" });`;
  for (const missing of ["read", "write"]) {
    const flags = ["read", "write"].map((name) =>
      name === missing ? `--allow-${name}=${ring}` : `--allow-${name}=${directory}`
    );
    const found = await runNarrow(script, flags);
    assert(found.includes(`Requires ${missing} access to "${directory}/wal"`), found);
  }
  assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name), ["ring"]);
});

Deno.test("openConsumer() demands permission to read the log", async () => {
  using logged = new Logged();
  const channel = logged.create();
  const bufferFile = channel.bufferFile;
  const script = `using channel = mt.openChannel("test", { bufferFile: "${bufferFile}" });
    mt.openConsumer(channel);`;
  const found = await runNarrow(script, [
    `--allow-read=${bufferFile}`,
    `--allow-write=${bufferFile}`,
  ]);
  assert(found.includes(`Requires read access to "${channel.logDirectory}"`), found);
});

Deno.test("Process with a persister and nothing else to do ends by itself", async () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const script = `const channel = mt.createChannel("idle", { directory: "${directory}",
      sizeBytes: 4096, walDir: "${directory}/wal", durability: "disk", segmentBytes: 262144 });
    const producer = mt.openProducer(channel);
    console.log(await producer.durable(producer.write(new Uint8Array(8))));`;
  const flags = [`--allow-read=${directory}`, `--allow-write=${directory}`];
  assertEquals(await runNarrow(script, flags), "disk");
  const walDir = `${directory}/wal`;
  const options = { directory, walDir, durability: "disk", segmentBytes: 262144 } as const;
  using channel = createChannel("idle", options);
  assertEquals(drain(openConsumer(channel, { from: 1 })), [1]);
});

const IS_LONG = Deno.env.get("MT_LONG") === "1";
const holds = "createChannel() says who holds the log where there is no ring to come";
const heldName = IS_LONG ? holds : `${holds} (waits a minute: only with MT_LONG=1)`;

Deno.test({ name: heldName, ignore: !IS_LONG }, async () => {
  using logged = new Logged();
  const channel = logged.create();
  Deno.removeSync(channel.bufferFile);
  const { directory } = logged;
  const script = `mt.createChannel("test", { directory: "${directory}", sizeBytes: 65536,
    walDir: "${directory}/wal", segmentBytes: 262144, durability: "disk" });`;
  const flags = [`--allow-read=${directory}`, `--allow-write=${directory}`];
  const found = await runNarrow(script, flags);
  assert(found.includes(`held by live process ${Deno.pid}, and no ring file`), found);
});

Deno.test("Ring of before the host's start is made anew behind the log's end", () => {
  using logged = new Logged();
  const channel = logged.create();
  const producer = openProducer(channel);
  const consumer = openConsumer(channel, { name: "resumed", from: 1 });
  const last = send(producer, 50);
  consumer.poll(() => {}, 20);
  const { epoch } = channel.stats().log!;
  channel.close();
  forgeIdentity(logged.path(), (view) => {
    view.setUint8(IDENTITY.bootId, view.getUint8(IDENTITY.bootId) ^ 1);
  });
  assertThrows(
    () => openChannel("test", { directory: logged.directory }),
    Deno.errors.NotFound,
    "found a ring of before this host's last start",
  );
  const again = logged.create();
  assertEquals(again.stats().log!.epoch, epoch + 1);
  assertEquals([again.stats().producers, again.stats().consumers.length], [[], 1]);
  assertEquals(send(openProducer(again), 1), last + 1);
  const resumed = openConsumer(again, { name: "resumed" });
  assertEquals(resumed.cursor, 20);
  assertEquals(drain(resumed), range(21, last + 1));
});

Deno.test("createChannel() writes again what a log has lost and the ring still has", () => {
  using scratch = new Logged();
  const log = `${scratch.directory}/wal/test`;
  {
    using channel = scratch.create({ sync: { intervalMs: 1_000 } });
    send(openProducer(channel), 5);
  }
  const older = [...Deno.readDirSync(log)].map(({ name }) => name)
    .map((name) => [name, Deno.readFileSync(`${log}/${name}`)] as const);
  {
    using channel = scratch.create();
    send(openProducer(channel), 10);
  }
  // As after a power cut of the log's disk alone, or a copy put back.
  for (const [name, bytes] of older) Deno.writeFileSync(`${log}/${name}`, bytes);
  using channel = scratch.create();
  assertEquals(channel.recovered?.lastSequence, 5);
  const producer = openProducer(channel);
  assertEquals(send(producer, 1), 16);
  Deno.removeSync(scratch.path());
  channel.close();
  using again = scratch.create();
  assertEquals(again.recovered?.lastSequence, 16);
  const consumer = openConsumer(again, { from: "earliest" });
  assertEquals(drain(consumer), range(1, 16));
});

// Channels by name: what may be created, what an existing one is compared with, and what is left
// when it is closed or removed.

import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  ChannelClosedError,
  type ChannelOptions,
  createChannel,
  defineSchema,
  LayoutMismatchError,
  listChannels,
  openChannel,
  openConsumer,
  openObserver,
  openProducer,
  removeChannel,
  type Size,
} from "../mod.ts";
import { readShape } from "./_format.ts";
import { drain, encode, pollTexts, Scratch } from "./_support.ts";

const NAMES_REFUSED = [
  "",
  "/",
  "a/b",
  "/etc/passwd",
  "..",
  "../a",
  ".",
  ".a",
  "a b",
  "a\0b",
  "a\n",
  "ä",
  "日本",
  "a\\b",
  "a:b",
  "~",
  "x".repeat(97),
  "x".repeat(200),
];

Deno.test("createChannel() refuses a name that is none, and makes no file", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  for (const name of NAMES_REFUSED) {
    for (const attempt of [createChannel, openChannel, removeChannel]) {
      assertThrows(() => attempt(name, { directory }), RangeError, "as the name of a channel");
    }
  }
  const error = assertThrows(() => createChannel("x".repeat(200), { directory }), RangeError);
  assert(error.message.includes("200 characters"), error.message);
  assertEquals([...Deno.readDirSync(directory)], []);
});

Deno.test("createChannel() takes every name that is one", () => {
  using scratch = new Scratch();
  const names = ["a", "-", "_", "a.b", "a..b", "A-Z_0.9", "a.ring", "x".repeat(96)];
  for (const name of names) {
    const channel = scratch.create({}, name);
    assertEquals([channel.name, channel.bufferFile], [name, scratch.path(name)]);
    assertEquals(scratch.open({}, name).name, name);
  }
  const listed = listChannels({ directory: scratch.directory });
  assertEquals(listed.map(({ name }) => name), names.toSorted());
});

Deno.test("createChannel() reads sizes as numbers and as text", () => {
  const sizes: [Size, number][] = [
    [4096, 4096],
    ["4096", 4096],
    ["4KB", 4096],
    ["4k", 4096],
    [" 64 KiB ", 65536],
    ["1MB", 2 ** 20],
    ["1m", 2 ** 20],
  ];
  for (const [sizeBytes, expected] of sizes) {
    using scratch = new Scratch();
    const channel = scratch.create({ sizeBytes });
    assertEquals(channel.sizeBytes, expected);
    const shape = readShape(Deno.readFileSync(scratch.path()));
    assertEquals(shape.capacity, expected);
    assertEquals(Deno.statSync(scratch.path()).size, shape.headerBytes + expected);
  }
  using scratch = new Scratch();
  assertEquals(createChannel("d", { directory: scratch.directory }).sizeBytes, 8 * 2 ** 20);
});

Deno.test("createChannel() refuses options that are out of range, and makes no file", () => {
  using scratch = new Scratch();
  const wrong: [ChannelOptions, string][] = [
    ...[0, -4096, 1, 2048, 4095, 4097, 5000, 12288, 2 ** 37, 2 ** 60, NaN, Infinity, 4096.5].map((
      sizeBytes,
    ): [ChannelOptions, string] => [{ sizeBytes }, `found ${sizeBytes}`]),
    [{ sizeBytes: "2KB" }, "found 2048"],
    [{ sizeBytes: "3MB" }, "power of two"],
    [{ sizeBytes: "128GB" }, "power of two"],
    ...["", "MB", "-4KB", "4.5KB", "4 PB", "0x1000", "4096 bytes"].map((
      sizeBytes,
    ): [ChannelOptions, string] => [{ sizeBytes }, `Cannot read "${sizeBytes}" as a size`]),
    ...[0, -1, 65, 1.5, NaN].map((
      maxConsumers,
    ): [ChannelOptions, string] => [{ maxConsumers }, `found ${maxConsumers}`]),
    ...[0, 4, 7, 12, 1024, NaN].map((
      alignment,
    ): [ChannelOptions, string] => [{ alignment }, `found ${alignment}`]),
    ...[-1, 0.5, 2 ** 32 - 1, 2 ** 32, NaN].map((
      group,
    ): [ChannelOptions, string] => [{ group }, `with group ${group}`]),
    [{ directory: `${scratch.directory}\0` }, "zero character"],
  ];
  for (const [options, text] of wrong) {
    assertThrows(() => scratch.create(options), RangeError, text, JSON.stringify(options));
  }
  const producers = "two" as "many";
  assertThrows(() => scratch.create({ producers }), TypeError, `found "two"`);
  const bufferFile = `${scratch.directory}/other`;
  assertThrows(() => scratch.create({ bufferFile }), TypeError, "found both");
  assertEquals([...Deno.readDirSync(scratch.directory)], []);
});

Deno.test("createChannel() takes the limits of its options", () => {
  for (const alignment of [8, 512]) {
    for (const maxConsumers of [1, 64]) {
      for (const producers of ["single", "many"] as const) {
        using scratch = new Scratch();
        const options = { alignment, maxConsumers, producers, timestamps: true, prefault: false };
        const channel = scratch.create(options);
        assertEquals(channel.alignment, alignment);
        assertEquals(channel.maxConsumers, maxConsumers);
        assertEquals(channel.producers, producers);
        assertEquals(channel.timestamps, true);
        const consumer = openConsumer(channel);
        openProducer(scratch.open({ prefault: false })).offer(encode("a"));
        assertEquals(pollTexts(consumer), ["a"]);
      }
    }
  }
});

Deno.test("createChannel() makes a file for this user alone", () => {
  using scratch = new Scratch();
  scratch.create();
  assertEquals(Deno.statSync(scratch.path()).mode! & 0o7777, 0o600);
  assertEquals([...Deno.readDirSync(scratch.directory)].map(({ name }) => name), ["test.ring"]);
});

Deno.test("createChannel() opens the channel that is there", () => {
  using scratch = new Scratch();
  const first = scratch.create({ alignment: 8, producers: "many", timestamps: true });
  const consumer = openConsumer(first);
  const second = createChannel("test", { directory: scratch.directory });
  assertEquals(second.sizeBytes, 4096, "an option that is not named may be anything");
  const third = scratch.create({
    sizeBytes: "4KB",
    alignment: 8,
    producers: "many",
    timestamps: true,
  });
  assertEquals(second.identity, first.identity);
  openProducer(second).offer(encode("a"));
  openProducer(third).offer(encode("b"));
  assertEquals(pollTexts(consumer), ["a", "b"]);
  second.close();
});

Deno.test("createChannel() names the option in which the channel that is there differs", () => {
  using scratch = new Scratch();
  scratch.create();
  const { directory } = scratch;
  const others: [ChannelOptions, string, string][] = [
    [{ sizeBytes: 8192 }, "8192", "4096"],
    [{ sizeBytes: "64KB" }, "65536", "4096"],
    [{ producers: "many" }, "many", "single"],
    [{ maxConsumers: 5 }, "5", "4"],
    [{ alignment: 8 }, "8", "64"],
    [{ timestamps: true }, "true", "false"],
  ];
  for (const [options, expected, actual] of others) {
    const open = () => createChannel("test", { directory, ...options });
    const name = Object.keys(options)[0]!;
    const error = assertThrows(open, LayoutMismatchError, `expected ${name} ${expected}`);
    assertEquals([error.expected, error.actual], [expected, actual]);
    assertEquals(error.path, scratch.path());
    assert(error.message.includes(`found ${actual}`), error.message);
  }
});

Deno.test("openChannel() compares schemas and shows both", () => {
  using scratch = new Scratch();
  const trade = defineSchema("Trade", { price: "i64", size: "f64" });
  const quote = defineSchema("Quote", { price: "i64", size: "u32" });
  const channel = scratch.create({ schema: trade }, "trades");
  assertEquals(channel.schemaText, trade.text);
  assertEquals(scratch.open({ schema: trade }, "trades").schemaText, trade.text);
  assertEquals(scratch.open({}, "trades").schemaText, trade.text, "who names none takes any");
  scratch.create({}, "plain");
  const { directory } = scratch;
  const attempts: [string, () => unknown, string][] = [
    ["trades", () => openChannel("trades", { directory, schema: quote }), trade.text],
    ["trades", () => createChannel("trades", { directory, schema: quote }), trade.text],
    ["plain", () => openChannel("plain", { directory, schema: quote }), "none"],
  ];
  for (const [name, attempt, actual] of attempts) {
    const error = assertThrows(attempt, LayoutMismatchError, "expected schema");
    assertEquals([error.expected, error.actual], [quote.text, actual]);
    assertEquals(error.path, scratch.path(name));
    for (const text of [quote.text, actual]) assert(error.message.includes(text), error.message);
  }
});

Deno.test("bufferFile names the file, whatever the channel is called", () => {
  using scratch = new Scratch();
  const bufferFile = `${scratch.directory}/somewhere.bin`;
  using channel = createChannel("orders", { bufferFile, sizeBytes: 4096 });
  using same = openChannel("orders", { bufferFile });
  assertEquals([channel.bufferFile, same.bufferFile], [bufferFile, bufferFile]);
  assertEquals(listChannels({ directory: scratch.directory }), []);
  removeChannel("orders", { bufferFile });
  assertThrows(() => openChannel("orders", { bufferFile }), Deno.errors.NotFound);
});

Deno.test("listChannels() lists ring files by name and nothing else", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  assertEquals(listChannels({ directory }), []);
  assertEquals(listChannels({ directory: `${directory}/absent` }), []);
  for (const name of ["b", "a", "c.d"]) scratch.create({}, name);
  for (const name of ["e.txt", ".hidden.ring", ".ring", "f g.ring", "ring"]) {
    Deno.writeTextFileSync(`${directory}/${name}`, "");
  }
  Deno.writeTextFileSync(`${directory}/garbage.ring`, ""); // Opening it tells.
  assertEquals(
    listChannels({ directory }),
    ["a", "b", "c.d", "garbage"].map((name) => ({ name, bufferFile: scratch.path(name) })),
  );
});

Deno.test("listChannels() lists more than one buffer holds", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const names = Array.from({ length: 300 }, (_, i) => `${"long-name-".repeat(8)}${1000 + i}`);
  for (const name of names) Deno.writeTextFileSync(scratch.path(name), "");
  assertEquals(listChannels({ directory }).map(({ name }) => name), names);
});

Deno.test("removeChannel() leaves those who have it open among themselves", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const channel = scratch.create();
  const consumer = openConsumer(channel);
  const producer = openProducer(scratch.open());
  assertEquals(channel.stats().hasName, true);
  removeChannel("test", { directory });
  assertEquals(channel.stats().hasName, false);
  assertEquals(listChannels({ directory }), []);
  assertThrows(() => openChannel("test", { directory }), Deno.errors.NotFound);
  producer.offer(encode("a"));
  assertEquals(pollTexts(consumer), ["a"]);

  const next = scratch.create();
  assertNotEquals(next.identity.salt, channel.identity.salt);
  openProducer(next).offer(encode("b"));
  assertEquals([drain(consumer), channel.stats().hasName], [[], false]);
  removeChannel("test", { directory });
  assertThrows(() => removeChannel("test", { directory }), Deno.errors.NotFound);
});

Deno.test("Channel.close() closes what was opened on it and may be repeated", () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  const other = scratch.open();
  const producer = openProducer(channel);
  const consumer = openConsumer(channel, { name: "mine" });
  const observer = openObserver(channel);
  const claim = producer.tryClaim(5)!;
  assert(channel.isOpen && producer.isOpen && consumer.isOpen && observer.isOpen);
  channel.close();
  channel.close();
  assert(!channel.isOpen && !producer.isOpen && !consumer.isOpen && !observer.isOpen);
  const attempts = [
    () => channel.stats(),
    () => channel.latency(0, [0.5]),
    () => openProducer(channel),
    () => openConsumer(channel),
    () => openObserver(channel),
    () => producer.offer(encode("a")),
    () => claim.publish(),
    () => consumer.poll(() => {}),
    () => consumer.ack(),
    () => consumer.cursor,
    () => observer.poll(() => {}),
  ];
  for (const attempt of attempts) assertThrows(attempt, ChannelClosedError, `channel "test"`);
  assertEquals([channel.name, channel.sizeBytes], ["test", 4096], "what it was stays known");
  assertEquals(other.stats().producers, []);
  assertEquals(other.stats().consumers[0]?.state, "detached");
});

Deno.test("using closes channels, producers and consumers", () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  {
    using _producer = openProducer(channel);
    using _consumer = openConsumer(channel);
    using opening = scratch.open();
    using _observer = openObserver(opening);
    assertEquals(channel.stats().consumers.length, 1);
  }
  assertEquals([channel.stats().producers, channel.stats().consumers], [[], []]);
});

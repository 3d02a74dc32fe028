// Verifying and reading logs and rings without their channel.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  CorruptHeaderError,
  CorruptLogError,
  createChannel,
  openProducer,
  readLog,
  salvageLog,
  SequenceGapError,
  verifyLog,
  verifyRing,
} from "../mod.ts";
import { SEGMENT_BYTES, TestLog, textOf } from "./_log.ts";
import { encode, pattern, range, Scratch } from "./_support.ts";

/** Messages that fill more than two segments. */
const COUNT = 5_000;

/** Offset of a segment's first group and of its first record, bytes of a slot: docs/format.md. */
const FIRST_GROUP = 4096;
const FIRST_RECORD = FIRST_GROUP + 64;
const CONTROL_SLOT_BYTES = 12_288;

Deno.test("verifyLog() finds a closed log whole, and reads all of it", async () => {
  using log = new TestLog(COUNT);
  const seen: number[] = [];
  const found = await verifyLog(log.directory, { onProgress: ({ done }) => seen.push(done) });
  const { verdict, findings, channel, segments, records, bytes } = found;
  assertEquals([verdict, findings, channel, records], ["whole", [], "test", COUNT]);
  assertEquals([found.firstSequence, found.lastSequence], [1, COUNT]);
  assert(segments >= 3 && segments === log.segments().length);
  assertEquals(bytes, segments * SEGMENT_BYTES);
  assertEquals(seen, range(1, segments));
  assertEquals([found.tornBytes, found.isWritten, found.soundSlots], [0, false, 2]);
  assertEquals((await verifyLog(log.directory, { direct: true })).records, COUNT);
});

Deno.test("verifyLog() finds no damage in a log that is being written and cut", async () => {
  using log = new TestLog(100, { snapshotIntervalMs: 1 });
  const cap = { maxBytes: 2 * SEGMENT_BYTES, whenFull: "cut" as const };
  using channel = createChannel("test", { ...log.options, retention: cap });
  const producer = openProducer(channel);
  const message = pattern(3000, 1);
  let isOver = false;
  let verified = 0;
  const verifying = (async () => {
    while (!isOver) {
      const found = await verifyLog(log.directory);
      assertEquals([found.verdict, found.findings], ["whole", []]);
      assertEquals([found.isWritten, found.writerPid], [true, Deno.pid]);
      verified++;
    }
  })();
  verifying.catch(() => isOver = true); // Awaited below.
  for (let turn = 0; !isOver && (turn < 300 || verified <= 10); turn++) {
    for (let count = 0; count < 20; count++) producer.write(message);
    await new Promise((resolve) => setTimeout(resolve));
  }
  isOver = true;
  await verifying;
  assert(channel.stats().log!.oldest > 1, "nothing was cut");
  // While it is cut, the last segment that was listed may be gone before it is read. Not so now.
  const last = producer.write(message);
  assertEquals(await producer.durable(last), "disk");
  assertEquals((await verifyLog(log.directory)).lastSequence, last);
});

Deno.test("verifyLog() finds no damage in a slot that a live writer may be at", async () => {
  using log = new TestLog(100);
  {
    using channel = createChannel("test", { ...log.options, snapshotIntervalMs: 1e6 });
    const producer = openProducer(channel);
    // Twice: in its first turn it also writes down who needs what, and then no more.
    for (let turn = 0; turn < 2; turn++) producer.waitDurable(producer.write(encode("turn")));
    for (const slot of [0, CONTROL_SLOT_BYTES]) {
      log.flip("control", slot + 100);
      const { verdict, findings, soundSlots, isWritten } = await verifyLog(log.directory);
      assertEquals([verdict, findings, soundSlots, isWritten], ["whole", [], 1, true]);
      log.flip("control", slot + 100);
    }
  }
  log.flip("control", 100);
  const { verdict, findings } = await verifyLog(log.directory);
  assertEquals([verdict, findings.map(({ kind }) => kind)], ["whole", ["control-slot"]]);
});

Deno.test("verifyLog() names lost intervals, and salvageLog() hands over the rest", async () => {
  using log = new TestLog(COUNT);
  const [first, second, third] = log.segments() as [string, string, string];
  log.flip(first, FIRST_RECORD + 20); // In the payload of record 1.
  log.flip(second, FIRST_GROUP + 30); // In a group's own record: costs no message.
  const begin = log.firstOf(third);
  log.write(third, FIRST_GROUP, new Uint8Array(512)); // Its first group's record, and some more.
  const { verdict, findings, records } = await verifyLog(log.directory);
  assertEquals(verdict, "corrupt");
  assertEquals(findings.map(({ kind, file }) => [kind, file]), [
    ["record", first],
    ["group", second],
    ["group", third],
  ]);
  const [one, two, three] = findings.map((found) => [found.expectedSequence, found.nextSequence]);
  assertEquals(one, [1, 2]);
  assertEquals(two![0], two![1]);
  assertEquals(three![0], begin);
  const lostRecords = three![1]! - begin;
  assert(lostRecords > 0 && lostRecords <= 7, `${lostRecords} records in 448 bytes`);
  const left: string[] = [];
  const salvage = salvageLog(log.directory, { onMessage: ({ text }) => left.push(text) });
  assertEquals(salvage.lost, [{ from: 1, to: 1 }, { from: begin, to: three![1]! - 1 }]);
  assertEquals([salvage.records, salvage.messages], [records, records]);
  const isLeft = (sequence: number) => sequence > 1 && (sequence < begin || sequence >= three![1]!);
  assertEquals(left, range(1, COUNT).filter(isLeft).map(textOf));
  const error = assertThrows(() => log.texts(), CorruptLogError);
  assertEquals([error.kind, error.file, error.expectedSequence], ["record", first, 1]);
});

Deno.test("salvageLog() names the messages that lack parts", () => {
  using log = new TestLog(10);
  using channel = createChannel("test", log.options);
  const producer = openProducer(channel);
  producer.write(pattern(30_000, 1)); // In four records.
  producer.write(encode("behind"));
  channel.close();
  const whole: number[] = [];
  const lengths = salvageLog(log.directory, { onMessage: ({ sequence }) => whole.push(sequence) });
  assertEquals([lengths.lost, lengths.incomplete], [[], []]);
  const [split, last] = whole.slice(-2) as [number, number];
  assert(split > 11, "the long message was not split");
  const marker = pattern(30_000, 1).subarray(20_000, 20_016);
  const bytes = Deno.readFileSync(log.path(log.segments()[0]!));
  const at = bytes.findIndex((_, i) => marker.every((byte, k) => bytes[i + k] === byte));
  log.flip(log.segments()[0]!, at);
  const left: number[] = [];
  const salvage = salvageLog(log.directory, { onMessage: ({ sequence }) => left.push(sequence) });
  assertEquals([left, salvage.lost.length], [[...range(1, 10), last], 1]);
  assertEquals(salvage.incomplete, [split]);
});

Deno.test("readLog() reads any interval, also where a split message crosses segments", () => {
  using log = new TestLog(COUNT);
  assertEquals(log.texts(), range(1, COUNT).map(textOf));
  const middle = log.firstOf(log.segments()[1]!);
  for (const [from, to] of [[1, 1], [middle - 1, middle + 1], [middle, middle], [COUNT, 9e9]]) {
    const expected = range(from!, Math.min(to!, COUNT)).map(textOf);
    assertEquals(log.texts({ from: from!, to: to! }), expected);
  }
  assertEquals(log.texts({ from: COUNT + 1 }), []);
  assertThrows(() => log.texts({ from: 0 }), RangeError);
  using channel = createChannel("test", { ...log.options, sizeBytes: "64KB" });
  const producer = openProducer(channel);
  const long = pattern(30_000, 3);
  const before = log.segments().length;
  const sequences = range(1, 60).map(() => producer.write(long));
  channel.close();
  assert(log.segments().length > before + 3);
  for (const sequence of sequences) {
    const [message] = readLog(log.directory, { from: sequence, to: sequence });
    assertEquals([message?.sequence, message?.length], [sequence, long.length]);
  }
});

Deno.test("readLog() says that a sequence was cut, or that there is no log", async () => {
  using log = new TestLog(COUNT);
  const cap = { maxBytes: 2 * SEGMENT_BYTES, whenFull: "cut" as const };
  using channel = createChannel("test", { ...log.options, retention: cap });
  const producer = openProducer(channel);
  const message = encode("x".repeat(3000));
  for (let count = 0; count < 300; count++) producer.write(message);
  channel.close();
  const { verdict, firstSequence } = await verifyLog(log.directory);
  assertEquals(verdict, "whole");
  assert(firstSequence > 2);
  assertThrows(() => log.texts({ from: 2 }), SequenceGapError);
  assertEquals(log.texts().length, log.texts({ from: firstSequence }).length);
  const none = `${log.root}/wal`;
  await assertRejects(() => verifyLog(none), Deno.errors.NotFound, "found no log in it");
  await assertRejects(() => verifyLog(`${none}/none`), Deno.errors.NotFound);
  assertThrows(() => salvageLog(none), Deno.errors.NotFound);
});

Deno.test("verifyRing() counts what is in the ring, and names the first damage", () => {
  using scratch = new Scratch();
  const channel = scratch.create({ sizeBytes: 65536 });
  assertEquals(verifyRing(channel.bufferFile).messages, 0);
  const producer = openProducer(channel);
  for (let sequence = 1; sequence <= 100; sequence++) producer.offer(encode(textOf(sequence)));
  const sound = verifyRing(channel.bufferFile);
  assertEquals([sound.channel, sound.firstSequence, sound.lastSequence], ["test", 1, 100]);
  assertEquals([sound.messages, sound.damage], [100, undefined]);
  const bytes = Deno.readFileSync(channel.bufferFile);
  const marker = encode("message 42 ");
  const at = bytes.findIndex((_, i) => marker.every((byte, k) => bytes[i + k] === byte));
  using file = Deno.openSync(channel.bufferFile, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(encode("M"));
  const { damage, messages } = verifyRing(channel.bufferFile);
  assertEquals([messages, damage?.sequence, damage?.path], [41, 42, channel.bufferFile]);
  Deno.writeTextFileSync(scratch.path("none"), "no ring file");
  assertThrows(() => verifyRing(scratch.path("none")), CorruptHeaderError);
});

Deno.test("verifyRing() of a channel with a log reads in the ring alone", () => {
  using log = new TestLog(COUNT);
  const { messages, firstSequence, lastSequence } = verifyRing(`${log.root}/test.ring`);
  assert(firstSequence > 1);
  assertEquals([messages, lastSequence], [COUNT - firstSequence + 1, COUNT]);
});

Deno.test("A log opened with another size of segments knows how many bytes it has", () => {
  using log = new TestLog(COUNT);
  using channel = createChannel("test", { ...log.options, segmentBytes: 4 * SEGMENT_BYTES });
  const { logBytes, segments } = channel.stats().log!;
  assertEquals([logBytes, segments], [segments * SEGMENT_BYTES, log.segments().length]);
  const producer = openProducer(channel);
  const message = pattern(3000, 1);
  while (channel.stats().log!.segments === segments) producer.write(message);
  const sizes = log.segments().map((name) => Deno.statSync(log.path(name)).size);
  assertEquals(channel.stats().log!.logBytes, sizes.reduce((total, size) => total + size));
});

// Journals as they are written: files, rotation, acknowledgements, and going on after any end.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  ChannelClosedError,
  createChannel,
  defineSchema,
  openProducer,
  removeChannel,
} from "../mod.ts";
import { openJournal } from "../lib/market/journal/open_journal.ts";
import { JournalScratch, readAll, sequencesIn, tradeOf } from "./_journal.ts";
import { range, Scratch } from "./_support.ts";

const trades = (first: number, last: number) => range(first, last).map((id) => tradeOf(id));

Deno.test("Journal writes lines that tell the message, and nobody else may read them", async () => {
  using test = new JournalScratch({ timestamps: true });
  const nowUs = () => Date.UTC(2026, 0, 31, 12, 34, 56) * 1000 + 789_012;
  await test.journalOf([tradeOf(41)], { nowUs });
  assertEquals(test.names(), ["test-20260131-123456-0000000000000001.ndjson"]);
  const modes = [`${test.root}/`, `${test.directory}/`, test.file].map((path) =>
    Deno.statSync(path).mode! & 0o777
  );
  assertEquals(modes, [0o700, 0o700, 0o600]);
  const [header, line] = Deno.readTextFileSync(test.file).trimEnd().split("\n")
    .map((text) => JSON.parse(text));
  assertEquals([header.journal, header.channel], [1, "test"]);
  assertEquals([line.sequence, line.journalTimeUs], [1, nowUs()]);
  assert(line.publishTimeUs <= nowUs(), `published at ${line.publishTimeUs}`);
  assertEquals(line.layout.split(":")[0], "trade");
  const { kind, tradeId, price, isBuyerMaker } = line.fields;
  assertEquals([kind, tradeId, price, isBuyerMaker], [1, 41, 6_168_599, false]);
});

Deno.test("Journal of a channel with a schema tells that schema's fields", async () => {
  const Tick = defineSchema("tick", { value: "f64", label: "char[8]", history: "i32[4]" });
  using test = new JournalScratch({ schema: Tick });
  const bytes = new Uint8Array(Tick.sizeBytes);
  const tick = Tick.accessor().wrap(new DataView(bytes.buffer), 0);
  tick.value = 0.1;
  tick.label = 'a"\\b';
  tick.setHistory(1, -5);
  await test.journalOf([bytes]);
  const { records } = await readAll(test.directory);
  assertEquals(records[0]?.layout, "tick");
  assertEquals(records[0]?.fields, { value: 0.1, label: 'a"\\b', history: [0, -5] });
  assertEquals(records[0]?.payload, bytes);
});

Deno.test("Journal begins a file with the day, and none when the clock goes back", async () => {
  using test = new JournalScratch();
  let now = Date.UTC(2026, 1, 28, 23, 59, 59);
  const journal = test.open({ nowUs: () => now * 1000, sync: "batch" });
  const step = async (ms: number, id: number) => {
    now += ms;
    await test.send(tradeOf(id));
    while (journal.stats.lastSequence < id) await new Promise((done) => setTimeout(done, 1));
  };
  await step(0, 1);
  await step(999, 2);
  await step(1, 3);
  await step(-5_000, 4);
  await step(86_405_000, 5);
  const { files } = await journal.stop();
  assertEquals(files, 3);
  assertEquals(test.names(), [
    "test-20260228-235959-0000000000000001.ndjson",
    "test-20260301-000000-0000000000000003.ndjson",
    "test-20260302-000000-0000000000000005.ndjson",
  ]);
  assertEquals(await sequencesIn(test.directory), [1, 2, 3, 4, 5]);
  const middle = await sequencesIn(`${test.directory}/${test.names()[1]}`);
  assertEquals(middle, [3, 4]);
});

Deno.test("Journal begins another file when one is full, whose names sort as written", async () => {
  using test = new JournalScratch();
  const nowUs = () => Date.UTC(2026, 0, 1) * 1000; // All in one second.
  await test.journalOf(trades(1, 1000), { rotateBytes: 64 * 1024, nowUs });
  const names = test.names();
  assert(names.length > 3, `${names}`);
  for (const name of names) {
    const { size } = Deno.statSync(`${test.directory}/${name}`);
    assert(size <= 64 * 1024, `${name} has ${size} bytes`);
  }
  assertEquals(await sequencesIn(test.directory), range(1, 1000));
});

Deno.test("Journal acknowledges what is written, and by an interval what is synced", async () => {
  for (const sync of ["batch", "none", { intervalMs: 5 }] as const) {
    using test = new JournalScratch();
    const journal = test.open({ sync });
    await test.send(...trades(1, 100));
    const cursor = () => test.channel.stats().occupancy;
    while (cursor() > 0) await new Promise((done) => setTimeout(done, 1));
    assertEquals(await sequencesIn(test.directory), range(1, 100));
    await journal.stop();
  }
});

Deno.test("Journal with a long interval acknowledges when the ring needs the room", async () => {
  using test = new JournalScratch({ sizeBytes: 16 * 1024 });
  const journal = test.open({ sync: { intervalMs: 1_000_000 } });
  await test.send(...trades(1, 1000)); // More than the ring holds.
  const { records } = await journal.stop();
  assertEquals(records, 1000);
  assertEquals(await sequencesIn(test.directory), range(1, 1000));
});

Deno.test("Journal goes on in its file, and writes nothing twice", async () => {
  using test = new JournalScratch();
  await test.journalOf(trades(1, 10));
  await test.journalOf(trades(11, 20));
  // Another consumer begins with the oldest in the ring: as if nothing had been acknowledged.
  const other = test.open({ consumer: "other" });
  await test.send(...trades(21, 30));
  const { repeated, records } = await other.stop();
  assertEquals([repeated, records], [20, 10]);
  assertEquals(test.names().length, 1);
  const { records: all, counts } = await readAll(test.directory);
  assertEquals(all.map(({ sequence }) => sequence), range(1, 30));
  assertEquals([counts.damaged, counts.torn, counts.duplicates, counts.missing], [0, 0, 0, 0]);
});

Deno.test("Journal sets aside a torn end, whatever is in it, and writes it again", async () => {
  const tails = ["x", '{"sequence":11,', "\n", "\n\n\0\0\0", "\0".repeat(100_000)];
  for (const tail of tails) {
    using test = new JournalScratch();
    await test.journalOf(trades(1, 10));
    Deno.writeTextFileSync(test.file, tail, { append: true });
    const journal = test.open();
    await test.send(...trades(11, 20));
    assertEquals((await journal.stop()).tornBytes, tail.length);
    const [name, torn] = test.names();
    assertEquals(torn, `${name}.torn`);
    assertEquals(Deno.readTextFileSync(`${test.directory}/${torn}`), tail);
    const { records, counts } = await readAll(test.directory);
    assertEquals(records.map(({ sequence }) => sequence), range(1, 20));
    assertEquals([counts.damaged, counts.torn], [0, 0]);
  }
});

Deno.test("Journal writes again what a lost power took out of its middle", async () => {
  using test = new JournalScratch();
  await test.journalOf(trades(1, 10));
  const bytes = Deno.readFileSync(test.file);
  const lines = new TextDecoder().decode(bytes).split("\n");
  const hole = lines.slice(0, 5).join("\n").length + 20; // In the line of message 5.
  bytes.fill(0, hole, hole + 300);
  Deno.writeFileSync(test.file, bytes);
  // Everything is unacknowledged for this one.
  const { tornBytes, records } = await test.open({ consumer: "other" }).stop();
  assert(tornBytes > 0);
  assertEquals(records, 6, "messages 5 to 10");
  assertEquals(await sequencesIn(test.directory), range(1, 10));
});

Deno.test("Journal leaves damage alone where it was acknowledged", async () => {
  using test = new JournalScratch();
  await test.journalOf(trades(1, 10));
  const bytes = Deno.readFileSync(test.file);
  const lines = new TextDecoder().decode(bytes).split("\n");
  bytes[lines.slice(0, 5).join("\n").length + 20]! ^= 1;
  Deno.writeFileSync(test.file, bytes);
  await test.journalOf(trades(11, 12));
  const { records, counts } = await readAll(test.directory);
  assertEquals(records.map(({ sequence }) => sequence), [...range(1, 4), ...range(6, 12)]);
  assertEquals([counts.damaged, counts.missing], [1, 1]);
  assertEquals(test.names().length, 1);
});

Deno.test("Journal whose newest file never came to be goes on after the one before", async () => {
  using test = new JournalScratch();
  await test.journalOf(trades(1, 10), { nowUs: () => Date.UTC(2026, 0, 1) * 1000 });
  const header = Deno.readTextFileSync(test.file).split("\n")[0]!;
  const later = (second: string) =>
    `${test.directory}/test-20260101-00000${second}-0000000000000011.ndjson`;
  Deno.writeTextFileSync(later("1"), `${header}\n`);
  Deno.writeTextFileSync(later("2"), header.slice(0, 50));
  Deno.writeTextFileSync(later("3"), "");
  const nowUs = () => Date.UTC(2026, 0, 1, 1) * 1000;
  const { repeated } = await test.open({ consumer: "other", nowUs }).stop();
  assertEquals(repeated, 10);
  await test.journalOf(trades(11, 12), { nowUs });
  assertEquals(await sequencesIn(test.directory), range(1, 12));
  assertEquals(test.names().length, 3, "the one with a header, and what was set aside");
});

Deno.test("Journal of a channel that was made anew begins anew, in a file behind", async () => {
  using test = new JournalScratch();
  await test.journalOf(trades(1, 10));
  test.channel.close();
  removeChannel("test", { directory: test.scratch.directory });
  using channel = createChannel("test", { directory: test.scratch.directory });
  const journal = openJournal(channel, { directory: test.root });
  const producer = openProducer(channel);
  for (const trade of trades(101, 103)) producer.write(trade);
  await journal.stop();
  const { records, counts } = await readAll(test.directory);
  assertEquals(records.map(({ sequence }) => sequence), [...range(1, 10), 1, 2, 3]);
  assertEquals(records.at(-1)?.fields?.tradeId, 103);
  assertEquals([counts.files, counts.duplicates, counts.missing], [2, 0, 0]);
});

Deno.test("Journal counts what a consumer that may lose messages has lost", async () => {
  using test = new JournalScratch({ sizeBytes: 4096 });
  const journal = test.open({ onSlow: "drop" });
  for (const trade of trades(1, 200)) test.producer.write(trade); // It has no turn meanwhile.
  const { records, lost, lastSequence } = await journal.stop();
  assert(lost > 0);
  assertEquals([records + lost, lastSequence], [200, 200]);
});

Deno.test("Journal that may spill holds nobody back, and loses nothing", async () => {
  using directory = new Scratch();
  const walDir = `${directory.directory}/wal`;
  using test = new JournalScratch({ sizeBytes: 16 * 1024, walDir });
  const journal = test.open({ onSlow: "spill" });
  for (const trade of trades(1, 2_000)) test.producer.write(trade); // It has no turn meanwhile.
  assertEquals((await journal.stop()).records, 2_000);
  assertEquals(await sequencesIn(test.directory), range(1, 2_000));
});

Deno.test("Journal goes on with the oldest message where its place was overrun", async () => {
  using test = new JournalScratch({ sizeBytes: 4096 });
  await test.journalOf(trades(1, 10));
  for (const trade of trades(11, 200)) test.producer.write(trade);
  const { records, lost, lastSequence } = await test.open().stop();
  assertEquals([records + lost, lastSequence], [190, 200]);
  assert(lost > 100);
  const { counts } = await readAll(test.directory);
  assertEquals([counts.missing, counts.records], [lost, 10 + records]);
});

Deno.test("openJournal() refuses a directory that has a journal, and wrong options", async () => {
  using test = new JournalScratch();
  const journal = test.open();
  assertThrows(() => test.open({ consumer: "other" }), Deno.errors.Busy, "another at work");
  assertThrows(() => test.open({ feed: "elsewhere" }), Deno.errors.Busy, "journal");
  for (const feed of ["", ".hidden", "a/b", ".."]) {
    assertThrows(() => test.open({ feed }), RangeError, "expected a name");
  }
  assertThrows(() => test.open({ sync: { intervalMs: 0 } }), RangeError, "intervalMs");
  assertThrows(() => test.open({ rotateBytes: 0.5 }), RangeError, "rotateBytes");
  await journal.stop();
  await test.open().stop();
});

Deno.test("Journal.ended rejects when its channel is closed, and frees its place", async () => {
  using test = new JournalScratch();
  const journal = test.open();
  test.channel.close();
  await assertRejects(() => journal.ended, ChannelClosedError);
  await assertRejects(() => journal.stop(), ChannelClosedError);
  using channel = test.scratch.open();
  await openJournal(channel, { directory: test.root }).stop();
});

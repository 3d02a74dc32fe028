// Journals as they are read: every message comes back byte for byte, and of what is damaged
// nothing.

import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { ENGINE_EVENT_FIELDS, EngineEvent } from "../lib/exchange/orders.ts";
import { jsonLayoutOf } from "../lib/market/journal/json_layout.ts";
import { type JournalRecord, LineBuffer } from "../lib/market/journal/journal_line.ts";
import { newJournalCounts, readJournal } from "../lib/market/journal/journal_reader.ts";
import { OrderBookDelta, Trade } from "../lib/market/layouts.ts";
import { eventOf, JournalScratch, readAll, tradeOf } from "./_journal.ts";
import { range } from "./_support.ts";
import { seedOf } from "./fault/_support.ts";

const SEED = seedOf(20_261_129);

/** Messages of all layouts, right and wrong, and bytes that are of none. */
const anyMessage: fc.Arbitrary<Uint8Array<ArrayBuffer>> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.tuple(fc.nat(), fc.maxSafeNat()).map(([id, price]) => tradeOf(id, price)),
  fc.tuple(
    fc.constantFrom(Trade.sizeBytes, OrderBookDelta.sizeBytes, 88, EngineEvent.sizeBytes),
    fc.constantFrom(1, 2, 3, 4, 16, 17, 18, 32, 35, 38, 39),
    fc.array(fc.tuple(fc.nat(255), fc.nat(255)), { maxLength: 12 }),
  ).map(([size, kind, bytes]) => {
    const message = new Uint8Array(size);
    for (const [at, value] of bytes) message[at % size] = value;
    new DataView(message.buffer).setUint16(0, kind, true);
    return message;
  }),
).map((bytes) => new Uint8Array(bytes));

Deno.test("readJournal() gives back every message, whatever it is", async () => {
  console.log(`seed ${SEED}`);
  const sent = fc.array(fc.tuple(anyMessage, fc.constantFrom(0, 32, 64, 224)), { maxLength: 100 });
  await fc.assert(
    fc.asyncProperty(sent, fc.boolean(), fc.integer({ min: 1, max: 20_000 }), async (
      messages,
      timestamps,
      rotateBytes,
    ) => {
      using test = new JournalScratch({ timestamps, sizeBytes: 256 * 1024 });
      const journal = test.open({ rotateBytes });
      for (const [message, flags] of messages) test.producer.write(message, { flags });
      await journal.stop();
      const { records, counts } = await readAll(test.directory);
      const found = records.map(({ payload, flags }) => [payload, flags]);
      assertEquals(found, messages.map(([message, flags]) => [message, flags]));
      assertEquals(records.map(({ sequence }) => sequence), range(1, messages.length));
      assert(records.every(({ publishTimeUs }) => publishTimeUs > 0 === timestamps));
      assertEquals([counts.damaged, counts.torn, counts.missing], [0, 0, 0]);
    }),
    { seed: SEED, numRuns: 60 },
  );
});

Deno.test("readJournal() gives back messages longer than the journal's buffer", async () => {
  using test = new JournalScratch({ sizeBytes: 4 * 1024 * 1024 });
  const long = new Uint8Array(1_000_000).map((_, i) => i * 7);
  await test.journalOf([long, tradeOf(2), long]);
  const { records } = await readAll(test.directory);
  assertEquals(records.map(({ payload }) => payload.length), [1_000_000, 64, 1_000_000]);
  assertEquals(records[2]?.payload, long);
});

Deno.test("EngineEvent comes back with each of its fields at any value it may have", () => {
  const layout = jsonLayoutOf(EngineEvent.text)!;
  const value = fc.oneof(fc.maxSafeInteger(), fc.double(), fc.nat(255));
  const names = Object.keys(ENGINE_EVENT_FIELDS);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...names), value)), (changes) => {
      const bytes = new DataView(eventOf(1).buffer);
      const event = EngineEvent.accessor().wrap(bytes, 0) as unknown as Record<string, number>;
      for (const [name, number] of changes) {
        try {
          event[name] = number;
        } catch { /* One that the field cannot hold. */ }
      }
      const text = layout.encode(bytes, 0, bytes.byteLength);
      if (text === undefined) return; // Written as bytes.
      assertEquals(layout.decode(JSON.parse(text)), new Uint8Array(bytes.buffer));
    }),
    { seed: SEED },
  );
});

/** A journal of three records of different kinds: its bytes, and what they say. */
async function small(): Promise<{ bytes: Uint8Array<ArrayBuffer>; records: JournalRecord[] }> {
  using test = new JournalScratch({ schema: Trade });
  await test.journalOf([tradeOf(1), Uint8Array.of(1, 2, 3), tradeOf(3)]);
  const { records } = await readAll(test.directory);
  return { bytes: Deno.readFileSync(test.file), records };
}

/** Fails if a record is none that was written. Returns how many there are. */
function checkAgainst(written: JournalRecord[], found: JournalRecord[], what: string): number {
  for (const record of found) {
    assertEquals(record, written[record.sequence - 1], what);
  }
  const sequences = found.map(({ sequence }) => sequence);
  assertEquals(sequences, [...new Set(sequences)].sort(), what);
  return found.length;
}

Deno.test("readJournal() of a file that is cut anywhere gives what is whole", async () => {
  const { bytes, records: written } = await small();
  const path = `${Deno.makeTempDirSync()}/cut`;
  const ends = [...bytes.keys()].filter((at) => bytes[at] === 10).map((at) => at + 1);
  for (let size = 0; size <= bytes.length; size++) {
    Deno.writeFileSync(path, bytes.subarray(0, size));
    const { records, counts } = await readAll(path);
    const count = checkAgainst(written, records, `cut at ${size}`);
    const lines = ends.filter((end) => end <= size);
    assertEquals(count, Math.max(0, lines.length - 1), `cut at ${size}`);
    assertEquals(counts.torn, size > (lines.at(-1) ?? 0) ? 1 : 0, `cut at ${size}`);
    assertEquals(counts.damaged, 0);
  }
  Deno.removeSync(path.slice(0, -4), { recursive: true });
});

Deno.test("readJournal() of a file with any flipped bit gives no wrong record", async () => {
  const { bytes, records: written } = await small();
  const directory = Deno.makeTempDirSync();
  const headerEnd = bytes.indexOf(10);
  const check = async (at: number, bit: number) => {
    const what = `byte ${at}, bit ${bit}`;
    const path = `${directory}/${bit}`;
    Deno.writeFileSync(path, bytes.with(at, bytes[at]! ^ 1 << bit));
    const { records, counts } = await readAll(path);
    const count = checkAgainst(written, records, what);
    assert(counts.damaged + counts.torn > 0, what);
    // The header's damage costs no record of a known layout; that of a newline costs two.
    assert(count >= (at < headerEnd ? 3 : 1), `${what}: ${count} records`);
  };
  for (let at = 0; at < bytes.length; at++) {
    await Promise.all(range(0, 7).map((bit) => check(at, bit)));
  }
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("readJournal() of pieces of lines and other bytes gives no wrong record", async () => {
  const { bytes, records: written } = await small();
  const path = Deno.makeTempFileSync();
  const piece = fc.oneof(
    fc.tuple(fc.nat(bytes.length), fc.nat(bytes.length))
      .map(([a, b]) => bytes.subarray(Math.min(a, b), Math.max(a, b))),
    fc.constantFrom(...new TextDecoder().decode(bytes).split(/(?<=\n)/).filter(Boolean))
      .map((line) => new TextEncoder().encode(line)),
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom("\n", "{}\n", '{"sequence":1}\n', ',"crc":"00000000"}\n', "\0\n")
      .map((text) => new TextEncoder().encode(text)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      Deno.writeFileSync(path, Uint8Array.from(pieces.flatMap((part) => [...part])));
      checkAgainst(written, (await readAll(path)).records, `seed ${SEED}`);
    }),
    { seed: SEED, numRuns: 300 },
  );
  Deno.removeSync(path);
});

Deno.test("readJournal() gives nothing of lines that verify but make no sense", async () => {
  const { bytes } = await small();
  const layout = jsonLayoutOf(Trade.text)!;
  const lines = new LineBuffer(16);
  const good = { sequence: 5, journalTimeUs: 1, publishTimeUs: 0, flags: 0 };
  const view = new DataView(tradeOf(5).buffer);
  const message = { view, offset: 0, length: view.byteLength };
  for (const sequence of [-1, 0, 1.5, NaN, 2 ** 53, 1e300]) {
    lines.addRecord({ ...good, sequence }, layout, message);
  }
  lines.addRecord({ ...good, flags: 256 }, layout, message);
  lines.addRecord({ ...good, flags: 1 }, layout, message); // A control record of the channel.
  lines.addRecord({ ...good, journalTimeUs: -1 }, layout, message);
  const fields = layout.encode(view, 0, view.byteLength)!;
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  const wrong = [
    [layout.id, fields.replace(/"price":\d+/, '"price":"x"')],
    [layout.id, fields.replace('"kind":1,', "")],
    [layout.id, fields.replace("}", `,"more":${deep}}`)],
    [layout.id, fields.replace('"kind":1', `"kind":${deep}`)],
    [layout.id, fields.replace('"kind":1', '"kind":65537')],
    [layout.id, "[]"],
    [layout.id, "null"],
    ["trade:00000000", fields],
    ["constructor", fields],
  ];
  for (const [id, text] of wrong) {
    const forged = Object.create(layout, { encode: { value: () => text }, id: { value: id } });
    lines.addRecord(good, forged, message);
  }
  const path = Deno.makeTempFileSync();
  Deno.writeFileSync(path, Uint8Array.from([...bytes, ...lines.bytes]));
  const { records, counts } = await readAll(path);
  assertEquals(records.map(({ sequence }) => sequence), [1, 2, 3]);
  assertEquals(counts.damaged, 9 + wrong.length);
  Deno.removeSync(path);
});

Deno.test("jsonLayoutOf() refuses texts that describe no layout", () => {
  for (
    const text of [
      "",
      "trade",
      "t{}#0",
      "t{a:u8@0}#1x",
      "t{a:u8@1}#2", // Not where it has to lie.
      "t{a:u9@0}#1",
      "t{a:u8@0,a:u8@1}#2",
      "t{__proto__:u8@0}#1",
      "t{constructor:u8@0}#1",
      "t{a:u8@0}#99999999999",
      `t{${"a:u8@0,".repeat(10_000)}a:u8@0}#1`,
      "t{a:i64[999999999]@0}#8",
    ]
  ) {
    assertEquals(jsonLayoutOf(text), undefined, text.slice(0, 40));
  }
  assertEquals(jsonLayoutOf(OrderBookDelta.text)?.text, OrderBookDelta.text);
});

Deno.test("readJournal() reads from a sequence or a time, to a sequence or a time", async () => {
  using test = new JournalScratch();
  let now = 1_000_000;
  const journal = test.open({ nowUs: () => now * 1000, rotateBytes: 4096 });
  for (let id = 1; id <= 30; id++) {
    await test.send(tradeOf(id));
    while (journal.stats.lastSequence < id) await new Promise((done) => setTimeout(done, 1));
    now += 1000;
  }
  await journal.stop();
  const read = async (from: number | Date, to: number | Date) =>
    (await readAll(test.directory, { from, to })).records.map(({ sequence }) => sequence);
  assertEquals(await read(5, 7), [5, 6, 7]);
  assertEquals(await read(29, Infinity), [29, 30]);
  assertEquals(await read(new Date(1_003_000), new Date(1_005_999)), [4, 5, 6]);
  assertEquals(await read(5, new Date(1_005_000)), [5, 6]);
  assertEquals(await read(31, 40), []);
});

Deno.test("readJournal() leaves out what a copied file says again, and counts it", async () => {
  using test = new JournalScratch();
  await test.journalOf(range(1, 5).map((id) => tradeOf(id)));
  Deno.copyFileSync(test.file, `${test.directory}/test-29990101-000000-0000000000000001.ndjson`);
  const { records, counts } = await readAll(test.directory);
  assertEquals(records.map(({ sequence }) => sequence), range(1, 5));
  assertEquals([counts.duplicates, counts.files], [5, 2]);
});

Deno.test("readJournal() rejects where there is nothing, at the first record", async () => {
  const counts = newJournalCounts();
  using test = new JournalScratch();
  const records = readJournal(test.directory, { counts });
  await assertRejects(() => records.next(), Deno.errors.NotFound);
  assertEquals(counts.files, 0);
});

Deno.test("LineBuffer.bytes are the same as ever for the same message", () => {
  const lines = new LineBuffer(16);
  const view = new DataView(tradeOf(3).buffer);
  const message = { view, offset: 0, length: view.byteLength };
  const head = { sequence: 7, journalTimeUs: 1_722_988_800_000_000, publishTimeUs: 0, flags: 0 };
  lines.addRecord(head, undefined, { ...message, length: 3 });
  lines.addRecord({ ...head, sequence: 8, publishTimeUs: 5, flags: 64 }, undefined, {
    ...message,
    length: 0,
  });
  assertEquals(new TextDecoder().decode(lines.bytes).split("\n"), [
    '{"sequence":7,"journalTimeUs":1722988800000000,"bytes":"AQAA","crc":"6dd2db96"}',
    '{"sequence":8,"journalTimeUs":1722988800000000,"publishTimeUs":5,"flags":64,"bytes":"",' +
    '"crc":"f5524059"}',
    "",
  ]);
});

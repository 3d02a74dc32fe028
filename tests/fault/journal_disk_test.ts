// A journal on a disk that is full, at every place in its file, and on one whose sync fails:
// nothing is half written, nothing is lost, and it goes on when there is room.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { openJournal } from "../../lib/market/journal/open_journal.ts";
import { createChannel, NoSpaceError, openProducer } from "../../mod.ts";
import { JournalFolder } from "./_journal.ts";
import { SmallDisk } from "./_disk.ts";
import {
  Child,
  IS_LONG,
  note,
  pause,
  Random,
  TestDirectory,
  testUnless,
  until,
} from "./_support.ts";
import { straceObstacle } from "./_trace.ts";

const BLOCK_BYTES = 4096;
const FILLS = IS_LONG ? 40 : 6;

const smallDisk = await SmallDisk.obstacle();
const tracing = await straceObstacle();

/** Whether each of a journal's files ends with a whole line. */
function isWhole(directory: string): boolean {
  return [...Deno.readDirSync(directory)].filter(({ name }) => name.endsWith(".ndjson"))
    .every(({ name }) => Deno.readTextFileSync(`${directory}/${name}`).endsWith("\n"));
}

testUnless(smallDisk, "Journal on a full disk waits, with nothing half written", async () => {
  await using disk = await SmallDisk.create({ sizeBytes: 4 * 1024 * 1024 });
  using directory = new TestDirectory();
  using channel = createChannel("feed", { directory: directory.path });
  const producer = openProducer(channel);
  const told: string[] = [];
  let sent = 0;
  const send = (count: number) => {
    for (const end = sent + count; sent < end;) producer.write(JournalFolder.messageAt(++sent));
  };
  const journal = openJournal(channel, {
    directory: disk.path,
    rotateBytes: 100_000,
    onFull: (error) => told.push(error?.name ?? "free"),
  });
  for (let blocks = 0; blocks < FILLS; blocks++) {
    disk.fill(blocks * BLOCK_BYTES);
    // More than a file: it is full in the middle of one, or when another is to be made.
    send(1_000);
    await until("the disk is full", () => told.length === 2 * blocks + 1);
    assert(isWhole(journal.directory), `${blocks} blocks free`);
    disk.free();
    await until("all is written", () => journal.stats.lastSequence === sent);
  }
  await journal.stop();
  assertEquals(told, Array.from({ length: FILLS }, () => ["NoSpaceError", "free"]).flat());
  const folder = new JournalFolder(journal.directory, new Random(1));
  assertEquals((await folder.checkWhole(sent)).records, sent);
  note("journal: disks filled", FILLS);
});

testUnless(smallDisk, "Journal that is stopped on a full disk goes on there later", async () => {
  await using disk = await SmallDisk.create({ sizeBytes: 1024 * 1024 });
  using directory = new TestDirectory();
  using channel = createChannel("feed", { directory: directory.path });
  const producer = openProducer(channel);
  const full = Promise.withResolvers<void>();
  const journal = openJournal(channel, {
    directory: disk.path,
    onFull: () => full.resolve(),
  });
  producer.write(JournalFolder.messageAt(1));
  await until("the first is written", () => journal.stats.lastSequence === 1);
  disk.fill(0);
  for (let sequence = 2; sequence <= 100; sequence++) {
    producer.write(JournalFolder.messageAt(sequence));
  }
  await full.promise;
  const error = await assertRejects(() => journal.stop(), NoSpaceError, "bytes free");
  assert(error.needed > error.available, error.message);
  assert(isWhole(journal.directory));
  disk.free();
  const { repeated } = await openJournal(channel, { directory: disk.path }).stop();
  assertEquals(repeated, 0);
  await new JournalFolder(journal.directory, new Random(1)).checkWhole(100);
});

testUnless(
  tracing,
  "Journal whose sync fails stops, and writes again what it had not kept",
  async () => {
    using directory = new TestDirectory();
    using channel = createChannel("feed", { directory: directory.path });
    const producer = openProducer(channel);
    const journals = `${directory.path}/journals`;
    const config = { channel: "feed", journals, sync: "batch" };
    const place = { directory: directory.path };
    const log = `${directory.path}/strace`;
    const faults = ["fdatasync:error=EIO:when=3+"];
    let sent = 0;
    {
      const trace = { log, faults, calls: ["fdatasync"] };
      await using child = new Child("journal", config, { ...place, trace });
      await child.expect("open");
      let hasFailed = false;
      const failed = child.expect("failed DurabilityError 5").finally(() => hasFailed = true);
      while (!hasFailed) {
        producer.write(JournalFolder.messageAt(++sent));
        await pause();
      }
      await failed;
    }
    const cursor = channel.stats().consumers.find(({ name }) => name === "journal")!.cursor;
    const folder = new JournalFolder(`${journals}/feed`, new Random(1));
    await folder.checkAcknowledged(cursor, "after the failure");
    await using child = new Child("journal", config, place);
    await child.expect("open");
    await child.send("stop");
    const stats = JSON.parse(await child.expect("end"));
    assertEquals([stats.repeated, stats.records + cursor], [0, sent]);
    await child.succeeded();
    await folder.checkWhole(sent);
  },
);

// A journal's process is killed again and again, and its files lose what no sync had kept: in the
// end every message is in the journal once, and none that was acknowledged was ever missing.

import { assert, assertEquals } from "@std/assert";
import { BACK_PRESSURED, createChannel, openProducer, type Producer } from "../../mod.ts";
import { JournalFolder } from "./_journal.ts";
import { Child, IS_LONG, note, Random, seedOf, TestDirectory, until } from "./_support.ts";

const ROUNDS = IS_LONG ? 300 : 5;
const SEED = seedOf(4_711);

/** What a kill leaves behind it. */
type Loss = "process" | "power";

/** Publishes up to a limit, a few messages in each turn of the event loop. */
class Source implements AsyncDisposable {
  sent = 0;
  limit = 0;
  readonly #producer: Producer;
  readonly #done: Promise<void>;
  #isStopped = false;

  constructor(producer: Producer) {
    this.#producer = producer;
    this.#done = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      for (let i = 0; i < 100 && this.sent < this.limit; i++) {
        const message = JournalFolder.messageAt(this.sent + 1);
        if (this.#producer.offer(message) === BACK_PRESSURED) break;
        this.sent++;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }
}

async function killAgainAndAgain(
  loss: Loss,
  sync: "batch" | "none" | { intervalMs: number },
): Promise<void> {
  using directory = new TestDirectory();
  const random = new Random(SEED);
  // Its log keeps what a journal that is gone has not acknowledged.
  using channel = createChannel("feed", {
    directory: directory.path,
    sizeBytes: 256 * 1024,
    walDir: `${directory.path}/wal`,
  });
  const journals = `${directory.path}/journals`;
  const folder = new JournalFolder(`${journals}/feed`, random);
  await using source = new Source(openProducer(channel));
  const config = { channel: "feed", journals, sync, rotateBytes: 300_000 };
  const options = { directory: directory.path };
  for (let round = 0; round < ROUNDS; round++) {
    const what = `seed ${SEED}, round ${round}`;
    await using child = new Child("journal", config, options);
    await child.expect("open");
    const goal = source.sent + random.below(2_000);
    source.limit = goal + 500; // Else a slow machine journals for ever in the end.
    await until("some more are sent", () => source.sent > goal);
    child.kill();
    await child.ended();
    // Of a consumer that is gone, its cursor stays.
    const cursor = channel.stats().consumers.find(({ name }) => name === "journal")!.cursor;
    await folder.checkAcknowledged(cursor, what);
    if (loss === "power") folder.losePower(cursor);
  }
  await source.stop();
  await using last = new Child("journal", config, options);
  await last.expect("open");
  await last.send("stop");
  await last.expect("end");
  await last.succeeded();
  const { records, torn } = await folder.checkWhole(source.sent);
  note(`journal kills (${loss}, sync ${JSON.stringify(sync)})`, ROUNDS);
  note("journalled records", records);
  note("torn ends set aside", torn);
  assert(records > 0);
}

Deno.test("Journal that is killed misses nothing and repeats nothing (sync none)", async () => {
  await killAgainAndAgain("process", "none");
});

Deno.test("Journal that is killed misses nothing and repeats nothing (sync batch)", async () => {
  await killAgainAndAgain("process", "batch");
});

Deno.test("Journal whose host loses its power misses nothing that was acknowledged", async () => {
  await killAgainAndAgain("power", "batch");
});

Deno.test("Journal whose host loses its power misses nothing (sync by interval)", async () => {
  await killAgainAndAgain("power", { intervalMs: 20 });
});

Deno.test("Journal that is killed in its first moments leaves no file in the way", async () => {
  using directory = new TestDirectory();
  using channel = createChannel("feed", { directory: directory.path });
  const producer = openProducer(channel);
  const journals = `${directory.path}/journals`;
  producer.write(JournalFolder.messageAt(1));
  const config = { channel: "feed", journals, sync: "batch" };
  for (let round = 0; round < 3; round++) {
    await using child = new Child("journal", config, { directory: directory.path });
    await child.expect("open");
    child.kill();
    await child.ended();
  }
  await using last = new Child("journal", config, { directory: directory.path });
  await last.expect("open");
  await last.send("stop");
  await last.expect("end");
  const folder = new JournalFolder(`${journals}/feed`, new Random(SEED));
  assertEquals((await folder.checkWhole(1)).records, 1);
});

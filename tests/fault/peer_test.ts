// A hostile peer writes into the ring file while a producer and a consumer use it: they get
// verified messages or errors of the library, and neither crashes nor hangs.

import { assert, assertEquals } from "@std/assert";
import { createChannel, openConsumer, openProducer, SequenceGapError } from "../../mod.ts";
import { IDENTITY_SIZE } from "../../lib/native/_layout.ts";
import { DURABILITY_LINE } from "../_format.ts";
import { Logged, send } from "../_logged.ts";
import { Child, IS_LONG, note, pause, Random, seedOf, TestDirectory } from "./_support.ts";

const SIZE_BYTES = 8192;
const ROUNDS = IS_LONG ? 2_000 : 25;
const WRITES = 64; // In one round, spread over some milliseconds.
const ERRORS = ["CorruptHeaderError", "CorruptRecordError", "SequenceGapError", "Busy"];
const VALUES = [0, 1, -1, 0x7fffffff, 64, 4096, 1 << 20];

for (const producers of ["single", "many"] as const) {
  Deno.test(`Channel whose peer writes garbage gives errors (${producers})`, async () => {
    const seed = seedOf(producers === "single" ? 11 : 12);
    const random = new Random(seed);
    using directory = new TestDirectory();
    const options = { directory: directory.path };
    const start = (role: string, onSlow: string) =>
      new Child("runner", { role, onSlow, errors: ERRORS, steps: 1_500 }, options);
    await using producer = start("producer", "block");
    await using consumer = start("consumer", "drop");
    await producer.expect("open");
    await consumer.expect("open");
    const seen = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      const name = `peer.${round}`;
      using channel = createChannel(name, { ...options, sizeBytes: SIZE_BYTES, producers });
      const path = channel.bufferFile;
      const command = JSON.stringify({ channels: [name] });
      await Promise.all([consumer.send(command), producer.send(command)]);
      await Promise.all([consumer.expect("running"), producer.expect("running")]);
      await scribble(path, random);
      Deno.writeTextFileSync(`${directory.path}/${name}.over`, "");
      for (const child of [producer, consumer]) {
        const [outcome] = JSON.parse(await child.expect("outcome"));
        assert([...ERRORS, "none"].includes(outcome), `${outcome} (seed ${seed}, round ${round})`);
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      }
      Deno.removeSync(path);
    }
    for (const child of [producer, consumer]) {
      await child.send("stop");
      await child.succeeded();
    }
    for (const [outcome, count] of seen) note(`peer ${producers} ${outcome}`, count);
  });
}

/** Writes words, hostile or random, anywhere behind the identity page. */
async function scribble(path: string, random: Random): Promise<void> {
  using file = Deno.openSync(path, { write: true });
  const size = Deno.statSync(path).size;
  const word = new BigInt64Array(1);
  for (let i = 0; i < WRITES; i++) {
    const at = IDENTITY_SIZE + 8 * random.below((size - IDENTITY_SIZE) / 8);
    const value = VALUES[random.below(VALUES.length * 2)];
    word[0] = BigInt(value ?? random.below(2 ** 32) * 2 ** 20);
    file.seekSync(at, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(word.buffer));
    if (i % 16 === 0) await pause();
  }
}

const LOGGED_MESSAGES = 5_000;

/** Each of them is two chances for the peer to write between two looks. */
const READINGS = IS_LONG ? 2_000 : 12;

Deno.test("Consumer gets what is in the log while a peer rewrites how far that goes", async () => {
  using logged = new Logged();
  const channel = logged.create({ durability: "memory", maxConsumers: 1 });
  send(openProducer(channel), LOGGED_MESSAGES, 200);
  const worker = new Worker(new URL("./children/toggler.ts", import.meta.url), { type: "module" });
  const { promise, resolve } = Promise.withResolvers<void>();
  worker.onmessage = () => resolve();
  worker.postMessage({
    ...{ path: channel.bufferFile, offset: DURABILITY_LINE.logged },
    values: [BigInt(LOGGED_MESSAGES), 3n],
  });
  await promise;
  try {
    for (let reading = 0; reading < READINGS; reading++) readAll(channel);
  } finally {
    worker.terminate();
  }
});

/** Reads every message out of the log. It may seem not to have the first one at times. */
function readAll(channel: ReturnType<typeof createChannel>): void {
  try {
    using consumer = openConsumer(channel, { from: 1 });
    for (let last = 0; last < LOGGED_MESSAGES;) {
      consumer.poll(({ sequence, length }) => assertEquals([sequence, length], [++last, 200]));
    }
  } catch (error) {
    if (!(error instanceof SequenceGapError)) throw error;
  }
}

// A third process cuts ring files off while a producer and a consumer use them. Both get an error
// of the library and go on living; the same two processes see all of it.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  CorruptHeaderError,
  createChannel,
  openChannel,
  openConsumer,
  openProducer,
  RingTruncatedError,
} from "../../mod.ts";
import { encode, Ledger } from "./_content.ts";
import { Child, IS_LONG, isSomebodyAsleep, note, TestDirectory, until } from "./_support.ts";

const SIZE_BYTES = 8192;
const ROUNDS = IS_LONG ? 1_000 : 50;
const CHANNELS = 10; // In one round.

/** Where a file is cut: bytes that are left of `header + data`. */
const CUTS: Record<string, (header: number, data: number) => number> = {
  "nothing": () => 0,
  "the identity page": () => 4096,
  "a part of the slots": (header) => header - 4096,
  "the header": (header) => header,
  "half of the data": (header, data) => header + data / 2,
};

/** Cuts that take the words which producers and consumers steer by. */
const WITHOUT_HEADER = ["nothing", "the identity page"];

/** What either side may say when the header is gone, and when only data is. */
const HEADER_ERRORS = ["RingTruncatedError", "CorruptHeaderError"];
const DATA_ERRORS = [...HEADER_ERRORS, "CorruptRecordError"];

Deno.test(`Channel truncated ${ROUNDS * CHANNELS} times gives errors on both sides`, async () => {
  using directory = new TestDirectory();
  const options = { directory: directory.path };
  const start = (role: string) => new Child("runner", { role, errors: DATA_ERRORS }, options);
  await using producer = start("producer");
  await using consumer = start("consumer");
  await producer.expect("open");
  await consumer.expect("open");
  const cuts = Object.keys(CUTS);
  const seen = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const channels = Array.from({ length: CHANNELS }, (_, i) => {
      using channel = createChannel(`cut.${round}.${i}`, { ...options, sizeBytes: SIZE_BYTES });
      return {
        name: channel.name,
        path: channel.bufferFile,
        cut: cuts[(round + i) % cuts.length]!,
      };
    });
    const command = JSON.stringify({ channels: channels.map(({ name }) => name) });
    await Promise.all([consumer.send(command), producer.send(command)]);
    await Promise.all([consumer.expect("running"), producer.expect("running")]);
    const isExtended = round % 3 === 2;
    for (const { path, cut } of channels) truncate(path, CUTS[cut]!, isExtended);
    // What was lost may be nothing that anybody wanted: ends those that go on.
    if (isExtended) { for (const { path } of channels) Deno.truncateSync(path, 0); }
    const outcomes = await Promise.all(
      [producer, consumer].map(async (child) => JSON.parse(await child.expect("outcome"))),
    );
    for (const [i, { path, cut }] of channels.entries()) {
      const isData = isExtended && !WITHOUT_HEADER.includes(cut);
      for (const outcome of [outcomes[0][i], outcomes[1][i]]) {
        const what = `cut to ${cut}${isExtended ? " and extended" : ""}: ${outcome}`;
        assert((isData ? DATA_ERRORS : HEADER_ERRORS).includes(outcome), what);
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      }
      Deno.removeSync(path);
    }
  }
  for (const child of [producer, consumer]) {
    await child.send("stop");
    await child.succeeded();
  }
  note("truncations", ROUNDS * CHANNELS);
  for (const [outcome, count] of seen) note(`truncatedWith${outcome}`, count);
});

function truncate(
  path: string,
  cut: (header: number, data: number) => number,
  isExtended: boolean,
): void {
  const whole = Deno.statSync(path).size;
  Deno.truncateSync(path, cut(whole - SIZE_BYTES, SIZE_BYTES));
  if (isExtended) Deno.truncateSync(path, whole);
}

/** Ways to sleep, with `--allow-ffi` for the library, or for everything. */
const SLEEPERS = [
  { kind: "pollWait" },
  { kind: "forAwait" },
  { kind: "forAwait", isUnscoped: true },
  { kind: "write" },
  { kind: "ready" },
];

for (const { kind, isUnscoped = false } of SLEEPERS) {
  const where = isUnscoped ? " (unscoped --allow-ffi)" : "";
  for (const isExtended of [false, true]) {
    const what = isExtended ? "truncated and extended" : "truncated";
    Deno.test(`Channel ${what} under ${kind}() ends its sleep with an error${where}`, async () => {
      using directory = new TestDirectory();
      const place = { directory: directory.path };
      using channel = createChannel("sleep", { ...place, sizeBytes: SIZE_BYTES });
      if (kind === "write" || kind === "ready") openConsumer(channel);
      const config = { channel: "sleep", kind, wait: "park" };
      await using child = new Child("waiter", config, { ...place, isUnscoped });
      await child.expect("open");
      const direction = kind === "write" || kind === "ready" ? "space" : "data";
      await until("it sleeps", () => isSomebodyAsleep(channel, direction));
      const { size } = Deno.statSync(channel.bufferFile);
      Deno.truncateSync(channel.bufferFile, 0);
      if (isExtended) Deno.truncateSync(channel.bufferFile, size);
      const error = await child.expect("error");
      assert(HEADER_ERRORS.includes(error), error);
      await child.succeeded();
    });
  }
}

Deno.test("Channel truncated under its mapping refuses every call with an error", () => {
  using directory = new TestDirectory();
  const options = { directory: directory.path, sizeBytes: SIZE_BYTES };
  using channel = createChannel("calls", options);
  const producer = openProducer(channel);
  const consumer = openConsumer(channel, { ack: "manual" });
  const named = openConsumer(channel, { name: "named" });
  producer.offer(encode(1, 0, 20));
  consumer.poll(() => {});
  const claim = producer.tryClaim(20)!;
  Deno.truncateSync(channel.bufferFile, 0);
  const calls: (() => unknown)[] = [
    () => claim.publish(),
    () => producer.offer(encode(1, 1, 20)),
    () => producer.offerBatch([encode(1, 1, 20)]),
    () => producer.tryClaim(20),
    () => producer.write(encode(1, 1, 20)),
    () => consumer.ack(),
    () => consumer.poll(() => {}),
    () => consumer.pollWait(() => {}),
    () => named.poll(() => {}),
    () => openConsumer(channel),
    () => openProducer(channel),
  ];
  for (const call of calls) assertThrows(call, RingTruncatedError, "", String(call));
  channel.stats(); // Of what is left; for people.
  for (const each of [producer, consumer, named]) each.close();
  assertThrows(() => openChannel("calls", options), CorruptHeaderError, "found 0 bytes");
});

Deno.test("Channel unlinked while it is open goes on for those who have it", () => {
  using directory = new TestDirectory();
  const options = { directory: directory.path, sizeBytes: SIZE_BYTES };
  using channel = createChannel("gone", options);
  const producer = openProducer(channel);
  const consumer = openConsumer(channel);
  Deno.removeSync(channel.bufferFile);
  assertEquals(channel.stats().hasName, false);
  const ledger = new Ledger();
  for (let counter = 0; counter < 1_000; counter++) {
    assertEquals(producer.offer(encode(1, counter, 40)), counter + 1);
    consumer.poll((message) => ledger.accept(message));
  }
  assertEquals(ledger.delivered, 1_000);
  using other = createChannel("gone", options);
  assertEquals([other.stats().nextSequence, channel.stats().nextSequence], [1, 1_001]);
});

Deno.test("Channel truncated after a SIGBUS from elsewhere still fails with an error", async () => {
  using directory = new TestDirectory();
  const place = { directory: directory.path };
  using channel = createChannel("bus", place);
  const config = { channel: "bus", kind: "forAwait", wait: "park" };
  await using child = new Child("waiter", config, place);
  await child.expect("open");
  await until("it sleeps", () => isSomebodyAsleep(channel, "data"));
  child.kill("SIGBUS");
  Deno.truncateSync(channel.bufferFile, 0);
  assertEquals(await child.expect("error"), "RingTruncatedError");
  await child.succeeded();
});

Deno.test("Process dies of a SIGBUS from elsewhere although a channel is open", async () => {
  using directory = new TestDirectory();
  using channel = createChannel("bus", { directory: directory.path });
  const config = { channel: "bus", kind: "forAwait", report: true };
  await using child = new Child("waiter", config, { directory: directory.path });
  await child.expect("open");
  const producer = openProducer(channel);
  await until("it consumes", () => channel.stats().consumers.length === 1);
  producer.offer(new Uint8Array(1));
  await child.expect("message");
  const ended = child.ended();
  // Deno itself survives the first one: its language's handler takes itself out.
  const timer = setInterval(() => child.kill("SIGBUS"), 10);
  assertEquals((await ended).signal, "SIGBUS");
  clearInterval(timer);
});

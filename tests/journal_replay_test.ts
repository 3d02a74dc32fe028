// Journals published again: the same bytes in the same order, at the pace at which they came.

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { JournalRecord } from "../lib/market/journal/journal_line.ts";
import { readJournal } from "../lib/market/journal/journal_reader.ts";
import { replayJournal } from "../lib/market/journal/journal_replay.ts";
import { type Consumer, openConsumer, openProducer } from "../mod.ts";
import { eventOf, JournalScratch, tradeOf } from "./_journal.ts";
import { range, Scratch } from "./_support.ts";

/** Takes what comes, until told to stop. */
async function collect(consumer: Consumer, count: number): Promise<[Uint8Array, number][]> {
  const messages: [Uint8Array, number][] = [];
  while (messages.length < count) {
    await consumer.wait();
    consumer.poll(({ payload, flags }) => void messages.push([payload.slice(), flags]));
  }
  return messages;
}

Deno.test("replayJournal() publishes the very bytes again, also into a small ring", async () => {
  using test = new JournalScratch();
  const sent = range(1, 500).map((id): [Uint8Array, number] =>
    id % 3 === 0 ? [eventOf(id), 64] : [tradeOf(id), 0]
  );
  const journal = test.open();
  for (const [message, flags] of sent) test.producer.write(message, { flags });
  await journal.stop();
  using scratch = new Scratch();
  const channel = scratch.create({ sizeBytes: 4096 });
  const consumer = openConsumer(channel, { from: "earliest" });
  const producer = openProducer(channel);
  const [stats, received] = await Promise.all([
    replayJournal(readJournal(test.directory), producer, { pace: 0 }),
    collect(consumer, sent.length),
  ]);
  assertEquals(received, sent);
  assertEquals([stats.published, stats.lastSequence, stats.latestMs], [500, 500, 0]);
  assertEquals(stats.bytes, sent.reduce((sum, [{ length }]) => sum + length, 0));
});

function recordAt(sequence: number, publishTimeUs: number, journalTimeUs = 0): JournalRecord {
  const payload = Uint8Array.of(sequence);
  return {
    ...{ sequence, publishTimeUs, journalTimeUs, flags: 0, layout: "", fields: undefined, payload },
  };
}

Deno.test("replayJournal() keeps the times of publishing, or of writing", async () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  const consumer = openConsumer(channel);
  const producer = openProducer(channel);
  for (
    const records of [
      range(1, 3).map((id) => recordAt(id, 1e15 + id * 40_000)),
      range(1, 3).map((id) => recordAt(id, 0, 1e15 + id * 40_000)),
    ]
  ) {
    const start = performance.now();
    const times: number[] = [];
    const [stats] = await Promise.all([
      replayJournal(records, producer, { pace: 2 }),
      collect(consumer, 3).then(() => times.push(performance.now() - start)),
    ]);
    assert(times[0]! >= 40, `80 ms at twice the speed: ${times} ms`);
    assert(stats.latestMs >= 0);
  }
});

Deno.test("replayJournal() ends when it is told to, in a pause or without room", async () => {
  using scratch = new Scratch();
  const channel = scratch.create();
  const consumer = openConsumer(channel);
  const producer = openProducer(channel);
  const stop = new AbortController();
  const paused = replayJournal([recordAt(1, 1e15), recordAt(2, 2e15)], producer, {
    signal: stop.signal,
  });
  await collect(consumer, 1);
  stop.abort();
  assertEquals((await paused).published, 1);
  const full = new AbortController();
  const endless = (function* () {
    for (let id = 1;; id++) yield recordAt(id, 0);
  })();
  const blocked = replayJournal(endless, producer, { pace: 0, signal: full.signal });
  while (producer.offer(new Uint8Array(1)) > 0) await new Promise((done) => setTimeout(done, 0));
  full.abort();
  assert((await blocked).published > 0);
});

Deno.test("replayJournal() rejects where a message is too long for the channel", async () => {
  using scratch = new Scratch();
  const producer = openProducer(scratch.create());
  const record = { ...recordAt(1, 0), payload: new Uint8Array(100_000) };
  await assertRejects(() => replayJournal([record], producer), RangeError, "100000 bytes");
});

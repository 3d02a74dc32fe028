// Checkpoints that are made by themselves, by time and by messages.

import { assertEquals, assertRejects } from "@std/assert";
import { openConsumer, openProducer } from "../mod.ts";
import { createDurable, openIn, pollUpTo } from "./_checkpoints.ts";
import { encode, Scratch } from "./_support.ts";

Deno.test("Checkpoints.schedule() makes checkpoints by time and by messages", async () => {
  using scratch = new Scratch();
  using channel = createDurable(scratch);
  using checkpoints = openIn(scratch);
  const producer = openProducer(channel);
  const consumer = openConsumer(channel, { name: "engine" });
  const capture = () => ({ state: encode(`${consumer.delivered}`), consumers: [consumer] });
  const byTime = Promise.withResolvers<number>();
  {
    await using _timer = checkpoints.schedule("timed", {
      intervalMs: 1,
      capture,
      onCheckpoint: ({ id }) => byTime.resolve(id),
    });
    assertEquals(await byTime.promise, 1);
  }
  const cursors: number[] = [];
  {
    await using timer = checkpoints.schedule("counted", {
      intervalMs: 1e9,
      everyMessages: 3,
      capture,
      onCheckpoint: (made) => void cursors.push(made.cursors[0]!.sequence),
    });
    for (let i = 1; i <= 7; i++) {
      producer.write(encode("x"));
      pollUpTo(consumer, i);
      timer.poke(i);
      if (i % 3 === 0) {
        while (cursors.length < i / 3) await new Promise((go) => setTimeout(go, 1));
      }
    }
  }
  assertEquals(cursors, [3, 6]);
});

Deno.test("CheckpointTimer.ended rejects when a checkpoint fails, which ends it", async () => {
  using scratch = new Scratch();
  using checkpoints = openIn(scratch);
  const timer = checkpoints.schedule("engine", {
    intervalMs: 1,
    capture: () => {
      throw new Error("cannot capture");
    },
  });
  await assertRejects(() => timer.ended, Error, "cannot capture");
});

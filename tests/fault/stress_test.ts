// Many producers and many consumers in processes of their own, over tiny rings: every consumer gets
// every message of every producer once, in its producer's order, byte for byte.

import { assertEquals } from "@std/assert";
import { createChannel } from "../../mod.ts";
import { Child, IS_LONG, note, TestDirectory } from "./_support.ts";

const COUNT = IS_LONG ? 2_000_000 : 20_000; // Messages of each producer.
const CONSUMERS = 3;

interface Shape {
  producers: number;
  alignment: number;
  onSlow: "block" | "drop";
  operation: "offer" | "batch" | "claim";
}

const SHAPES: Shape[] = [
  { producers: 1, alignment: 8, onSlow: "block", operation: "offer" },
  { producers: 3, alignment: 8, onSlow: "block", operation: "offer" },
  { producers: 3, alignment: 64, onSlow: "block", operation: "batch" },
  { producers: 3, alignment: 64, onSlow: "block", operation: "claim" },
  { producers: 3, alignment: 64, onSlow: "drop", operation: "offer" },
];

for (const { producers, alignment, onSlow, operation } of SHAPES) {
  const what = `${producers} × ${operation}, alignment ${alignment}, ${onSlow}`;
  Deno.test(`Channel under stress keeps every promise (${what})`, async () => {
    using directory = new TestDirectory();
    using channel = createChannel("stress", {
      directory: directory.path,
      sizeBytes: 4096,
      alignment,
      producers: producers === 1 ? "single" : "many",
    });
    const options = { directory: directory.path };
    const sink = { channel: channel.name, handle: "count", onSlow, from: "earliest" };
    await using children = new AsyncDisposableStack();
    const start = (script: string, config: object) =>
      children.use(new Child(script, config, options));
    const consumers = Array.from({ length: CONSUMERS }, () => start("consumer", sink));
    for (const consumer of consumers) await consumer.expect("open");
    const source = { channel: channel.name, operation, count: COUNT, unit: unitOf(operation) };
    const sources = Array.from(
      { length: producers },
      (_, id) => start("producer", { ...source, id }),
    );
    for (const child of sources) await child.expect("open");
    for (const child of sources) assertEquals(await child.expect("end"), `${COUNT}`);
    for (const child of sources) await child.succeeded();
    for (const consumer of consumers) await checkEnd(consumer, { producers, onSlow });
    note(`stress ${what}`, producers * COUNT);
  });
}

function unitOf(operation: string): number {
  return operation === "batch" ? 4 : 1;
}

/** A blocking consumer has had everything; a dropping one knows how much it has not had. */
async function checkEnd(
  consumer: Child,
  { producers, onSlow }: { producers: number; onSlow: string },
): Promise<void> {
  await consumer.send("stop");
  const [delivered, , lost, counts] = (await consumer.expect("end")).split(" ");
  if (onSlow === "block") {
    const whole = Array.from({ length: producers }, (_, id) => [id, COUNT]);
    assertEquals(JSON.parse(counts!).sort(), whole);
    assertEquals(lost, "0");
  }
  assertEquals(Number(delivered) + Number(lost), producers * COUNT);
  await consumer.succeeded();
}

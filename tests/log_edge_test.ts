// The edges of logs: claims that are open where a reader begins, owners that leave while others
// write, rings that were replaced, cuts under readers that nobody has noted yet.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  openConsumer,
  openProducer,
} from "../mod.ts";
import { Logged, SEGMENT_BYTES, send } from "./_logged.ts";
import { drain, encode, IS_UNSCOPED, range } from "./_support.ts";

/** Where the words of `DurabilityLine` lie in a ring file. */
const DURABLE_OFFSET = 4608;
const LOGGED_OFFSET = DURABLE_OFFSET + 8;
const OLDEST_OFFSET = DURABLE_OFFSET + 80;

function word(value: bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(value).buffer);
}

Deno.test("Consumer comes back to its place while a claim is open there", () => {
  using logged = new Logged();
  const channel = logged.create({ producers: "many" });
  const [producer, other] = [openProducer(channel), openProducer(channel)];
  const consumer = openConsumer(channel, { name: "named" });
  send(producer, 3);
  assertEquals(drain(consumer), range(1, 3));
  consumer.close();
  const claim = other.tryClaim(8)!;
  const again = openConsumer(channel, { name: "named" });
  assertEquals(drain(again), []);
  claim.publish();
  producer.write(encode("behind it"));
  assertEquals(drain(again), [4, 5]);
});

Deno.test("Consumer that has caught up with the log waits while a claim is open", async () => {
  using logged = new Logged();
  const before = logged.create({ producers: "many" });
  send(openProducer(before), 3);
  before.close();
  const channel = logged.remakeRing({ producers: "many" });
  const claim = openProducer(channel).tryClaim(8)!;
  const consumer = openConsumer(channel, { from: 1 });
  assertEquals(drain(consumer), range(1, 3));
  assertEquals(await consumer.wait({ timeoutMs: 20 }), false);
  claim.publish();
  assertEquals(await consumer.wait(), true);
  assertEquals(drain(consumer), [4]);
});


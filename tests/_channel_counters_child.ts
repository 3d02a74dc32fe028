// Takes part in the channel "test" of a directory, and is killed: what it has counted stays. With
// "end" it ends by itself; with "remove" it removes the consumer "gone", and dies where MT_FAULT
// says.

import { openChannel, openConsumer, openProducer, removeConsumer } from "../mod.ts";
import { encode } from "./_support.ts";

const channel = openChannel("test", { directory: Deno.args[0]! });
if (Deno.args[1] === "remove") removeConsumer(channel, "gone");
const consumer = openConsumer(channel, { name: "taker" });
const producer = openProducer(channel, { name: "maker" });
for (let i = 0; i < 10; i++) producer.offer(encode("x"));
producer.tryClaim(3)!.abort();
consumer.poll(() => {}, 4);
consumer.ack();
consumer.pollWait(() => {}, { limit: 100, timeoutMs: 1 });
consumer.ack();
consumer.pollWait(() => {}, { timeoutMs: 1 }); // Nothing comes.
if (channel.producers === "many") producer.tryClaim(5);
if (Deno.args[1] === "end") Deno.exit();
console.log("ready");
setInterval(() => {}, 1e6);

// A consumer that says when it is there, and then does nothing: until it is killed.

import { openChannel, openConsumer } from "../../mod.ts";

const [directory, name, consumer] = Deno.args;
using channel = openChannel(name!, { directory: directory! });
openConsumer(channel, { name: consumer! });
console.log("there");
await Deno.stdin.read(new Uint8Array(1));

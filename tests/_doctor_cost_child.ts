// Prints what open channels cost this process, as the mean of many. Runs with all permissions: Deno
// opens nothing in /proc for less.

import { type ChannelOptions, createChannel, openConsumer, openProducer } from "../mod.ts";

const CHANNELS = 100;
const LOGGED = 8;
const [directory] = Deno.args as [string];
let made = 0;

function count(): { mappings: number; files: number } {
  const mappings = Deno.readTextFileSync("/proc/self/maps").trim().split("\n").length;
  return { mappings, files: [...Deno.readDirSync("/proc/self/fd")].length };
}

function cost(channels: number, options: ChannelOptions): ReturnType<typeof count> {
  const before = count();
  for (let index = 0; index < channels; index++) {
    const channel = createChannel(`cost-${made++}`, { directory, sizeBytes: 4096, ...options });
    openConsumer(channel, { name: "consumer" });
    const producer = openProducer(channel);
    const sequence = producer.write(new Uint8Array(10));
    if (options.walDir !== undefined) producer.waitDurable(sequence);
  }
  const after = count();
  return {
    mappings: (after.mappings - before.mappings) / channels,
    files: (after.files - before.files) / channels,
  };
}

cost(1, {}); // What comes with the first one.
const plain = cost(CHANNELS, {});
const logged = cost(LOGGED, { walDir: `${directory}/wal`, segmentBytes: 256 * 1024 });
console.log(JSON.stringify({ plain, logged }));
Deno.exit();

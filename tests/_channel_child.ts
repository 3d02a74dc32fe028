// What the channel tests let other processes do. The action and its argument are the command line;
// the answer is JSON on the last line.

import { existsSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import {
  type Channel,
  type ChannelOptions,
  createChannel,
  NoSpaceError,
  openConsumer,
  openProducer,
  removeChannel,
} from "../mod.ts";

const encoder = new TextEncoder();

/** Sends a message through a channel and says which one came back. */
function tryOut(channel: Channel): string {
  using consumer = openConsumer(channel);
  using producer = openProducer(channel);
  producer.write(encoder.encode("through"));
  let text = "";
  consumer.poll((message) => void (text = message.text));
  return text;
}

const ACTIONS: Record<string, (argument: string) => unknown> = {
  /** Creates a channel and tries it out; or tells the error. */
  create(argument) {
    const { name, options } = JSON.parse(argument) as { name: string; options: ChannelOptions };
    try {
      using channel = createChannel(name, options);
      return { bufferFile: channel.bufferFile, text: tryOut(channel) };
    } catch (error) {
      return { error: (error as Error).name, message: (error as Error).message };
    }
  },

  /** Creates channels at the same time as others do. Tells which file each one got. */
  race(argument) {
    const { directory, rounds, startMs } = JSON.parse(argument);
    const salts: number[] = [];
    while (Date.now() < startMs);
    for (let round = 0; round < rounds; round++) {
      using channel = createChannel(`c${round}`, { directory, sizeBytes: 4096 });
      salts.push(channel.identity.salt);
    }
    return salts;
  },

  /** Creates and removes one channel again and again, as others do at the same time. */
  churn(argument) {
    const { directory, rounds, startMs } = JSON.parse(argument);
    let removed = 0;
    while (Date.now() < startMs);
    for (let round = 0; round < rounds; round++) {
      const options = { directory, sizeBytes: 4096, producers: "many" } as const;
      using channel = createChannel("churn", options);
      if (tryOut(channel) === "") throw new Error("the message is lost");
      try {
        removeChannel("churn", { directory });
        removed++;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    return removed;
  },

  /**
   * Has a channel open again and again, without and with a producer, while others tidy up: so many
   * times at least, and until there is a file `enough`.
   */
  keep(argument) {
    const { directory, rounds } = JSON.parse(argument);
    let round = 0;
    while (round < rounds || !existsSync(`${directory}/enough`)) {
      using channel = createChannel("kept", { directory, sizeBytes: 4096 });
      for (const text of ["through", tryOut(channel)]) {
        if (text !== "through" || !channel.stats().hasName) throw new Error("the file is gone");
      }
      round++;
    }
    return round;
  },

  /** Takes part in a channel, and is killed. */
  die(argument) {
    const channel = createChannel("used", { ...JSON.parse(argument), producers: "many" });
    openConsumer(channel, { name: "worker" });
    openProducer(channel, { name: "worker" });
    Deno.kill(Deno.pid, "SIGKILL");
  },

  /** Asks a file system of less than 64 GiB for that much. */
  space(directory) {
    for (const parent of [directory, "/dev/shm"]) {
      const { bavail, bsize } = statfsSync(parent);
      if (bavail * bsize >= 2 ** 36) continue;
      const place = Deno.makeTempDirSync({ dir: parent });
      try {
        createChannel("big", { directory: place, sizeBytes: "64GB" }).close();
      } catch (error) {
        if (!(error instanceof NoSpaceError)) throw error;
        const { message, path, needed, available } = error;
        const left = [...Deno.readDirSync(place)].length;
        return { message, path, place, needed, available, left, free: bavail * bsize };
      } finally {
        Deno.removeSync(place, { recursive: true });
      }
    }
    return null;
  },

  /** Makes what a test may not make with its permissions. */
  make(argument) {
    const { kind, path, target } = JSON.parse(argument);
    if (kind === "link") Deno.symlinkSync(target, path);
    else if (kind === "socket") {
      Deno.chdir(dirname(path)); // A socket's path has room for 107 bytes, ours may be longer.
      Deno.listen({ transport: "unix", path: "new" }); // It removes the name that it was made by.
      Deno.renameSync("new", path);
    } else new Deno.Command("mkfifo", { args: ["-m", "600", path] }).outputSync();
    return Deno.lstatSync(path).isFile;
  },
};

const [action, argument] = Deno.args;
console.log(JSON.stringify(ACTIONS[action!]!(argument!)));

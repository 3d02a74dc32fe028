// Every function of the public API that takes a path, without the permission for it; and logs that
// a hostile ring file names.

import { assert, assertEquals } from "@std/assert";
import {
  createChannel,
  openChannel,
  openCheckpoints,
  openConsumer,
  openProducer,
  openStore,
} from "../mod.ts";
import { forgeIdentity } from "./_format.ts";
import { encode, ROOT, runScript } from "./_support.ts";
import { TaskDirectory } from "./_task.ts";

type Use = "read" | "write";

/** What each call needs. */
const NEEDS: Record<string, Use[]> = {
  "createChannel({ directory })": ["read", "write"],
  "createChannel({ bufferFile })": ["read", "write"],
  "createChannel({ walDir })": ["read", "write"],
  "openChannel()": ["read", "write"],
  "openChannel() through ..": ["read", "write"],
  "openChannel({ readOnly })": ["read"],
  "listChannels()": ["read"],
  "Watch.look()": ["read"],
  "removeChannel()": ["write"],
  "openConsumer() with a log": ["read"],
  "openConsumer({ spill })": ["read"],
  "openObserver() with a log": ["read"],
  "removeConsumer() with a log": ["read", "write"],
  "verifyRing()": ["read"],
  "verifyLog()": ["read"],
  "readLog()": ["read"],
  "salvageLog()": ["read"],
  "openStore()": ["read", "write"],
  "verifyStore()": ["read", "write"],
  "openCheckpoints()": ["read", "write"],
  "verifyCheckpoints()": ["read", "write"],
  "openInstruments()": ["read"],
  "openJournal()": ["read", "write"],
  "readJournal()": ["read"],
};

/** Done by one of the children only, or before there is anything: the others find nothing. */
const IS_ONCE = new Set(["removeChannel()", "readJournal()"]);

/** Files of every kind: a directory that is named, and the default one. */
class Place extends TaskDirectory {
  readonly directory = `${this.path}/named`;
  readonly walDir = `${this.path}/wal`;
  readonly ring = `${this.channels}/logged.ring`;

  constructor() {
    super();
    for (const made of [this.directory, this.walDir, this.channels]) {
      Deno.mkdirSync(made, { mode: 0o700 });
    }
    const { directory, walDir } = this;
    for (const name of ["plain", "gone"]) {
      createChannel(name, { directory, sizeBytes: 4096 }).close();
    }
    openStore({ directory: `${directory}/store` }).close();
    openCheckpoints({ directory: `${directory}/checkpoints` }).close();
    using channel = createChannel("logged", {
      ...{ bufferFile: this.ring, walDir, sizeBytes: 4096, segmentBytes: 262_144 },
      durability: "disk",
    });
    const producer = openProducer(channel);
    openConsumer(channel, { name: "leaver" }).close();
    // More than the ring has: the first are in the log alone.
    for (let i = 0; i < 100; i++) producer.waitDurable(producer.write(new Uint8Array(100)));
  }

  async run(...uses: string[]) {
    const { directory, walDir, env } = this;
    const flags = [`--allow-ffi=${ROOT}zig-out`, ...uses];
    const argument = JSON.stringify({ directory, walDir });
    return await runScript("_path_permission_child.ts", flags, [argument], { env }) as {
      results: Record<string, string>;
      unasked: string;
    };
  }
}

Deno.test("No path reaches the library that Deno's permissions do not cover", async () => {
  using place = new Place();
  for (const uses of [[], ["write"], ["read"], ["read", "write"]] satisfies Use[][]) {
    const { directory, walDir } = place;
    const flags = uses.map((use) => `--allow-${use}=${directory},${walDir}`);
    const { results, unasked } = await place.run(...flags);
    assertEquals(Object.keys(results), Object.keys(NEEDS));
    for (const [call, found] of Object.entries(results)) {
      const missing = NEEDS[call]!.filter((use) => !uses.some((given) => given === use));
      const isRight = missing.length === 0
        ? found === "done" || IS_ONCE.has(call) && found.startsWith("NotFound")
        : missing.some((use) => found === `NotCapable ${use}`);
      assert(isRight, `${call} with ${flags.join(" ") || "nothing"}: ${found}`);
    }
    const mayRead = uses.some((use) => use === "read");
    assertEquals(unasked, mayRead ? "done" : "CorruptLogError", "the library by itself");
  }
});

/** Where `log_path_bytes` and `log_path` are in the identity page: docs/format.md. */
const LOG_PATH = { bytes: 76, text: 2264 };

Deno.test("A log that a ring file names is read only where that is permitted", async () => {
  using place = new Place();
  const secret = `${place.path}/secret`;
  const open = `${place.path}/open`;
  Deno.mkdirSync(`${place.path}/open`);
  Deno.renameSync(`${place.walDir}/logged`, secret);
  // The first names it plainly; the others look as if they were below what is permitted.
  const named = [secret, `${open}/../secret`, `${secret}\0/../open/x`, "secret"];
  for (const path of named) {
    forgeIdentity(place.ring, (view) => {
      const bytes = encode(path);
      const field = new Uint8Array(view.buffer, LOG_PATH.text, 768);
      field.fill(0);
      field.set(bytes);
      view.setUint32(LOG_PATH.bytes, bytes.length, true);
    });
    {
      using channel = openChannel("logged", { bufferFile: place.ring, readOnly: true });
      assertEquals(channel.logDirectory, path, "the forged page is read as it was meant");
    }
    const { results, unasked } = await place.run(`--allow-read=${open}`, `--allow-write=${open}`);
    assertEquals([path, unasked], [path, "CorruptLogError"]);
    for (const call of ["openConsumer() with a log", "openObserver() with a log"]) {
      assert(results[call] !== "done", `${call}: ${path}`);
    }
  }
});

// Where rings, logs and stores may not lie, and what is said of it: on real file systems.

import { assertEquals, assertThrows } from "@std/assert";
import { createChannel, openChannel, openProducer } from "../../mod.ts";
import { openStore } from "../../lib/durability/store.ts";
import { runTask } from "../_task.ts";
import { LayeredDisk } from "./_disk.ts";
import { testUnless } from "./_support.ts";

const noFuse = await LayeredDisk.obstacle("fuse.bindfs");
const noOverlay = await LayeredDisk.obstacle("overlay");

/** Verdicts of the lines about file systems, and the exit status. */
async function judged(directory: string): Promise<unknown[]> {
  const place = ["--directory", directory, "--wal-dir", directory];
  const { code, stdout } = await runTask("mt", ["doctor", "--json", ...place]);
  const { lines } = JSON.parse(stdout) as { lines: { name: string; verdict: string }[] };
  const found = lines.filter(({ name }) => name.endsWith("file system"));
  return [code, ...found.map(({ verdict }) => verdict)];
}

testUnless(
  noFuse,
  "Rings, logs and stores are refused where a program serves the files",
  async () => {
    await using disk = await LayeredDisk.create("fuse.bindfs");
    Deno.chmodSync(disk.path, 0o700);
    const [directory, below] = [disk.path, `${disk.below}/files`];
    const refusals: [() => unknown, string][] = [
      [() => createChannel("ring", { directory }), "create"],
      [() => createChannel("logged", { directory: below, walDir: directory }), "open the log"],
      [() => openStore({ directory }), "open store"],
      [() => {
        createChannel("other", { directory: below }).close();
        openChannel("other", { directory });
      }, "open"],
    ];
    for (const [refused, action] of refusals) {
      const { message } = assertThrows(refused, Deno.errors.NotSupported);
      assertEquals(
        message.replace(/"[^"]*"/, '"…"'),
        `Cannot ${action} "…": expected a local file system, found fuse (type 0x65735546), where ` +
          "mappings, locks and syncs are not those of one host; keep rings in /dev/shm, and logs " +
          "and checkpoints on a local disk",
      );
    }
    assertEquals(await judged(directory), [1, "fail", "fail"]);
  },
);

testUnless(noOverlay, "An overlay is good enough for rings and logs, and warned of", async () => {
  await using disk = await LayeredDisk.create("overlay");
  Deno.chmodSync(disk.path, 0o700);
  const place = { directory: disk.path, walDir: `${disk.path}/wal`, sizeBytes: "64KB" } as const;
  {
    using channel = createChannel("ring", { ...place, durability: "disk" });
    assertEquals(openProducer(channel).write(new Uint8Array(10)), 1);
  }
  assertEquals(await judged(disk.path), [0, "warn", "warn"]);
});

// The disks of the fault tests really fail as they say, and heal.

import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { FsyncGateDisk, PowerCutDisk, readDirect, SmallDisk } from "./_disk.ts";
import { Child, testUnless } from "./_support.ts";
import { acks, lastAcked } from "./_acks.ts";

const CHUNK_BYTES = 65_536;

const noPowerCut = await PowerCutDisk.obstacle();
const noFsyncGate = await FsyncGateDisk.obstacle();
const noSmallDisk = await SmallDisk.obstacle();

/** Says how an action failed: the number of the error, 0 for none. */
function errno(action: () => unknown): string {
  try {
    action();
    return "ok";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** Returns the first byte of each chunk, and nothing for chunks that are not one byte alone. */
function firstBytes(content: Uint8Array): (number | undefined)[] {
  return Array.from({ length: content.length / CHUNK_BYTES }, (_, index) => {
    const chunk = content.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
    return chunk.every((byte) => byte === chunk[0]) ? chunk[0] : undefined;
  });
}

testUnless(noPowerCut, "Power cut keeps what was synced and drops what was not", async () => {
  await using disk = await PowerCutDisk.create();
  for (let round = 0; round < 3; round++) {
    const path = `${disk.path}/round-${round}`;
    {
      using file = Deno.openSync(path, { write: true, create: true });
      file.writeSync(new Uint8Array(5000).fill(1));
      file.syncSync();
      using folder = Deno.openSync(disk.path);
      folder.syncSync();
      file.writeSync(new Uint8Array(5000).fill(2));
      Deno.writeTextFileSync(`${path}-unsynced`, "new");
      await disk.cut();
      assertEquals(errno(() => file.syncSync()), "EIO");
      assertEquals(errno(() => Deno.writeTextFileSync(`${path}-after`, "late")), "EIO");
    }
    await disk.restore();
    assertEquals(Deno.readFileSync(path), new Uint8Array(5000).fill(1));
    const names = [...Deno.readDirSync(disk.path)].map(({ name }) => name).sort();
    assertEquals(names, Array.from({ length: round + 1 }, (_, index) => `round-${index}`));
  }
});

testUnless(
  noPowerCut,
  "Power cut under a writing process keeps all that it acknowledged",
  async () => {
    await using disk = await PowerCutDisk.create();
    const config = { chunks: 10_000, chunkBytes: 4096 };
    for (let round = 0n; round < 10n; round++) {
      await using child = new Child("disk_writer", config, { directory: disk.path });
      for await (const sequence of acks(child)) {
        if (sequence === 10n + round) break;
      }
      await disk.cut(child.pid);
      const last = await lastAcked(child) ?? 10n + round;
      assertEquals((await child.ended()).signal, "SIGKILL");
      await disk.restore();
      const content = Deno.readFileSync(`${disk.path}/log`);
      for (let sequence = 1; sequence <= last; sequence++) {
        const chunk = content.subarray((sequence - 1) * 4096, sequence * 4096);
        assertEquals(chunk, new Uint8Array(4096).fill(sequence % 251 + 1));
      }
      Deno.removeSync(`${disk.path}/log`);
    }
  },
);

testUnless(noPowerCut, "PowerCutDisk.restore() refuses while a file is open", async () => {
  await using disk = await PowerCutDisk.create();
  using _file = Deno.openSync(`${disk.path}/open`, { write: true, create: true });
  await disk.cut();
  await assertRejects(() => disk.restore(), Error, "busy");
});

testUnless(
  noFsyncGate,
  "Failed write-back is told once, then denied by the page cache",
  async () => {
    for (const kind of ["new", "zeros"]) {
      await using disk = await FsyncGateDisk.create();
      const path = `${disk.path}/log`;
      using file = Deno.openSync(path, { read: true, write: true, create: true });
      const write = (value: number) => file.writeSync(new Uint8Array(CHUNK_BYTES).fill(value));
      if (kind === "zeros") { // As a log prepares its segments.
        for (let index = 0; index < 4; index++) write(0);
        file.syncSync();
        file.seekSync(0, Deno.SeekMode.Start);
      }
      write(1);
      file.syncDataSync();
      await disk.starve();
      write(2);
      assertMatch(errno(() => file.syncDataSync()), /^(EIO|ENOSPC)$/);
      for (let retry = 0; retry < 4; retry++) file.syncDataSync(); // "Success".
      assertEquals(firstBytes(Deno.readFileSync(path)).slice(0, 2), [1, 2]);
      const size = 2 * CHUNK_BYTES;
      assertEquals(firstBytes(await readDirect(path, { size })), [1, 0]);
      await disk.feed();
      write(3);
      file.syncDataSync();
      assertEquals(firstBytes(await readDirect(path, { size: 3 * CHUNK_BYTES })), [1, 0, 3]);
    }
  },
);

testUnless(noFsyncGate, "FsyncGateDisk.starve() leaves what it is told", async () => {
  await using disk = await FsyncGateDisk.create();
  using file = Deno.openSync(`${disk.path}/log`, { write: true, create: true });
  file.truncateSync(8 * CHUNK_BYTES);
  file.syncSync();
  await disk.starve({ freeBytes: 4 * CHUNK_BYTES });
  const results = Array.from({ length: 8 }, (_, index) => {
    file.writeSync(new Uint8Array(CHUNK_BYTES).fill(index + 1));
    return errno(() => file.syncDataSync()) === "ok";
  });
  const stored = results.indexOf(false);
  assertEquals(stored === 3 || stored === 4, true, results.join()); // Inodes may take a block.
  assertEquals(results.slice(stored).includes(true), false, results.join());
});

testUnless(noFsyncGate, "FsyncGateDisk tells of a write of which a part finds space", async () => {
  await using disk = await FsyncGateDisk.create();
  const path = `${disk.path}/log`;
  using file = Deno.openSync(path, { write: true, create: true });
  file.writeSync(new Uint8Array(2 * CHUNK_BYTES));
  file.seekSync(0, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(5000).fill(1));
  file.syncSync();
  await disk.starve();
  file.writeSync(new Uint8Array(CHUNK_BYTES).fill(2)); // Into two blocks that have content.
  assertMatch(errno(() => file.syncDataSync()), /^(EIO|ENOSPC)$/);
  const stored = await readDirect(path, { size: CHUNK_BYTES });
  assertEquals([stored[0], stored[4999], stored[5000], stored[8191]], [1, 1, 2, 2]);
  assertEquals(stored[8192], 0);
});

testUnless(noSmallDisk, "Small disk fails with ENOSPC to the block, and heals", async () => {
  await using disk = await SmallDisk.create({ sizeBytes: 1024 * 1024 });
  const path = `${disk.path}/log`;
  for (const freeBlocks of [0, 1, 2, 16]) {
    disk.fill(freeBlocks * 4096);
    using file = Deno.openSync(path, { write: true, create: true, truncate: true });
    const write = () => errno(() => file.writeSync(new Uint8Array(4096)));
    for (let block = 0; block < freeBlocks; block++) assertEquals(write(), "ok");
    assertEquals(write(), "ENOSPC");
    disk.free();
    assertEquals(write(), "ok");
    file.truncateSync(0);
  }
  assertThrows(() => disk.fill(4095), RangeError, "multiple");
  assertThrows(() => disk.fill(2 * 1024 * 1024), RangeError, "at most");
});

// A disk that is full at every 4 KiB: a log cannot be made there, or refuses producers as soon as
// it needs room; it goes on by itself when there is some, and loses nothing.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Channel,
  createChannel,
  NoSpaceError,
  openChannel,
  openProducer,
  type Producer,
  WAL_FULL,
} from "../../mod.ts";
import { SmallDisk } from "./_disk.ts";
import { Child, note, TestDirectory, testUnless, until } from "./_support.ts";
import { straceObstacle } from "./_trace.ts";
import { type Life, messageAt, recordsOf, WAL_OPTIONS, WalLedger } from "./_wal.ts";

const obstacle = await SmallDisk.obstacle();

const BLOCK_BYTES = 4096;

/** More than two segments and the control file. */
const FREE_MAX = 152 * BLOCK_BYTES;

/** What a full disk did to a log. */
type Outcome = "not made" | "refused";

/** A log on a disk of which little is free. */
class FullDisk {
  readonly lives: Life[] = [];

  constructor(readonly disk: SmallDisk, readonly directory: string, readonly name: string) {}

  open(): Channel {
    const { directory, name } = this;
    return createChannel(name, { ...WAL_OPTIONS, directory, walDir: `${this.disk.path}/wal` });
  }

  /** Fills the disk and uses the log until it is refused. */
  run(freeBytes: number): Outcome {
    this.disk.fill(freeBytes);
    let channel: Channel;
    try {
      channel = this.open();
    } catch (error) {
      if (!(error instanceof NoSpaceError)) throw error;
      this.#checkError(error, freeBytes);
      this.disk.free();
      this.open().close(); // It is made now.
      return "not made";
    }
    using _channel = channel;
    const life = this.#fillLog(channel);
    this.disk.free();
    this.#goOn(channel, life);
    return "refused";
  }

  #checkError(error: NoSpaceError, freeBytes: number): void {
    assert(error.needed > error.available, error.message);
    assert(error.available <= freeBytes, error.message);
  }

  /** Writes until there is no room. Returns what was published. */
  #fillLog(channel: Channel): Life {
    using producer = openProducer(channel);
    const begin = channel.stats().nextSequence;
    const life: Life = { id: 1 + this.lives.length, begin, acked: begin - 1 };
    this.lives.push(life);
    for (;;) {
      const sequence = send(producer, life, (message) => producer.offer(message));
      if (sequence === WAL_FULL) break;
      if (sequence > 0) life.acked = sequence;
    }
    assertEquals(channel.stats().log!.state, "full");
    const error = assertThrows(
      () => send(producer, life, (message) => producer.write(message, { timeoutMs: 1 })),
      Deno.errors.TimedOut,
    );
    assert(error.message.includes(`no room for its log "${channel.logDirectory}"`), error.message);
    assertEquals(producer.tryClaim(8), undefined);
    return life;
  }

  /** Writes until there is no room, and closes the channel as it is. */
  fillAndClose(freeBytes: number): Life {
    this.disk.fill(freeBytes);
    using channel = this.open();
    return this.#fillLog(channel);
  }

  /** The disk has room again: the producer that waits goes on. */
  #goOn(channel: Channel, life: Life): void {
    using producer = openProducer(channel);
    life.acked = send(producer, life, (message) => producer.write(message, { timeoutMs: 60_000 }));
    producer.waitDurable(life.acked);
    assertEquals(channel.stats().log!.state, "running");
  }

  /** Reads everything out of the log alone. */
  read(): void {
    Deno.removeSync(`${this.directory}/${this.name}.ring`);
    using channel = this.open();
    assert(channel.recovered!.verdict !== "torn");
    new WalLedger(this.lives).readOn(channel);
  }
}

/** Sends the message that comes behind what a life has sent. */
function send(producer: Producer, life: Life, by: (message: Uint8Array) => number): number {
  const first = life.acked + 1;
  const message = messageAt(first, life.id);
  const sequence = by(message);
  if (sequence < 0) return sequence;
  assertEquals(sequence, first + recordsOf(message.length, producer.maxRecordBytes) - 1);
  return sequence;
}

testUnless(
  obstacle,
  "Disk that is full at every 4 KiB refuses, heals and loses nothing",
  async () => {
    using directory = new TestDirectory();
    await using disk = await SmallDisk.create({ sizeBytes: 4 * 1024 * 1024 });
    const counts = { "not made": 0, "refused": 0 };
    for (let freeBytes = 0; freeBytes <= FREE_MAX; freeBytes += BLOCK_BYTES) {
      const full = new FullDisk(disk, directory.path, `full-${freeBytes / BLOCK_BYTES}`);
      counts[full.run(freeBytes)]++;
      full.read();
      Deno.removeSync(`${disk.path}/wal`, { recursive: true });
      Deno.removeSync(`${directory.path}/${full.name}.ring`);
    }
    assert(counts["not made"] > 60 && counts.refused > 60, JSON.stringify(counts));
    note("fullDisks", counts["not made"] + counts.refused);
  },
);

testUnless(
  obstacle,
  "Log closed on a full disk is opened again, and has what the ring had",
  async () => {
    using directory = new TestDirectory();
    await using disk = await SmallDisk.create({ sizeBytes: 4 * 1024 * 1024 });
    const full = new FullDisk(disk, directory.path, "closed");
    const life = full.fillAndClose(90 * BLOCK_BYTES);
    disk.free();
    using channel = full.open();
    const ledger = new WalLedger(full.lives);
    ledger.readOn(channel);
    assert(ledger.last > life.acked);
  },
);

testUnless(
  await straceObstacle(),
  "Log that is idle when its disk is full refuses, and heals by itself",
  async () => {
    using directory = new TestDirectory();
    const { path } = directory;
    const options = { ...WAL_OPTIONS, directory: path, walDir: `${path}/wal` };
    // Of the thread that writes, on that file: a group, and from then on whatever settles it.
    const faults = ["pwritev:error=ENOSPC:when=2+"];
    const segment = `${options.walDir}/idle/00000001-00000000000000000001.wal`;
    const config = { channel: "idle", options, role: "persister", life: 0, seed: 0 };
    await using child = new Child("wal_writer", config, {
      directory: path,
      trace: { faults, paths: [segment], calls: ["pwritev"], log: `${path}/strace.log` },
    });
    await child.expect("open");
    using channel = openChannel("idle", { directory: path });
    using producer = openProducer(channel);
    assertEquals(await producer.durable(producer.write(new Uint8Array(8))), "disk");
    await until("the log is full", () => channel.stats().log!.state === "full");
    assertEquals(producer.offer(new Uint8Array(8)), WAL_FULL);
    Deno.renameSync(segment, `${segment}.aside`); // Calls on that file are not hit: it has room.
    assertEquals(producer.write(new Uint8Array(8), { timeoutMs: 60_000 }), 2);
    assertEquals(await producer.durable(2), "disk");
    assertEquals(channel.stats().log!.state, "running");
    const [full, resumed] = channel.history();
    assertEquals([full?.kind, full?.errno, resumed?.kind], ["log-full", 28, "log-resumed"]);
  },
);

// Power cuts under a log: the disk loses what was not synced, the ring goes with its host. What was
// acknowledged is there, and sequences go on without a gap.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { type ChannelOptions, CorruptLogError, createChannel, openConsumer } from "../../mod.ts";
import { PowerCutDisk } from "./_disk.ts";
import { Child, IS_LONG, note, Random, seedOf, TestDirectory, testUnless } from "./_support.ts";
import { straceObstacle, type Trace } from "./_trace.ts";
import { type Life, WAL_OPTIONS, WalLedger } from "./_wal.ts";

const obstacle = await PowerCutDisk.obstacle();
const noTrace = obstacle ?? await straceObstacle();

/** Power cuts of each mode. */
const CUTS = IS_LONG ? 100 : 4;

interface Mode {
  name: string;
  options: ChannelOptions;
  /** What the writer is told beyond. */
  config?: object;
}

const MODES: Mode[] = [
  { name: "synced group by group", options: {} },
  { name: "written past the page cache", options: { io: "direct" } },
  {
    name: "synced every 3 ms",
    options: { sync: { intervalMs: 3 } },
    config: { isLazy: true },
  },
  {
    name: "that waits for the disk only where a message asks for it",
    options: { durability: "memory" },
    config: { isCritical: true },
  },
];

/** How a writer is cut: its fault, what strace does to the first segment, its acknowledgements. */
interface Cut {
  plant?: string;
  faults?: string[];
  rounds?: number;
  /** Most messages of a round. Default: 20. */
  roundMax?: number;
}

/** Writes a log on a disk until its power is cut, and reads what is left, again and again. */
class PowerVictim {
  readonly lives: Life[] = [];
  readonly ledger = new WalLedger(this.lives);
  torn = 0;
  readonly #options: ChannelOptions;
  readonly #directory = new TestDirectory();

  constructor(readonly disk: PowerCutDisk, readonly mode: Mode, readonly random: Random) {
    const directory = this.#directory.path;
    this.#options = { ...WAL_OPTIONS, ...mode.options, directory, walDir: `${disk.path}/wal` };
  }

  /** Cuts the power after some rounds of a writer, which may have a fault. */
  async cut({ plant, faults, rounds, roundMax = 20 }: Cut = {}): Promise<void> {
    const { random, disk } = this;
    const id = (this.lives.at(-1)?.id ?? 0) + 1;
    const seed = random.below(1e9);
    const config = { channel: "power", life: id, seed, roundMax, reads: true };
    const permissions = [`--allow-read=${disk.path}`, `--allow-write=${disk.path}`];
    await using child = new Child(
      "wal_writer",
      { ...config, ...this.mode.config, options: this.#options },
      {
        directory: this.#directory.path,
        permissions,
        ...plant === undefined ? {} : { plant },
        ...faults === undefined ? {} : { trace: this.#trace(faults) },
      },
    );
    const life: Life = { id, begin: Number(await child.expect("open")), acked: 0 };
    const end = rounds ?? 1 + random.below(30);
    let isCut: Promise<void> | undefined;
    let count = 0;
    for (let line = await child.line(); line !== undefined; line = await child.line()) {
      if (line.startsWith("acked ")) life.acked = Number(line.slice("acked ".length));
      if (++count === end) isCut = disk.cut(child.pid);
    }
    await isCut;
    const { signal, stderr } = await child.ended();
    assertEquals(signal, "SIGKILL", stderr);
    await disk.restore();
    await Deno.remove(`${this.#directory.path}/power.ring`);
    this.lives.push(life);
  }

  #trace(faults: string[]): Trace {
    const segment = `${this.#options.walDir}/power/00000001-00000000000000000001.wal`;
    const log = `${this.#directory.path}/strace.log`;
    return { log, faults, calls: ["fdatasync"], paths: [segment] };
  }

  /** Opens what is left, and reads what is new in it. */
  verify(): void {
    using channel = createChannel("power", this.#options);
    const { verdict, lastSequence } = channel.recovered!;
    if (verdict === "torn") this.torn++;
    const { acked } = this.lives.at(-1)!;
    assert(lastSequence >= acked, `acknowledged ${acked}, and the log ends at ${lastSequence}`);
    this.ledger.readOn(channel);
    using reader = openConsumer(channel, { name: "reader" });
    assert(reader.cursor <= lastSequence, `cursor ${reader.cursor}, the log ends ${lastSequence}`);
    while (reader.cursor < this.ledger.last) reader.poll(() => {});
  }

  /** Reads all that there is from the beginning. */
  verifyAll(): void {
    using channel = createChannel("power", this.#options);
    const whole = new WalLedger(this.lives);
    whole.readOn(channel);
    assertEquals(whole.count, this.ledger.count + 1); // And what it has gone on with.
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

for (const [i, mode] of MODES.entries()) {
  testUnless(obstacle, `Power cuts take nothing acknowledged of a log ${mode.name}`, async () => {
    const seed = seedOf(20_243) + i;
    await using disk = await PowerCutDisk.create({ sizeBytes: 512 * 1024 * 1024 });
    using victim = new PowerVictim(disk, mode, new Random(seed));
    for (let cut = 0; cut < CUTS; cut++) {
      await victim.cut();
      victim.verify();
    }
    victim.verifyAll();
    assert(victim.ledger.count > CUTS, `seed ${seed}`);
    note("powerCuts", CUTS);
    note("tornTailsOfPowerCuts", victim.torn);
    note("messagesOfPowerCuts", victim.ledger.count);
  });
}

/** Cuts the power behind the first acknowledgement. */
async function cutOnce(cut: Cut): Promise<() => void> {
  await using disk = await PowerCutDisk.create();
  using victim = new PowerVictim(disk, MODES[0]!, new Random(1));
  await victim.cut({ ...cut, rounds: 1, roundMax: 1 }); // One group: none waits for another's sync.
  try {
    victim.verify();
    return () => {};
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/**
 * What was acknowledged has to be missing: at the end, or in front of something later that has
 * reached the disk by itself.
 */
function assertFoundOut(verify: () => void): void {
  const error = assertThrows(verify, Error);
  const isEarlyEnd = error.message.includes("and the log ends at");
  assert(isEarlyEnd || error instanceof CorruptLogError, `${error}`);
}

testUnless(obstacle, "A log that does not sync is found out by a power cut", async () => {
  assertFoundOut(await cutOnce({ plant: "no_sync" }));
});

testUnless(
  noTrace,
  "A log that acknowledges before it syncs is found out by a power cut",
  async () => {
    // Ten minutes: the sync never comes, however late the cut does.
    const faults = ["fdatasync:delay_enter=600000000"];
    assertFoundOut(await cutOnce({ plant: "early_ack", faults }));
    const honest = await cutOnce({ faults: ["fdatasync:delay_enter=300000"] });
    honest();
  },
);

// Writers of a log that are killed (SIGKILL) at random moments, opening and repairing it included.
// What was acknowledged is there, once, in order, and nothing else is, whoever goes on.

import { assert, assertEquals } from "@std/assert";
import { type Channel, createChannel, type Level } from "../../mod.ts";
import { Child, IS_LONG, note, pause, Random, seedOf, TestDirectory } from "./_support.ts";
import { type Life, WAL_OPTIONS, WalLedger } from "./_wal.ts";

/** Kills over all lanes. */
const KILLS = IS_LONG ? 20_000 : 80;

/** Kills after which a lane begins with a new log: it is read as a whole now and then. */
const KILLS_PER_LOG = 200;

/** Kills between two readings of the whole log. */
const WHOLE_EVERY = 10;

/** How a log is written and killed. */
interface Lane {
  name: string;
  /** Whether the ring goes with each death, as with its host. */
  losesRing?: boolean;
  /** Whether another process than the producer writes the log. */
  isOutside?: boolean;
  /** Whether a message counts as soon as it is in the ring. */
  isMemory?: boolean;
}

const LANES: Lane[] = [
  { name: "the ring survives" },
  { name: "the ring is lost", losesRing: true },
  { name: "another process writes the log", isOutside: true },
  { name: "nobody waits for the disk", isMemory: true },
];

/** A log that one life after the other writes. */
class Victim {
  readonly lives: Life[] = [];
  readonly ledger = new WalLedger(this.lives);
  readonly #directory: TestDirectory;
  readonly #random: Random;
  readonly #lane: Lane;
  /** The process that writes the log, where that is not the producer. */
  #persister: Child | undefined;
  /** Whether that one is killed, so that nothing is acknowledged any more. */
  #isPersisterKilled = false;

  constructor(lane: Lane, directory: TestDirectory, random: Random) {
    this.#lane = lane;
    this.#directory = directory;
    this.#random = random;
  }

  get #options() {
    const durability: Level = this.#lane.isMemory ? "memory" : "disk";
    return { ...WAL_OPTIONS, durability, walDir: `${this.#directory.path}/wal` };
  }

  get #nextLife(): number {
    return (this.lives.at(-1)?.id ?? 0) + 1;
  }

  #start(config: object): Child {
    const { path } = this.#directory;
    const common = { channel: "victim", life: this.#nextLife, ...config };
    return new Child("wal_writer", common, { directory: path });
  }

  /** Starts a life, kills it after a random time, and notes what it has told. */
  async kill(): Promise<void> {
    const { isOutside } = this.#lane;
    const random = this.#random;
    if (isOutside && this.#persister === undefined) {
      this.#persister = this.#start({ role: "persister", options: this.#options });
      await this.#persister.expect("open");
    }
    const options = isOutside ? {} : { options: this.#options };
    await using child = this.#start({ seed: random.below(1e9), roundMax: 20, ...options });
    // Every fourth while it starts, opens and repairs; the others soon after they have had some
    // acknowledgements, however long the disk takes.
    const isEarly = random.below(4) === 0;
    if (isEarly) setTimeout(() => child.kill(), 30 + random.below(100));
    let untilKill = isEarly ? Infinity : this.#isPersisterKilled ? 0 : random.below(8);
    const life: Life = { id: this.#nextLife, begin: 0, acked: 0 };
    for (let line = await child.line(); line !== undefined; line = await child.line()) {
      const [word, number] = line.split(" ");
      if (word === "open") life.begin = Number(number);
      else if (word === "acked") life.acked = Number(number);
      if (untilKill-- === 0) this.#killSoon(child);
    }
    const { signal, stderr } = await child.ended();
    assertEquals(signal, "SIGKILL", stderr);
    this.lives.push(life);
    if (this.#lane.losesRing) {
      await Deno.remove(`${this.#directory.path}/victim.ring`).catch(() => {});
    }
    if (random.below(2) === 0) await this.#endPersister();
  }

  /** The persister first, half the time: the producer waits then. */
  #killSoon(child: Child): void {
    setTimeout(() => child.kill(), 1 + this.#random.below(40));
    const persister = this.#persister; // This one: the next life may have another.
    if (persister === undefined || this.#random.below(2) === 0) return;
    this.#isPersisterKilled = true;
    setTimeout(() => persister.kill(), 5);
  }

  async #endPersister(): Promise<void> {
    this.#persister?.kill();
    await this.#persister?.[Symbol.asyncDispose]();
    this.#persister = undefined;
    this.#isPersisterKilled = false;
  }

  /** Reads what is new; now and then everything. */
  async verify(): Promise<void> {
    await this.#endPersister();
    using channel = createChannel("victim", { directory: this.#directory.path, ...this.#options });
    this.ledger.readOn(channel);
    if (this.lives.length % WHOLE_EVERY === 0) this.readWhole(channel);
  }

  readWhole(channel: Channel): void {
    const whole = new WalLedger(this.lives);
    whole.readOn(channel);
    assertEquals(whole.count, this.ledger.count + 1); // And what it has gone on with.
  }
}

async function runLane(lane: Lane, seed: number, kills: number): Promise<number> {
  const random = new Random(seed);
  let messages = 0;
  for (let done = 0; done < kills;) {
    using directory = new TestDirectory();
    const victim = new Victim(lane, directory, random);
    const end = Math.min(kills, done + KILLS_PER_LOG);
    for (; done < end; done++) {
      await victim.kill();
      // Not after each: then the next life finds what the dead one has left.
      if (random.below(2) === 0 || done + 1 === end) await victim.verify();
    }
    messages += victim.ledger.count;
    await pause();
  }
  return messages;
}

Deno.test(`Log of which ${KILLS} writers were killed has all that was acknowledged`, async () => {
  const seed = seedOf(20_242);
  // Two of each: a life mostly waits for its kill.
  const lanes = [...LANES, ...LANES].map((lane, i) =>
    runLane(lane, seed + i, KILLS / LANES.length / 2)
  );
  const messages = await Promise.all(lanes);
  assert(messages.every((count) => count > KILLS), `seed ${seed}: ${messages} messages`);
  note("killedWalWriters", KILLS);
  note("messagesOfKilledWalWriters", messages.reduce((sum, count) => sum + count));
});

Deno.test("Channel.close() ends the log's writer although others go on sending", async () => {
  using directory = new TestDirectory();
  const place = { directory: directory.path };
  const options = { ...WAL_OPTIONS, ...place, walDir: `${directory.path}/wal` };
  const first = createChannel("closed", options);
  const config = { channel: "closed", life: 1, seed: 1, roundMax: 20, isLazy: true };
  await using writer = new Child("wal_writer", config, place);
  const life: Life = { id: 1, begin: Number(await writer.expect("open")), acked: 0 };
  life.acked = Number(await writer.expect("acked"));
  first.close(); // Or the writer's watchdog ends it, and the next line is missing.
  using second = createChannel("closed", options);
  const { durable } = second.stats().log!;
  while (life.acked <= durable) life.acked = Number(await writer.expect("acked"));
  writer.kill();
  for (let line = await writer.line(); line !== undefined; line = await writer.line()) {
    life.acked = Number(line.slice("acked ".length));
  }
  assertEquals((await writer.ended()).signal, "SIGKILL");
  new WalLedger([life]).readOn(second);
});

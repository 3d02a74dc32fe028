// Death at each system call and each fault point of a log: while it is made, written, rotated, cut,
// opened again and repaired. Whoever comes next finds all that was acknowledged.

import { assert, assertEquals } from "@std/assert";
import { createChannel, openChannel, openConsumer } from "../../mod.ts";
import { Child, IS_LONG, note, Random, seedOf, TestDirectory, testUnless } from "./_support.ts";
import { type Point, straceObstacle, strike, survey, type Trace } from "./_trace.ts";
import { type Life, WAL_OPTIONS, WalLedger } from "./_wal.ts";

const obstacle = await straceObstacle();

/** Points of each scenario that the short form takes. */
const POINTS = 10;

/** Messages enough for some segments; each is synced before the next is sent. */
const ROUNDS = 60;

/** Fault points of a log, and how often a scenario comes by. */
const LABELS: Record<string, number[]> = {
  before_append: [1, 2, 20, 50],
  after_append: [1, 2, 20, 50],
  before_sync: [1, 2, 20, 50],
  after_sync: [1, 2, 20, 50],
  before_rename: [1, 2, 3],
  after_rename: [1, 2, 3],
  before_unlink: [1, 2],
};

/** A log that processes die on. */
class Scene implements Disposable {
  readonly lives: Life[] = [];
  readonly ledger = new WalLedger(this.lives);
  readonly #directory = new TestDirectory();
  readonly options = {
    ...WAL_OPTIONS,
    sizeBytes: 256 * 1024,
    snapshotIntervalMs: 0, // At each turn: the control file is written all the time.
    directory: this.#directory.path,
    walDir: `${this.#directory.path}/wal`,
  };
  readonly strace = `${this.#directory.path}/strace.log`;

  /** Where the log's files are. */
  get files(): string {
    return `${this.options.walDir}/scene`;
  }

  start(config: object, how: { fault?: string; trace?: Trace } = {}): Child {
    const life = (this.lives.at(-1)?.id ?? 0) + 1;
    const scenario = { rounds: ROUNDS, isLong: true, reads: true, keeps: true, seed: 1, life };
    const whole = { channel: "scene", options: this.options, ...scenario, ...config };
    return new Child("wal_writer", whole, { directory: this.#directory.path, ...how });
  }

  /** Notes what a process tells until it ends. Returns whether it was killed. */
  async follow(child: Child): Promise<boolean> {
    const life: Life = { id: (this.lives.at(-1)?.id ?? 0) + 1, begin: 0, acked: 0 };
    for (let line = await child.line(); line !== undefined; line = await child.line()) {
      const [word, number] = line.split(" ");
      if (word === "open") life.begin = Number(number);
      if (word === "acked") life.acked = Number(number);
    }
    const { code, signal, stderr } = await child.ended();
    assert(signal === "SIGKILL" || code === 0, stderr);
    this.lives.push(life);
    return signal === "SIGKILL";
  }

  /** The host has died as well, perhaps. */
  loseRing(): void {
    try {
      Deno.removeSync(`${this.options.directory}/scene.ring`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // It was not made yet.
    }
  }

  /** Opens what is left, and reads it. */
  verify(): void {
    using channel = createChannel("scene", this.options);
    // As long as this one needs it, nothing more is cut.
    using keeper = openConsumer(channel, { name: "keeper", from: "earliest", onSlow: "spill" });
    this.ledger.oldest = keeper.cursor + 1;
    this.ledger.readOn(channel);
  }

  /** Puts bytes that no group begins with behind the end, as a power cut in a write leaves them. */
  tear(random: Random): void {
    const [name] = [...Deno.readDirSync(this.files)].map(({ name }) => name)
      .filter((name) => name.endsWith(".wal")).sort().slice(-1);
    const path = `${this.files}/${name}`;
    const bytes = Deno.readFileSync(path);
    let end = bytes.length;
    while (bytes[end - 1] === 0) end--;
    const from = Math.ceil(end / 512) * 512;
    for (let at = from; at < from + 1500 && at < bytes.length; at++) bytes[at] = random.below(256);
    Deno.writeFileSync(path, bytes);
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

/** Some points in the short form, spread over all of them; all in the long one. */
function choose(points: Point[], random: Random): Point[] {
  if (IS_LONG) return points;
  const step = Math.max(1, points.length / POINTS);
  const count = Math.min(POINTS, points.length);
  return Array.from(
    { length: count },
    (_, i) =>
      points[Math.min(points.length - 1, Math.floor(i * step + random.below(Math.ceil(step))))]!,
  );
}

/** Runs a scenario to its end. Returns the calls that it has made on the log. */
async function pointsOf(scene: Scene): Promise<Point[]> {
  await using child = scene.start({}, { trace: { log: scene.strace } });
  assertEquals(await scene.follow(child), false);
  const { points } = survey(Deno.readTextFileSync(scene.strace), scene.files);
  return points;
}

/** Runs a scenario that dies at a point of it, unless it takes another way there. */
async function dieAt(point: Point, scene: Scene): Promise<boolean> {
  await using child = scene.start({}, {
    trace: strike(point, { directory: scene.files, log: scene.strace }),
  });
  return await scene.follow(child);
}

testUnless(obstacle, "Death at each system call of a log loses nothing acknowledged", async () => {
  const random = new Random(seedOf(20_245));
  using whole = new Scene();
  const points = await pointsOf(whole);
  for (const call of ["pwritev", "fdatasync", "fsync", "renameat", "unlinkat", "fallocate"]) {
    assert(points.some((point) => point.call === call), `the scenario has a ${call}`);
  }
  let deaths = 0;
  for (const point of choose(points, random)) {
    using scene = new Scene();
    if (await dieAt(point, scene)) deaths++;
    if (random.below(2) === 0) scene.loseRing();
    scene.verify();
  }
  assert(deaths > POINTS / 2, `${deaths} deaths`);
  note("deathsAtSystemCallsOfLogs", deaths);
});

testUnless(
  obstacle,
  "Death at each system call of a repair loses nothing acknowledged",
  async () => {
    const random = new Random(seedOf(20_246));
    const torn = async () => {
      const scene = new Scene();
      await using child = scene.start({}, { fault: "after_append:30" });
      assertEquals(await scene.follow(child), true);
      scene.loseRing();
      scene.tear(random);
      return scene;
    };
    using whole = await torn();
    const points = (await pointsOf(whole)).filter(({ when }) => when <= 3);
    assert(points.some(({ path }) => path.includes("torn-")), "the tail is saved aside");
    let deaths = 0;
    for (const point of choose(points, random)) {
      using scene = await torn();
      if (await dieAt(point, scene)) deaths++;
      scene.loseRing();
      scene.verify();
    }
    assert(deaths > POINTS / 2, `${deaths} deaths`);
    note("deathsAtSystemCallsOfRepairs", deaths);
  },
);

Deno.test("Death at each fault point of a log loses nothing acknowledged", async () => {
  let deaths = 0;
  for (const [label, passings] of Object.entries(LABELS)) {
    for (const when of IS_LONG ? Array.from({ length: 50 }, (_, i) => i + 1) : passings) {
      using scene = new Scene();
      await using child = scene.start({}, { fault: `${label}:${when}` });
      const isDead = await scene.follow(child);
      assert(isDead || IS_LONG, `${label}:${when} was not reached`);
      if (isDead) deaths++;
      if (when % 2 === 0) scene.loseRing();
      scene.verify();
    }
  }
  note("deathsAtFaultPointsOfLogs", deaths);
});

Deno.test("Message of which the log has a part comes whole, its rest out of the ring", async () => {
  let parted = 0;
  for (let segment = 2; segment <= 6; segment++) {
    using scene = new Scene();
    const options = { ...scene.options, sizeBytes: 64 * 1024 };
    const config = { options, keeps: false, rounds: 200 };
    await using child = scene.start(config, { fault: `before_rename:${segment}` });
    assertEquals(await scene.follow(child), true);
    using channel = openChannel("scene", { directory: options.directory });
    using consumer = openConsumer(channel, { from: "earliest" });
    const { nextSequence, log } = channel.stats();
    const ledger = new WalLedger([...scene.lives]);
    while (ledger.last < nextSequence - 1) {
      const before = ledger.last;
      if (consumer.poll((message) => ledger.accept(message)) === 0) break;
      if (before < log!.logged && ledger.last > log!.logged && ledger.last - before > 1) parted++;
    }
    assertEquals(ledger.last, nextSequence - 1, `the log has ${log!.logged}`);
  }
  assert(parted > 0);
});

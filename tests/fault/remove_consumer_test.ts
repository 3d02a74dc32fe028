// Removing a consumer while others open and remove it, and all of them, and who writes the log, are
// killed: nobody loses a message, and in the end the consumer is gone.

import { assert, assertEquals } from "@std/assert";
import {
  type Channel,
  createChannel,
  openConsumer,
  openProducer,
  removeConsumer,
  verifyLog,
} from "../../mod.ts";
import { currentSlot, decodeControl } from "../../lib/native/log_files.ts";
import { Child, IS_LONG, note, Random, seedOf, TestDirectory, until } from "./_support.ts";
import { WAL_OPTIONS } from "./_wal.ts";

const CHANNEL = "removal";
const NAME = "gone";

/** Removals that have succeeded at least, and messages. */
const REMOVALS = IS_LONG ? 20_000 : 50;
const MESSAGES = 400;

/** A channel whose log other processes write. */
class Scene implements AsyncDisposable {
  readonly #directory = new TestDirectory();
  readonly options = {
    ...WAL_OPTIONS,
    directory: this.#directory.path,
    walDir: `${this.#directory.path}/wal`,
    snapshotIntervalMs: 1,
  };
  readonly channel: Channel = createChannel(CHANNEL, { ...this.options, persister: "outside" });
  readonly children: Child[] = [];

  start(script: string, config: object, fault?: string): Child {
    const { directory } = this.options;
    const child = new Child(script, { channel: CHANNEL, ...config }, {
      directory,
      ...fault === undefined ? {} : { fault },
    });
    this.children.push(child);
    return child;
  }

  /** Starts a process that writes the log, or dies at a fault point. */
  async persist(fault?: string): Promise<Child> {
    const { options } = this;
    const config = { role: "persister", life: 0, seed: 0, options };
    const child = this.start("wal_writer", config, fault);
    if (await child.line() !== "open") assert(fault !== undefined, "it may have died before");
    return child;
  }

  send(): void {
    using producer = openProducer(this.channel);
    for (let i = 0; i < MESSAGES; i++) producer.write(new Uint8Array(100));
    producer.waitDurable(MESSAGES);
  }

  /** Names of the consumers that the log has written down. */
  get recorded(): string[] {
    const bytes = Deno.readFileSync(`${this.channel.logDirectory}/control`);
    return currentSlot(decodeControl(bytes))!.cursors.map(({ name }) => name).sort();
  }

  /** Whether a removal is yet to be carried out. */
  get isPending(): boolean {
    return [...Deno.readDirSync(this.channel.logDirectory!)]
      .some(({ name }) => name.startsWith("removed-"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.children) await child[Symbol.asyncDispose]();
    this.channel.close();
    this.#directory[Symbol.dispose]();
  }
}

/** What processes have told of the consumer. */
class Account {
  readonly taken = new Set([0]);
  readonly begins: number[] = [];
  removals = 0;

  /** Follows a process until it ends. Returns whether it was killed. */
  async follow(child: Child, onLine: () => void): Promise<boolean> {
    for (let line = await child.line(); line !== undefined; line = await child.line()) {
      onLine();
      const [word, number] = line.split(" ");
      if (word === "open") this.begins.push(Number(number));
      if (word === "take") this.taken.add(Number(number));
      if (word === "removed") this.removals++;
    }
    const { code, signal, stderr } = await child.ended();
    assert(signal === "SIGKILL" || code === 0, stderr);
    return signal === "SIGKILL";
  }

  /** Each began anew, or behind a message that one before it had taken. */
  check(): void {
    for (const cursor of this.begins) assert(this.taken.has(cursor), `began behind ${cursor}`);
  }
}

/**
 * Keeps one more contender going, each of which is killed at a fault point or at any moment after
 * it has done something: on a slow machine none would come to that in any time that was fixed.
 */
async function contend(scene: Scene, account: Account, seed: number): Promise<number> {
  const random = new Random(seed);
  let kills = 0;
  for (let life = 0; account.removals < REMOVALS; life++) {
    const fault = ["mid_removal", "after_removal", "mid_join"][random.below(6)];
    const config = { name: NAME, seed: seed + life };
    const child = scene.start(
      "contender",
      config,
      fault && `${fault}:${1 + random.below(20)}`,
    );
    const killMs = random.below(2_000);
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (await account.follow(child, () => timer ??= setTimeout(() => child.kill(), killMs))) {
      kills++;
    }
    clearTimeout(timer);
  }
  return kills;
}

Deno.test("Consumers that race with their removal, all of them killed, lose nothing", async () => {
  await using scene = new Scene();
  const { channel } = scene;
  const seed = seedOf(20_248);
  let persister = await scene.persist();
  const steady = openConsumer(channel, { name: "steady", onSlow: "spill" });
  scene.send();
  const account = new Account();
  let persisterKills = 0;
  let isOver = false;
  const killPersisters = async () => {
    for (const random = new Random(seed); !isOver; persisterKills++) {
      const removals = account.removals + 1 + random.below(20);
      await until("some are removed", () => isOver || account.removals >= removals);
      persister.kill();
      await persister.ended();
      persister = await scene.persist(`mid_forget:${1 + random.below(5)}`);
    }
  };
  const killing = killPersisters();
  const kills = await Promise.all([1, 2, 3].map((i) => contend(scene, account, seed + 1000 * i)));
  isOver = true;
  await killing;
  persister.kill();
  await persister.ended();
  await scene.persist();
  account.check();
  try {
    removeConsumer(channel, NAME);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await until("it is forgotten", () => !scene.isPending && !scene.recorded.includes(NAME));
  assertEquals(channel.stats().consumers.map(({ name }) => name), ["mt.persister", "steady"]);
  let next = 1;
  while (steady.poll(({ sequence }) => assertEquals(sequence, next++)) > 0);
  assertEquals(next, MESSAGES + 1);
  assertEquals((await verifyLog(channel.logDirectory!)).verdict === "corrupt", false);
  note("consumersRemoved", account.removals);
  note("killsAroundRemovals", kills.reduce((sum, count) => sum + count) + persisterKills);
});

Deno.test("Death at each point of a removal leaves it undone, or done", async () => {
  for (const point of ["mid_removal", "after_removal", "mid_forget"]) {
    await using scene = new Scene();
    const { channel } = scene;
    const first = await scene.persist();
    scene.send();
    {
      using gone = openConsumer(channel, { name: NAME, onSlow: "spill" });
      assertEquals(gone.poll(() => {}, 100), 100);
      gone.keep(1);
      await until("it is written down", () => scene.recorded.includes(NAME));
    }
    let isRemoved = true;
    if (point === "mid_forget") {
      first.kill();
      await first.ended();
      removeConsumer(channel, NAME);
      const second = await scene.persist("mid_forget:1");
      assertEquals((await second.ended()).signal, "SIGKILL");
      assertEquals([scene.isPending, scene.recorded], [true, []]);
    } else {
      const config = { name: NAME, seed: 1, removesOnly: true };
      const remover = scene.start("contender", config, `${point}:1`);
      assertEquals((await remover.ended()).signal, "SIGKILL");
      isRemoved = point === "after_removal";
    }
    const again = openConsumer(channel, { name: NAME, onSlow: "spill" });
    assert(isRemoved ? again.cursor === 0 : again.cursor <= 100, `${point}: ${again.cursor}`);
    again.close();
    await scene.persist();
    await until("nothing is pending", () => !scene.isPending);
    removeConsumer(channel, NAME);
    await until("it is forgotten", () => !scene.isPending && scene.recorded.length === 0);
  }
});

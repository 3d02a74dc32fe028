// Durable subscriptions that are killed (SIGKILL) again and again, while segments come and go, and
// the writer of the log is killed as well. Each life begins behind what was acknowledged: never a
// gap, and only what was not acknowledged comes again.

import { assert, assertEquals } from "@std/assert";
import { type Channel, createChannel, openChannel, openConsumer, openProducer } from "../../mod.ts";
import { Child, IS_LONG, note, pause, Random, seedOf, TestDirectory, until } from "./_support.ts";
import { messageAt, recordsOf, WAL_OPTIONS } from "./_wal.ts";

/** Kills of each subscription. */
const KILLS = IS_LONG ? 500 : 8;

interface Subscription {
  name: string;
  onSlow: "block" | "spill";
  loops?: boolean;
  keeps?: boolean;
}

const SUBSCRIPTIONS: Subscription[] = [
  { name: "blocks", onSlow: "block", keeps: true },
  { name: "spills", onSlow: "spill", keeps: true },
  { name: "loops", onSlow: "spill", loops: true },
];

/** A process that does nothing but write the log, one after the other. */
class Persisters implements AsyncDisposable {
  readonly #running: Child[] = [];

  constructor(readonly directory: string, readonly channel: string) {}

  get options() {
    return { ...WAL_OPTIONS, walDir: `${this.directory}/wal` };
  }

  /** Starts one, which waits until those before it are gone. */
  async start(): Promise<Child> {
    const { directory, channel, options } = this;
    const config = { channel, role: "persister", life: 0, seed: 0, options };
    const child = new Child("wal_writer", config, { directory });
    this.#running.push(child);
    await child.expect("open");
    return child;
  }

  /** Kills the one that writes. */
  async killFirst(): Promise<void> {
    const first = this.#running.shift()!;
    first.kill();
    assertEquals((await first.ended()).signal, "SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#running) await child[Symbol.asyncDispose]();
  }
}

/** Bytes sent at least: several segments, so that some can be cut. */
const SENT_BYTES_MIN = 4 * 256 * 1024;

/** Sends until it is told to end, as fast as the ring takes it. Returns the last sequence. */
async function sendUntil(channel: Channel, isDone: () => boolean): Promise<number> {
  using producer = openProducer(channel);
  let next = channel.stats().nextSequence;
  let sentBytes = 0;
  for (let count = 0; !isDone() || sentBytes < SENT_BYTES_MIN; count++) {
    const message = messageAt(next, 1);
    const sequence = producer.offer(message);
    if (sequence < 0) await producer.ready({ timeoutMs: 10 });
    else {
      sentBytes += message.length;
      assertEquals(sequence, next + recordsOf(message.length, producer.maxRecordBytes) - 1);
      next = sequence + 1;
    }
    if (count % 16 === 0) await pause(0); // Lets the lives of the subscriptions go on.
    if (count % 200 === 0) await pause(2);
  }
  const sequence = producer.write(messageAt(next, 1));
  await producer.durable(sequence);
  return sequence;
}

/** Follows one life. Returns the last sequence that it has handled, at least `handled`. */
async function follow(child: Child, handled: number, onBatch?: () => void): Promise<number> {
  let next = 0;
  let last = handled;
  for (let line = await child.line(); line !== undefined; line = await child.line()) {
    const [word, first, end] = line.split(" ");
    if (word === "end") break;
    if (word === "open") {
      assert(Number(first) <= handled, `acknowledged ${first}, handled ${handled}`);
      next = Number(first) + 1;
      continue;
    }
    assertEquals([word, Number(first)], ["handled", next]);
    next = Number(end) + 1;
    last = Math.max(last, next - 1);
    onBatch?.();
  }
  return last;
}

/** Kills the lives of one subscription. Returns the last sequence that was handled. */
async function killAll(
  { name, ...how }: Subscription,
  directory: string,
  channel: string,
  random: Random,
): Promise<number> {
  let handled = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const config = { channel, name, limit: 1 + random.below(200), ...how };
    await using child = new Child("wal_reader", config, { directory });
    let batches = 1 + random.below(20);
    const isEarly = random.below(4) === 0;
    if (isEarly) setTimeout(() => child.kill(), 30 + random.below(80));
    handled = await follow(child, handled, () => {
      if (--batches === 0) child.kill();
    });
    const { signal, stderr } = await child.ended();
    assertEquals(signal, "SIGKILL", stderr);
  }
  return handled;
}

Deno.test(`Subscriptions killed ${KILLS} times have no gap, their writer killed too`, async () => {
  const seed = seedOf(20_244);
  using directory = new TestDirectory();
  await using persisters = new Persisters(directory.path, "subscribed");
  await persisters.start();
  await persisters.start();
  using channel = openChannel("subscribed", { directory: directory.path });
  // Known from the start: the log keeps everything for them.
  for (const { name } of SUBSCRIPTIONS) openConsumer(channel, { name }).close();
  let isDone = false;
  const sending = sendUntil(channel, () => isDone);
  const lives = Promise.all(
    SUBSCRIPTIONS.map((subscription, i) =>
      killAll(subscription, directory.path, "subscribed", new Random(seed + i))
    ),
  ).finally(() => isDone = true);
  for (const promise of [sending, lives]) promise.catch(() => {}); // Awaited below.
  let takeovers = 0;
  while (!isDone) {
    const { durable } = channel.stats().log!;
    await persisters.killFirst();
    await persisters.start();
    await until("the other one goes on", () => channel.stats().log!.durable > durable || isDone);
    takeovers++;
  }
  const [handled, last] = [await lives, await sending];
  for (const [i, { name, ...how }] of SUBSCRIPTIONS.entries()) {
    const config = { channel: "subscribed", name, limit: 100, ...how, last };
    await using heir = new Child("wal_reader", config, { directory: directory.path });
    assertEquals(await follow(heir, handled[i]!), last);
    await heir.succeeded();
  }
  // The persister cuts when it next looks at what is needed.
  await until("segments are cut", () => channel.stats().log!.oldest > 1);
  const { epoch } = channel.stats().log!;
  assert(epoch > 1, `epoch ${epoch} after ${takeovers} kills`);
  note("killedSubscriptions", KILLS * SUBSCRIPTIONS.length);
  note("takeoversOfLogs", takeovers);
});

Deno.test("Consumer goes on at its cursor after the ring was lost with its host", async () => {
  using directory = new TestDirectory();
  const options = { ...WAL_OPTIONS, directory: directory.path, walDir: `${directory.path}/wal` };
  let handled = 0;
  for (let boot = 1; boot <= 4; boot++) {
    await using child = new Child(
      "wal_writer",
      { channel: "rebooted", options, life: 1, seed: boot, rounds: 100, roundMax: 5 },
      { directory: directory.path },
    );
    const begin = Number(await child.expect("open"));
    const config = { channel: "rebooted", name: "heir", onSlow: "spill", limit: 50 };
    await using reader = new Child("wal_reader", config, { directory: directory.path });
    let batches = 5;
    handled = await follow(reader, handled, () => {
      if (--batches === 0) reader.kill();
    });
    assert(begin > 0);
    child.kill();
    await child.ended();
    await reader.ended();
    Deno.removeSync(`${directory.path}/rebooted.ring`);
    using channel = createChannel("rebooted", options);
    assertEquals(channel.recovered!.epoch, 2 * boot);
    assertEquals(channel.stats().nextSequence, channel.recovered!.lastSequence + 1);
  }
});

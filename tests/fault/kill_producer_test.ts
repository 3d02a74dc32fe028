// Producers that are killed (SIGKILL) at a labelled point of claim, copy and publish, in a library
// that is built with fault points. The victim tells after each operation that it has returned, so
// the test knows exactly which messages must have arrived: those, and the one under way if and only
// if its commit word was stored.

import { assertEquals } from "@std/assert";
import {
  type Channel,
  type Consumer,
  createChannel,
  openConsumer,
  openProducer,
  type Producer,
} from "../../mod.ts";
import { encode, Ledger } from "./_content.ts";
import { Child, IS_LONG, note, pause, TestDirectory, until } from "./_support.ts";

const OPERATIONS = { offer: 1, batch: 4, claim: 1 } as const; // Messages that each of them sends.
type Operation = keyof typeof OPERATIONS;

/** Where a claim is made and its commit word not stored. */
const OPEN = ["after_claim", "mid_copy", "before_publish"];
/** Where the commit word is stored. */
const PUBLISHED = ["after_publish", "before_wake"];
/** Where a producer of many has only announced what it wants. */
const ANNOUNCED = ["mid_announce", "before_claim"];

/** Passings: the first, one of many in a row, and in the long form some more. */
const PASSINGS = IS_LONG ? [1, 2, 3, 7, 50, 333] : [1, 6];

const ALIGNMENT = 8;
const SIZE_BYTES = 4096; // Tiny, so that the tests go round it many times.

/** What a victim has left behind. */
interface Death {
  id: number;
  operation: Operation;
  label: string;
  /** Messages of the operations that had returned. */
  returned: number;
}

/** Starts a victim and waits for its death at the fault point. */
async function die(
  directory: string,
  channel: string,
  victim: { id: number; operation: Operation; label: string; passing: number },
): Promise<Death> {
  const { id, operation, label, passing } = victim;
  const fault = label === "claim_lost" ? "claim_lost:1" : `${label}:${passing}`;
  const config = { channel, id, operation, unit: OPERATIONS[operation], report: true };
  await using child = new Child("producer", config, { directory, fault });
  await child.expect("open");
  let returned = 0;
  for (let line = await child.line(); line !== undefined; line = await child.line()) {
    assertEquals(line.startsWith("done "), true, `${label}: ${line}`);
    returned = Number(line.slice("done ".length));
  }
  const { signal, stderr } = await child.ended();
  assertEquals(signal, "SIGKILL", `${operation} at ${label}:${passing}: ${stderr}`);
  return { id, operation, label, returned };
}

/** How many messages of a dead producer must have arrived. */
function publishedBy({ label, returned, operation }: Death): number {
  return returned + (PUBLISHED.includes(label) ? OPERATIONS[operation] : 0);
}

/** How many sequences its open claim uses up in a channel of many. */
function abortedBy({ label, operation }: Death): number {
  return OPEN.includes(label) ? OPERATIONS[operation] : 0;
}

/** Polls until nothing is there. */
function drain(consumer: Consumer, ledger: Ledger): void {
  while (consumer.poll((message) => ledger.accept(message)) > 0);
}

/** Keeps a consumer polling beside a test, until it is disposed of and nothing is there. */
class Following implements AsyncDisposable {
  #isStopped = false;
  readonly #done: Promise<void>;

  constructor(consumer: Consumer, ledger: Ledger) {
    this.#done = this.#run(consumer, ledger);
  }

  async #run(consumer: Consumer, ledger: Ledger): Promise<void> {
    while (!this.#isStopped) {
      drain(consumer, ledger);
      await consumer.wait({ timeoutMs: 5 });
    }
    drain(consumer, ledger);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    return this.#done;
  }
}

Deno.test("Producer killed at each point of a single producer's work leaves no trace", async () => {
  using directory = new TestDirectory();
  const name = "kill.single";
  const options = { directory: directory.path, sizeBytes: SIZE_BYTES, alignment: ALIGNMENT };
  using channel = createChannel(name, options);
  const consumer = openConsumer(channel);
  const ledger = new Ledger();
  let id = 1;
  let deaths = 0;
  for (const operation of Object.keys(OPERATIONS) as Operation[]) {
    for (const label of ["before_claim", ...OPEN, ...PUBLISHED]) {
      for (const passing of PASSINGS) {
        let death: Death;
        {
          await using _following = new Following(consumer, ledger);
          death = await die(directory.path, name, { id, operation, label, passing });
        }
        const where = `${operation} at ${label}:${passing}`;
        assertEquals(ledger.countOf(id), publishedBy(death), where);
        continueAfter(channel, consumer, ledger, id + 1, where);
        id += 2;
        deaths++;
      }
    }
  }
  assertEquals(ledger.skipped, 0, "a single producer's open claim uses up no sequence");
  note("killedSingleProducers", deaths);
});

/** A new producer takes the next sequence, and what it sends is all that arrives. */
function continueAfter(
  channel: Channel,
  consumer: Consumer,
  ledger: Ledger,
  id: number,
  where: string,
): void {
  using producer = openProducer(channel);
  for (let counter = 0; counter < 6; counter++) {
    const expected = ledger.last + 1;
    // 20 bytes, as long as the shortest of a dead batch, so that records begin at the same places.
    assertEquals(producer.offer(encode(id, counter, 20)), expected, where);
    consumer.poll((message) => ledger.accept(message));
    assertEquals(ledger.last, expected, `${where}: one message was sent`);
  }
}

Deno.test("Producer killed before it publishes a batch leaves none of it behind", async () => {
  using directory = new TestDirectory();
  using channel = createChannel("kill.batch", { directory: directory.path });
  const consumer = openConsumer(channel);
  const config = { channel: "kill.batch", id: 1, operation: "batch", unit: 8, lengthMax: 8 };
  const options = { directory: directory.path, fault: "before_publish:1" };
  await using child = new Child("producer", config, options);
  assertEquals((await child.ended()).signal, "SIGKILL");
  // Every record but the first stands there whole. Ours ends where the second of them begins.
  const producer = openProducer(channel);
  const received: number[] = [];
  for (let counter = 0; counter < 8; counter++) {
    producer.offer(encode(2, counter, 8));
    const ledger = new Ledger({ last: counter, hasGaps: true });
    consumer.poll((message) => ledger.accept(message));
    received.push(ledger.countOf(2), ledger.countOf(1));
  }
  assertEquals(received, [1, 2, 3, 4, 5, 6, 7, 8].flatMap((count) => [count, 0]));
});

Deno.test("Producer killed at each point beside others costs them nothing", async () => {
  using directory = new TestDirectory();
  const name = "kill.many";
  const place = { directory: directory.path };
  using channel = createChannel(name, {
    ...place,
    sizeBytes: SIZE_BYTES,
    alignment: ALIGNMENT,
    producers: "many",
  });
  const consumers = [openConsumer(channel), openConsumer(channel)];
  const ledgers = consumers.map(() => new Ledger());
  const following = new AsyncDisposableStack();
  for (const [i, consumer] of consumers.entries()) {
    following.use(new Following(consumer, ledgers[i]!));
  }
  await using _following = following;
  const others = [1, 2].map((id) =>
    new Child("producer", { channel: name, id, operation: "offer", burst: 50 }, place)
  );
  await using _first = others[0]!, _second = others[1]!;
  for (const other of others) await other.expect("open");
  const marker = openProducer(channel);
  const deaths: Death[] = [];
  let markers = 0;
  for (const label of [...ANNOUNCED, ...OPEN, ...PUBLISHED]) {
    for (const passing of PASSINGS) {
      const victims = (Object.keys(OPERATIONS) as Operation[]).map((operation, i) =>
        die(directory.path, name, { id: 10 + deaths.length + i, operation, label, passing })
      );
      deaths.push(...await Promise.all(victims));
      await passMarker(marker, markers++, ledgers);
    }
  }
  for (const other of others) await other.send("stop");
  const sent = await Promise.all(others.map(async (other) => Number(await other.expect("end"))));
  for (const other of others) await other.succeeded();
  await following.disposeAsync();
  for (const [i, ledger] of ledgers.entries()) {
    assertEquals([ledger.countOf(1), ledger.countOf(2), ledger.countOf(MARKER)], [
      ...sent,
      markers,
    ]);
    for (const death of deaths) {
      assertEquals(
        ledger.countOf(death.id),
        publishedBy(death),
        `${death.operation} ${death.label}`,
      );
    }
    const aborted = deaths.reduce((sum, death) => sum + abortedBy(death), 0);
    assertEquals(ledger.skipped, aborted, "each sequence of an open claim is skipped once");
    assertEquals(channel.stats().consumers[i]!.aborted, aborted, "and is counted");
    assertEquals(ledger.last, channel.stats().nextSequence - 1, "nothing is left in the ring");
  }
  note("killedProducersOfMany", deaths.length);
});

const MARKER = 9;

/** Sends a message behind all claims of the dead and waits until everybody has it. */
async function passMarker(producer: Producer, counter: number, ledgers: Ledger[]): Promise<void> {
  const bytes = encode(MARKER, counter, 12);
  const start = performance.now();
  while (producer.offer(bytes) < 0) await pause();
  await until(
    "the marker has passed",
    () => ledgers.every((each) => each.countOf(MARKER) > counter),
  );
  note("passedDeadClaimMs", performance.now() - start);
}

Deno.test("Producer that only wanted a place costs its winner nothing when dead", async () => {
  using directory = new TestDirectory();
  const name = "kill.loser";
  using channel = createChannel(name, { directory: directory.path, producers: "many" });
  const consumer = openConsumer(channel);
  const winner = openProducer(channel);
  for (const [i, operation] of (Object.keys(OPERATIONS) as Operation[]).entries()) {
    const victim = { id: 10 + i, operation, label: "before_claim", passing: 1 };
    await die(directory.path, name, victim);
    for (let n = 0; n < 5; n++) winner.offer(encode(1, i * 5 + n, 30));
    openProducer(channel).close(); // Takes the dead one's slot, with its intent still there.
  }
  const ledger = new Ledger();
  drain(consumer, ledger);
  assertEquals([ledger.countOf(1), ledger.skipped], [15, 0]);
});

Deno.test("Producer killed after it lost a claim to another costs nothing", async () => {
  using directory = new TestDirectory();
  const name = "kill.lost";
  using channel = createChannel(name, { directory: directory.path, producers: "many" });
  const consumer = openConsumer(channel);
  const winner = openProducer(channel);
  const config = { channel: name, id: 10, operation: "offer" };
  const fault = "before_claim:1:stop,claim_lost:1";
  await using child = new Child("producer", config, { directory: directory.path, fault });
  await child.expect("open");
  await child.expect("stopped");
  for (let counter = 0; counter < 5; counter++) winner.offer(encode(1, counter, 30));
  const ended = child.ended();
  const timer = setInterval(() => child.kill("SIGCONT"), 5); // It may not have stopped yet.
  assertEquals((await ended).signal, "SIGKILL");
  clearInterval(timer);
  for (let counter = 5; counter < 10; counter++) winner.offer(encode(1, counter, 30));
  openProducer(channel).close();
  const ledger = new Ledger();
  drain(consumer, ledger);
  assertEquals([ledger.countOf(1), ledger.countOf(10), ledger.skipped], [10, 0, 0]);
});

Deno.test("Consumer killed while it clears a dead claim away lets another one finish", async () => {
  using directory = new TestDirectory();
  const name = "kill.repair";
  const place = { directory: directory.path };
  using channel = createChannel(name, { ...place, producers: "many" });
  const consumer = openConsumer(channel);
  await using stack = new AsyncDisposableStack();
  const repairers = [1, 2, 3].map(() => {
    const config = { channel: name, handle: "print" };
    return stack.use(new Child("consumer", config, { ...place, fault: "mid_repair:1" }));
  });
  for (const repairer of repairers) await repairer.expect("open");
  const victim = { id: 10, operation: "batch", label: "before_publish", passing: 1 } as const;
  await die(directory.path, name, victim);
  for (const repairer of repairers) assertEquals((await repairer.ended()).signal, "SIGKILL");
  openProducer(channel).offer(encode(1, 0, 20));
  const ledger = new Ledger();
  await until("the message has come", () => {
    drain(consumer, ledger);
    return ledger.delivered > 0;
  });
  assertEquals([ledger.last, ledger.skipped, ledger.countOf(1)], [5, 4, 1]);
});

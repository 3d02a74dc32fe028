// A matching engine is killed at random moments and at points of the native code. What it has told
// in the end is what an undisturbed one tells, each event once; and so is its state.

import { assert, assertEquals } from "@std/assert";
import { EngineEvent, OrderRequest, replayOrders } from "../../lib/exchange/mod.ts";
import { type Channel, createChannel, openProducer, type Producer, readLog } from "../../mod.ts";
import { type Event, readEvent, RequestStream } from "../_exchange.ts";
import { engineChannels, INSTRUMENTS } from "./_exchange.ts";
import { Child, IS_LONG, note, pause, Random, seedOf, TestDirectory } from "./_support.ts";

const KILLS = IS_LONG ? 300 : 8;

/** Where it is killed, and at which passing: publishing, acknowledging, logging, checkpoints. */
const POINTS = [
  ...["after_claim:3", "mid_copy:300", "before_publish:3", "after_publish:3", "before_wake:2"],
  ...["before_ack:4", "mid_ack:4", "after_append:3", "before_sync:3", "after_sync:3"],
  ...["before_store_commit:3", "after_store_commit:3", "after_store_commit:4", "mid_join:1"],
];

/** A gateway without clients: a producer of requests, and the log of them. */
class Gateway implements Disposable {
  readonly #directory = new TestDirectory();
  readonly #orders: Channel;
  readonly #producer: Producer;
  readonly #stream: RequestStream;

  constructor(seed: number) {
    const { ordersOptions } = engineChannels(this.path);
    this.#orders = createChannel("gateway.orders", { ...ordersOptions, schema: OrderRequest });
    this.#producer = openProducer(this.#orders);
    this.#stream = new RequestStream(seed);
  }

  get path(): string {
    return this.#directory.path;
  }

  /** Sends requests. Waits where the engine is too far behind, as somebody else starts it. */
  async send(count: number): Promise<void> {
    for (let left = count; left > 0;) {
      const batch = this.#stream.batch(Math.min(left, 20));
      while (this.#producer.offerBatch(batch) < 0) await this.#producer.ready({ timeoutMs: 10 });
      left -= batch.bytes.length / batch.messageBytes;
      await pause(2);
    }
  }

  start(fault?: string): Child {
    const place = { directory: this.path };
    return new Child("matching_engine", {}, fault === undefined ? place : { ...place, fault });
  }

  /** Lets an engine end by itself, and compares what it has told with an undisturbed one. */
  async judge(where: string): Promise<number> {
    await using child = this.start();
    await child.expect("ready");
    await child.send("stop");
    const [hash, sequence, number] = (await child.expect("stopped")).split(" ");
    await child.succeeded();
    this.#orders.close();
    const expected: Event[] = [];
    const replay = replayOrders({
      logDirectory: `${this.path}/wal/gateway.orders`,
      instruments: INSTRUMENTS,
      onEvent: (view, offset) => void expected.push(readEvent(view, offset)),
    });
    assertEquals(hash, replay.stateHash, where);
    assertEquals([Number(sequence), Number(number)], [
      replay.lastSequence,
      replay.lastEventNumber,
    ]);
    assertEquals(readEvents(`${this.path}/wal/engine.events`), expected, where);
    return replay.requests;
  }

  [Symbol.dispose](): void {
    this.#orders.close();
    this.#directory[Symbol.dispose]();
  }
}

/** What was told, but for the time. */
function readEvents(directory: string): Event[] {
  const events: Event[] = [];
  for (const { view, offset, length, sequence } of readLog(directory)) {
    const event = readEvent(view, offset);
    assertEquals([event.eventNumber, length], [sequence, EngineEvent.sizeBytes]);
    events.push({ ...event, engineTimeNs: 0 });
  }
  return events;
}

/** Reads what it says when it has recovered; undefined if it was killed before. */
async function recovered(child: Child): Promise<{ checkpoint: number; replayed: number }> {
  const [checkpoint = 0, replayed = 0] = (await child.expect("ready")).split(" ").map(Number);
  return { checkpoint, replayed };
}

Deno.test("Engine that is killed at random tells every event once", async () => {
  const seed = seedOf(5_150);
  const random = new Random(seed);
  using gateway = new Gateway(seed);
  let fromCheckpoint = 0;
  let replays = 0;
  for (let round = 0; round < KILLS; round++) {
    await using child = gateway.start();
    const sending = gateway.send(random.below(120));
    // Some die while they recover.
    if (round % 4 === 3) await pause(random.below(200));
    else {
      const { checkpoint, replayed } = await recovered(child);
      if (checkpoint > 0) fromCheckpoint++;
      if (replayed > 0) replays++;
      await pause(random.below(40));
    }
    // Some end in peace, and so with a checkpoint.
    if (round % 4 === 1) await child.send("stop");
    else child.kill();
    await sending;
    const { signal, code, stderr } = await child.ended();
    if (round % 4 === 1) assertEquals(code, 0, stderr);
    else assertEquals(signal, "SIGKILL", stderr);
    // Sometimes its ring goes with the host: what was not durable is made again.
    if (round % 3 === 2) Deno.removeSync(`${gateway.path}/engine.events.ring`);
  }
  const requests = await gateway.judge(`seed ${seed}`);
  assert(fromCheckpoint > 0, "no life began from a checkpoint");
  assert(replays > 0, "no life had to replay");
  note("matching engine: kills", KILLS);
  note("matching engine: requests", requests);
});

for (const point of POINTS) {
  Deno.test(`Engine that is killed at ${point} tells every event once`, async () => {
    using gateway = new Gateway(1);
    {
      await using child = gateway.start(point);
      let isDead = false;
      const ended = child.ended().finally(() => isDead = true);
      while (!isDead) await gateway.send(20); // Until it has passed there so often.
      const { signal, stderr } = await ended;
      assertEquals(signal, "SIGKILL", stderr);
    }
    await gateway.judge(point);
  });
}

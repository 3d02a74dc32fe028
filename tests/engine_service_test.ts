import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  EngineEvent,
  type EngineService,
  EventsMismatchError,
  OrderRequest,
  replayOrders,
  startEngine,
} from "../lib/exchange/mod.ts";
import {
  type Channel,
  type Checkpoints,
  openCheckpoints,
  openConsumer,
  openProducer,
  type Producer,
  readLog,
  removeChannel,
  SequenceGapError,
} from "../mod.ts";
import { type Event, packRequest, readEvent, requestOf, RequestStream } from "./_exchange.ts";
import { Scratch } from "./_support.ts";
import { until } from "./fault/_support.ts";

const INSTRUMENTS = [{ id: 1 }, { id: 2 }];

/** Channels, checkpoints and a producer of requests, as a gateway is one. */
class Venue implements Disposable {
  readonly scratch = new Scratch();
  readonly directory = this.scratch.directory;
  orders!: Channel;
  events!: Channel;
  checkpoints!: Checkpoints;
  gateway!: Producer;
  readonly stream = new RequestStream(7);

  constructor(eventBytes = "1MB") {
    this.open(eventBytes);
  }

  open(eventBytes = "1MB"): void {
    const log = {
      walDir: `${this.directory}/wal`,
      segmentBytes: "256KB",
      snapshotIntervalMs: 1,
    } as const;
    const common = { durability: "disk", ...log } as const;
    const sizeBytes = "256KB";
    this.orders = this.scratch.create(
      { ...common, sizeBytes, producers: "many" },
      "gateway.orders",
    );
    this.events = this.scratch.create({ ...common, sizeBytes: eventBytes }, "engine.events");
    this.checkpoints = openCheckpoints({ directory: `${this.directory}/state`, mapBytes: 1 << 20 });
    this.gateway = openProducer(this.orders);
  }

  close(): void {
    this.checkpoints.close();
    this.orders.close();
    this.events.close();
  }

  async start(options = {}): Promise<EngineService> {
    const { orders, events, checkpoints } = this;
    const engine = { instruments: INSTRUMENTS };
    return await startEngine({ orders, events, checkpoints, engine, ...options });
  }

  /** Sends some requests of the stream. */
  send(count: number): void {
    for (let left = count; left > 0; left -= 100) {
      this.gateway.writeBatch(this.stream.batch(Math.min(left, 100)));
    }
  }

  /** What an undisturbed engine makes of the log. */
  replay(onEvent?: (view: DataView, offset: number) => void) {
    const logDirectory = `${this.directory}/wal/gateway.orders`;
    return replayOrders({ logDirectory, instruments: INSTRUMENTS, ...(onEvent && { onEvent }) });
  }

  /** Compares the log of events with those of a replay: gapless, and each once. */
  checkEvents(): void {
    const expected: Event[] = [];
    this.replay((view, offset) => void expected.push(readEvent(view, offset)));
    const actual: Event[] = [];
    for (const message of readLog(`${this.directory}/wal/engine.events`)) {
      const event = readEvent(message.view, message.offset);
      assertEquals([event.eventNumber, message.length], [message.sequence, EngineEvent.sizeBytes]);
      assert(event.engineTimeNs > 0);
      actual.push({ ...event, engineTimeNs: 0 });
    }
    assertEquals(actual.length, expected.length);
    assertEquals(actual, expected);
  }

  [Symbol.dispose](): void {
    this.close();
    this.scratch[Symbol.dispose]();
  }
}

Deno.test("startEngine() publishes events whose numbers are their sequences", async () => {
  using venue = new Venue();
  const service = await venue.start();
  venue.send(500);
  const summary = await service.stop();
  assertEquals(summary.requests, 500);
  assertEquals(venue.events.stats().nextSequence, summary.lastEventNumber + 1);
  venue.close();
  venue.checkEvents();
  const { stateHash, lastSequence, lastEventNumber } = venue.replay();
  assertEquals([summary.stateHash, summary.lastSequence], [stateHash, lastSequence]);
  assertEquals(summary.lastEventNumber, lastEventNumber);
});

Deno.test("startEngine() goes on from a checkpoint, and with what came behind it", async () => {
  using venue = new Venue();
  venue.send(300);
  await (await venue.start()).stop();
  venue.send(200);
  const service = await venue.start();
  const { checkpoint, sequence, replayed, repeated, published } = service.recovery;
  assertEquals([checkpoint, sequence, replayed, repeated], [1, 300, 200, 0]);
  assert(published >= 200);
  const { stateHash } = await service.stop();
  venue.close();
  venue.checkEvents();
  assertEquals(venue.replay().stateHash, stateHash);
});

Deno.test("startEngine() publishes no event twice when its checkpoint is old", async () => {
  using venue = new Venue();
  venue.send(300);
  const { lastEventNumber } = await (await venue.start()).stop();
  venue.checkpoints.close();
  Deno.removeSync(`${venue.directory}/state`, { recursive: true });
  venue.close();
  venue.open();
  const service = await venue.start();
  const { replayed, repeated, published } = service.recovery;
  assertEquals([replayed, repeated, published], [300, lastEventNumber, 0]);
  await service.stop();
  venue.close();
  venue.checkEvents();
});

Deno.test("startEngine() makes checkpoints by number and by time", async () => {
  using venue = new Venue();
  const service = await venue.start({ checkpointIntervalMs: 5, checkpointEvery: 100 });
  for (let i = 0; i < 10; i++) {
    venue.send(50);
    const last = venue.orders.stats().nextSequence - 1;
    await until("all are applied", () => service.engine.lastSequence === last);
  }
  const { checkpoints } = await service.stop();
  assert(checkpoints > 1, `${checkpoints} checkpoints`);
});

Deno.test("EngineService takes no request while the events channel is full", async () => {
  using venue = new Venue("32KB");
  const slow = openConsumer(venue.events, { name: "slow", from: "earliest" });
  const service = await venue.start();
  venue.send(1_000);
  // It stands still with a full ring: the consumer has not polled yet.
  await until("the ring is full", () => openRoom(venue.events) < 16_384);
  const numbers: number[] = [];
  const stopped = service.stop();
  const poll = () =>
    slow.poll(({ view, offset }) => void numbers.push(readEvent(view, offset).eventNumber));
  let isStopped = false;
  stopped.then(() => isStopped = true);
  await until("it has stopped", () => poll() === 0 && isStopped);
  const { requests, lastEventNumber } = await stopped;
  assertEquals(requests, 1_000);
  assertEquals(numbers, Array.from({ length: lastEventNumber }, (_, i) => i + 1));
});

function openRoom(channel: Channel): number {
  return channel.sizeBytes - channel.stats().occupancy;
}

Deno.test("startEngine() answers records of any length", async () => {
  using venue = new Venue();
  const service = await venue.start();
  venue.gateway.write(new Uint8Array(3));
  venue.gateway.write(new Uint8Array(0));
  venue.gateway.write(new Uint8Array(200).fill(255));
  venue.gateway.write(packRequest(requestOf({ clientSequence: 1 })));
  const { lastEventNumber } = await service.stop();
  assertEquals(lastEventNumber, 4);
});

Deno.test("startEngine() refuses a second engine", async () => {
  using venue = new Venue();
  const service = await venue.start();
  await assertRejects(() => venue.start(), Deno.errors.Busy);
  await service.stop();
  await (await venue.start()).stop();
});

Deno.test("startEngine() refuses an events channel that has lost events", async () => {
  using venue = new Venue();
  venue.send(100);
  await (await venue.start()).stop();
  venue.close();
  removeChannel("engine.events", { directory: venue.directory });
  Deno.removeSync(`${venue.directory}/wal/engine.events`, { recursive: true });
  venue.open();
  const error = await assertRejects(() => venue.start(), EventsMismatchError, "checkpoints");
  assertEquals(error.actual, 0);
  assert(error.expected >= 100);
});

Deno.test("startEngine() refuses an events channel that knows lost requests", async () => {
  using venue = new Venue();
  venue.send(100);
  await (await venue.start()).stop();
  venue.close();
  removeChannel("gateway.orders", { directory: venue.directory });
  Deno.removeSync(`${venue.directory}/wal/gateway.orders`, { recursive: true });
  Deno.removeSync(`${venue.directory}/state`, { recursive: true });
  venue.open();
  const error = await assertRejects(() => venue.start(), EventsMismatchError, "gateway.orders");
  assertEquals(error.expected, 0);
});

Deno.test("startEngine() refuses to begin in the middle of the requests", async () => {
  using scratch = new Scratch();
  using checkpoints = openCheckpoints({ directory: `${scratch.directory}/state` });
  const orders = scratch.create({ producers: "many" }, "gateway.orders");
  const events = scratch.create({}, "engine.events");
  const gateway = openProducer(orders);
  for (let i = 0; i < 1_000; i++) gateway.write(new Uint8Array(OrderRequest.sizeBytes));
  const engine = { instruments: INSTRUMENTS };
  await assertRejects(
    () => startEngine({ orders, events, checkpoints, engine }),
    SequenceGapError,
  );
});

Deno.test("replayOrders() ends where it is told to, and to the same state twice", async () => {
  using venue = new Venue();
  venue.send(200);
  await (await venue.start()).stop();
  venue.close();
  const logDirectory = `${venue.directory}/wal/gateway.orders`;
  const half = replayOrders({ logDirectory, instruments: INSTRUMENTS, to: 100 });
  assertEquals([half.lastSequence, half.requests], [100, 100]);
  assertEquals(venue.replay(), venue.replay());
});

Deno.test("startEngine() makes the log keep all requests until a checkpoint has them", async () => {
  using venue = new Venue();
  const service = await venue.start({ checkpointIntervalMs: 1_000_000 });
  for (let sent = 1_000; sent <= 8_000; sent += 1_000) { // Four segments.
    venue.send(1_000);
    await until("all are applied", () => service.engine.lastSequence === sent);
  }
  // Nothing is cut while nobody has said what it needs: now somebody has, who needs little.
  const other = openConsumer(venue.orders, { name: "other", from: 8_000, onSlow: "spill" });
  other.keep(8_000);
  // One at a time: more than the rings hold would wait for an engine that has no turn meanwhile.
  const sendNext = () => {
    const { nextSequence } = venue.orders.stats();
    if (service.engine.lastSequence === nextSequence - 1) venue.send(1);
  };
  const end = venue.orders.stats().log!.syncs + 20;
  await until("it has looked again", () => {
    sendNext();
    return venue.orders.stats().log!.syncs > end;
  });
  assertEquals(venue.orders.stats().log!.oldest, 1);
  await service.stop();
  await until("it has cut", () => {
    venue.send(1);
    return venue.orders.stats().log!.oldest > 1;
  });
});

/**
 * A matching engine between two channels: takes requests out of one, puts events into the other,
 * and goes on after a crash at any instruction.
 *
 * @module
 */

import type { Channel } from "../../channel/channel.ts";
import type { Consumer } from "../../channel/consumer.ts";
import { openConsumer } from "../../channel/open_consumer.ts";
import { openProducer, type Producer } from "../../channel/producer.ts";
import type { Message } from "../../channel/record.ts";
import { nextTurn } from "../../channel/wait_strategy.ts";
import type { Checkpoint, Checkpoints, CheckpointTimer } from "../../durability/checkpoint.ts";
import type { Recovery } from "../../durability/recovery.ts";
import { EventsMismatchError } from "../../errors.ts";
import { countCheckpoint, tellRecovery } from "../../observability/checkpoint_counters.ts";
import type { Counters } from "../../observability/counters.ts";
import type { EngineDefinitions } from "./engine_counters.ts";
import { EventOutbox } from "./event_outbox.ts";
import { type EngineOptions, MatchingEngine } from "./matching_engine.ts";

/** What an engine works between. */
export interface EngineServiceOptions {
  /** Where requests come from: `gateway.orders`. */
  orders: Channel;
  /** Where events go to: `engine.events`, of which it becomes the one producer. */
  events: Channel;
  /** Where its state is kept. */
  checkpoints: Checkpoints;
  /** What it trades, and its limits. */
  engine: Omit<EngineOptions, "onEvent">;
  /** Milliseconds between two checkpoints. Default: 5000. */
  checkpointIntervalMs?: number;
  /** Requests between two checkpoints. Default: no limit. */
  checkpointEvery?: number;
  /** Where it counts what it does, exact to a step. Default: nowhere. */
  counters?: Counters<EngineDefinitions>;
}

/** How an engine has come back. */
export interface EngineRecovery {
  /** Number of the checkpoint that it began with; 0 for none. */
  checkpoint: number;
  /** Sequence of the last request that it contained. */
  sequence: number;
  /** Requests that were applied again. */
  replayed: number;
  /** Events that were made again and were out already. */
  repeated: number;
  /** Events that were made again and had not come out before the crash. */
  published: number;
  /** Checkpoints and stores that are damaged, and were passed over. */
  damaged: number;
  /** Milliseconds that it took. */
  recoveryMs: number;
}

/** How far an engine is. */
export interface EngineSummary {
  /** SHA-256 of its state. */
  stateHash: string;
  /** Sequence of the last request. */
  lastSequence: number;
  /** Number of the last event. */
  lastEventNumber: number;
  /** Requests that were applied since its start, recovery included. */
  requests: number;
  /** Orders that rest. */
  openOrders: number;
  /** Checkpoints that were made. */
  checkpoints: number;
}

/** Name of its consumer, of its producer, and of its state. */
const NAME = "engine";

/** Requests of one poll. */
const POLL_LIMIT = 256;

/** Requests of a step at most, if so many are there: what a few milliseconds are enough for. */
const STEP_REQUESTS = 4096;

/** Milliseconds that a recovering engine waits for a request that should be there. */
const STRAGGLER_MS = 100;

/** Takes requests out of one channel to the engine, and its events into the other. */
class EnginePump {
  readonly engine: MatchingEngine;
  readonly outbox: EventOutbox;
  readonly consumer: Consumer;
  /** Requests that were applied. */
  count = 0;
  readonly #events: Producer;
  /** Writes nothing: it is whom the log tells how durable the requests are. */
  readonly #witness: Producer | undefined;
  readonly #apply = ({ view, offset, sequence, length }: Message) => {
    this.engine.apply(view, offset, sequence, length);
    this.count++;
  };

  /** Goes on from what was recovered. Takes the producer of the events over. */
  constructor(options: EngineServiceOptions, recovery: Recovery, events: Producer) {
    const { orders } = options;
    this.#events = events;
    this.outbox = new EventOutbox(options.events, events);
    const onEvent = (view: DataView<ArrayBuffer>) => this.outbox.add(view);
    const { state } = recovery;
    this.engine = state === undefined
      ? new MatchingEngine({ ...options.engine, onEvent })
      : MatchingEngine.restore(state, { ...options.engine, onEvent });
    this.outbox.begin(this.engine.lastEventNumber);
    this.consumer = state === undefined
      ? openFromTheFirst(orders)
      : recovery.replay({ name: NAME });
    this.#witness = orders.durability === "disk" ? openProducer(orders, { name: NAME }) : undefined;
  }

  /**
   * Applies requests that are there, and publishes their events.
   *
   * @param upTo Last sequence to apply.
   * @returns How many were applied.
   */
  async step(upTo: number): Promise<number> {
    const { consumer } = this;
    const before = this.count;
    while (this.count - before < STEP_REQUESTS && consumer.delivered < upTo) {
      const limit = Math.min(POLL_LIMIT, upTo - consumer.delivered);
      if (consumer.poll(this.#apply, limit) === 0) break;
    }
    if (this.outbox.count > 0) {
      await this.#witness?.durable(this.engine.lastSequence);
      await this.outbox.flush();
    }
    return this.count - before;
  }

  /** Gives its places on the channels up. */
  close(): void {
    this.consumer.close();
    this.#witness?.close();
    this.#events.close();
  }
}

/** A consumer of all requests, not of what is left. The log keeps all, until a checkpoint. */
function openFromTheFirst(orders: Channel): Consumer {
  const consumer = openConsumer(orders, { name: NAME, from: 1 });
  if (orders.logDirectory !== undefined) consumer.keep(1);
  return consumer;
}

/**
 * A running engine. Made by {@linkcode startEngine}.
 *
 * One thread. Requests are taken in batches; their events go out in batches, when the requests are
 * as durable as their channel promises: so nobody hears of a trade that a power cut undoes. While
 * the events channel is full, no request is taken.
 */
export class EngineService {
  /** How it has come back. */
  readonly recovery: EngineRecovery;
  /** Rejects when it has failed. Resolves when it was stopped. */
  readonly ended: Promise<void>;
  readonly #options: EngineServiceOptions;
  readonly #pump: EnginePump;
  readonly #timer: CheckpointTimer;
  #wake = () => {};
  #checkpointCount = 0;
  /** Number of the last event that its predecessor had published. */
  readonly #published: number;
  #stopAt = Infinity;

  /** Goes on with what has recovered; see {@linkcode startEngine}. */
  constructor(options: EngineServiceOptions, pump: EnginePump, recovery: EngineRecovery) {
    this.#options = options;
    this.#pump = pump;
    this.recovery = recovery;
    this.#published = pump.outbox.published - recovery.published;
    const { counters, orders, events } = options;
    if (counters !== undefined) tellRecovery(counters, recovery, [orders, events]);
    this.#count();
    this.#timer = options.checkpoints.schedule(NAME, {
      ...(options.checkpointIntervalMs && { intervalMs: options.checkpointIntervalMs }),
      ...(options.checkpointEvery && { everyMessages: options.checkpointEvery }),
      capture: () => this.#capture(),
      onCheckpoint: (checkpoint) => this.#countCheckpoint(checkpoint),
    });
    this.#timer.ended.catch(() => counters?.values.checkpointFailures.add());
    const running = this.#run();
    this.ended = Promise.race([running, this.#timer.ended.then(() => running)]);
    this.ended.catch(() => {}); // Told of by whoever awaits it.
  }

  /** The engine, to be looked at. */
  get engine(): MatchingEngine {
    return this.#pump.engine;
  }

  #countCheckpoint(checkpoint: Checkpoint): void {
    this.#checkpointCount++;
    const { counters } = this.#options;
    if (counters !== undefined) countCheckpoint(counters, checkpoint);
  }

  /** Tells what has been done so far. */
  #count(): void {
    const { engine: { openOrders, lastSequence }, outbox, count } = this.#pump;
    this.#options.counters?.update({
      requests: count - this.recovery.replayed,
      events: outbox.published - this.#published,
      ...{ trades: outbox.trades, openOrders, lastSequence },
    });
  }

  /** Tells how far it is behind. For whoever looks now and then: it costs a look at the channel. */
  tellLag(): void {
    const last = this.#options.orders.stats().nextSequence - 1;
    const lag = Math.max(0, last - this.#pump.engine.lastSequence);
    this.#options.counters?.values.lag.set(lag);
  }

  async #run(): Promise<void> {
    const { engine } = this.#pump;
    try {
      for (;;) {
        const count = await this.#pump.step(this.#stopAt);
        if (count > 0) {
          this.#count();
          this.#timer.poke(engine.lastSequence);
        } else if (this.#stopAt < Infinity) return;
        else await this.#untilAwake();
        await nextTurn(); // For checkpoints and signals, as there may always be more requests.
      }
    } finally {
      await this.#timer.stop();
    }
  }

  /** Waits for a request, or for the end. */
  async #untilAwake(): Promise<void> {
    // A promise for each wait: one for all would keep what every race has left with it.
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await Promise.race([this.#pump.consumer.wait(), promise]);
  }

  /** The state of now, and the consumer that has come as far. */
  #capture() {
    const { engine, outbox, consumer } = this.#pump;
    const number = engine.lastEventNumber;
    const parts = engine.snapshot();
    async function* state() {
      yield* parts;
      // One that knows more than the events channel could not be gone on from.
      await outbox.durable(number);
    }
    return { state: state(), consumers: [consumer] };
  }

  /**
   * Stops it: applies the requests that are there by now, publishes their events, and makes a
   * checkpoint. The channels and the checkpoints stay open.
   *
   * @throws What it has failed by.
   */
  async stop(): Promise<EngineSummary> {
    const { engine } = this.#pump;
    this.#stopAt = this.#options.orders.stats().nextSequence - 1;
    this.#wake();
    try {
      await this.ended;
      this.#countCheckpoint(
        await this.#options.checkpoints.checkpoint(NAME, this.#capture()),
      );
    } finally {
      this.#pump.close();
    }
    return {
      stateHash: engine.stateHash(),
      lastSequence: engine.lastSequence,
      lastEventNumber: engine.lastEventNumber,
      requests: this.#pump.count,
      openOrders: engine.openOrders,
      checkpoints: this.#checkpointCount,
    };
  }
}

/**
 * Starts an engine: with its newest checkpoint, then with the requests behind that, of which it
 * publishes only the events that are not out yet; then live.
 *
 * Its channels and checkpoints belong to the caller, who closes them after {@linkcode
 * EngineService.stop}.
 *
 * @throws {Deno.errors.Busy} If another engine works on these channels.
 * @throws {EventsMismatchError} If the events channel is behind the checkpoint, or has events of
 *     requests that are lost.
 * @throws {SequenceGapError} If there is no checkpoint, and the first requests are gone.
 * @throws {CorruptSnapshotError} If the checkpoint is none of an engine.
 * @throws {CorruptStoreError} If there are checkpoints and none is sound.
 */
export async function startEngine(options: EngineServiceOptions): Promise<EngineService> {
  const begin = performance.now();
  const producer = openProducer(options.events, { name: NAME });
  let pump: EnginePump | undefined;
  try {
    const recovery = await options.checkpoints.recover(NAME, options.orders);
    pump = new EnginePump(options, recovery, producer);
    const published = pump.outbox.published;
    checkEvents(options, pump, "behind");
    const known = pump.engine.lastEventNumber;
    await catchUp(pump, options.orders.stats().nextSequence - 1);
    checkEvents(options, pump, "ahead");
    return new EngineService(options, pump, {
      checkpoint: recovery.checkpoint,
      sequence: recovery.sequence,
      replayed: pump.count,
      repeated: published - known,
      published: pump.outbox.published - published,
      damaged: recovery.damaged.length,
      recoveryMs: performance.now() - begin,
    });
  } catch (error) {
    pump?.close();
    producer.close();
    throw error;
  }
}

/** Applies the requests up to a sequence. */
async function catchUp(pump: EnginePump, upTo: number): Promise<void> {
  while (pump.consumer.delivered < upTo) {
    const count = await pump.step(upTo);
    await nextTurn();
    // A producer may be about to publish what is next; or it was aborted, and never comes.
    if (count === 0 && !await pump.consumer.wait({ timeoutMs: STRAGGLER_MS })) return;
  }
}

/** Compares the channel with the engine: with a checkpoint, and when all is replayed. */
function checkEvents(
  { orders, events }: EngineServiceOptions,
  { engine: { lastEventNumber }, outbox: { published } }: EnginePump,
  how: "behind" | "ahead",
): void {
  if (how === "behind" ? published >= lastEventNumber : published <= lastEventNumber) return;
  const lost = how === "behind"
    ? "events that its engine's checkpoint knows are lost"
    : `it has events of requests that channel "${orders.name}" has lost`;
  throw new EventsMismatchError(
    events.name,
    lastEventNumber,
    published,
    `${lost}: bring its log back; or remove it and the engine's checkpoints, so that all events ` +
      "are made again",
  );
}

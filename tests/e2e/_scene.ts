/**
 * The whole pipeline under test: its processes, clients in this one, and the judgement at the end.
 *
 * @module
 */

import { openInstruments } from "../../lib/market/mod.ts";
import { openCounters } from "../../lib/observability/mod.ts";
import { Audit, type Verdict } from "../../scripts/demo/_audit.ts";
import {
  type LoadGenerator,
  type LoadOutcome,
  startLoad,
} from "../../scripts/load/load_generator.ts";
import { MarketDataClient } from "../../scripts/demo/_market_data_client.ts";
import { Pipeline } from "../../scripts/demo/_pipeline.ts";
import { RunPlace } from "../../scripts/demo/_place.ts";
import { LOAD_COUNTERS } from "../../scripts/services/_counters.ts";
import { type Supervised, Supervisor } from "../../scripts/services/_supervisor.ts";

/** What is traded. */
const SYMBOLS = ["AAA", "BBB"];

/** Clients. */
export const SESSIONS = 4;

/** Requests a second: many enough that every kill meets some on every hop. */
const RATE = 400;

/**
 * Events that are kept for each client: those of more than a minute. A machine that stands still
 * for some seconds, or starts a process in 20, must not cost any.
 */
const RESEND_WINDOW = 16_384;

/** What came out. */
export interface Judgement {
  verdict: Verdict;
  outcome: LoadOutcome;
}

/** A pipeline with orders that flow. */
export class Scene implements AsyncDisposable {
  readonly place: RunPlace;
  readonly pipeline: Pipeline;
  readonly load: LoadGenerator;
  readonly #stack: AsyncDisposableStack;
  readonly #supervisor: Supervisor;
  readonly #audit: Audit;

  /** Takes what {@linkcode Scene.open} has started. */
  constructor(parts: {
    place: RunPlace;
    pipeline: Pipeline;
    load: LoadGenerator;
    stack: AsyncDisposableStack;
    supervisor: Supervisor;
    audit: Audit;
  }) {
    this.place = parts.place;
    this.pipeline = parts.pipeline;
    this.load = parts.load;
    this.#stack = parts.stack;
    this.#supervisor = parts.supervisor;
    this.#audit = parts.audit;
  }

  /** Starts everything. */
  static async open(seed: number, { isConfined = false } = {}): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const place = stack.use(new RunPlace());
    const supervisor = stack.use(new Supervisor(place.lockFile));
    const pipeline = stack.use(
      new Pipeline({
        ...{ place, supervisor, durability: "disk", ordersPerSecond: 100_000, isConfined },
        resendWindow: RESEND_WINDOW,
        instruments: SYMBOLS.map((symbol) => `${symbol}:2:4`),
      }),
    );
    await Promise.race([pipeline.ready(), supervisor.failure]);
    const audit = new Audit(pipeline.channels);
    const { url } = await pipeline.gateway.ready;
    const { directory } = place;
    const { ackTime: ack, answerTime: answer } =
      stack.use(openCounters("load", LOAD_COUNTERS, { directory })).values;
    const load = await startLoad({
      ...{ url: url as string, rate: RATE, sessions: SESSIONS, seed, apartMs: 0 },
      timers: { ack, answer },
    });
    stack.defer(() => load.abandon());
    return new Scene({ place, pipeline, load, supervisor, audit, stack: stack.move() });
  }

  /** Kills a service, and waits until the next process of it is ready. */
  async kill(service: Supervised): Promise<void> {
    const { restarted } = service;
    service.kill();
    await this.watch(restarted);
  }

  /** Waits until a request was answered that was sent from now on. */
  async progress(): Promise<void> {
    await this.watch(this.load.progress());
  }

  /** Waits, but not for what cannot come because a service has failed for good. */
  async watch<T>(promise: Promise<T>): Promise<T> {
    return await Promise.race([promise, this.#supervisor.failure]);
  }

  /** Lets everything come to an end in good order, and judges. */
  async judge(): Promise<Judgement> {
    const { pipeline, place } = this;
    const outcome = await this.watch(this.load.stop());
    await this.watch(pipeline.settled());
    const { url } = await pipeline.marketData.ready;
    const market = new MarketDataClient(url as string);
    const books = await Promise.all(SYMBOLS.map((symbol) => market.book(symbol)));
    const { engine } = await this.watch(pipeline.stop());
    const instruments = openInstruments(`${place.directory}/state/instruments`).all();
    const told = { engine, books, sessions: outcome.sessions };
    return { verdict: this.#audit.judge(told, instruments), outcome };
  }

  /** Ends everything, whatever state it is in. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

/**
 * A pipeline that is soaked or calibrated, and orders for it.
 *
 * @module
 */

import { Pipeline } from "../demo/_pipeline.ts";
import { RunPlace } from "../demo/_place.ts";
import type { LoadOutcome } from "../load/load_generator.ts";
import { loadGenerator } from "../services/load_generator.ts";
import { type Restart, type Supervised, Supervisor } from "../services/_supervisor.ts";

/** What is traded. */
export const INSTRUMENTS = ["BTC-USD:2:8", "ETH-USD:2:8", "SOL-USD:3:6"];

/** Clients. */
export const SESSIONS = 8;

/** So many times its share a session may send: what waits for a gateway comes at once. */
const BURST = 20;

/** Processes in a place of their own. Nothing of them is left when they end. */
export class SoakScene implements AsyncDisposable {
  readonly place: RunPlace;
  readonly supervisor: Supervisor;
  readonly pipeline: Pipeline;
  readonly #stack: AsyncDisposableStack;

  /** Takes what {@linkcode SoakScene.open} has started. */
  constructor(parts: {
    place: RunPlace;
    supervisor: Supervisor;
    pipeline: Pipeline;
    stack: AsyncDisposableStack;
  }) {
    this.place = parts.place;
    this.supervisor = parts.supervisor;
    this.pipeline = parts.pipeline;
    this.#stack = parts.stack;
  }

  /** Starts the pipeline for orders at that rate, and waits until it is ready. */
  static async open(rate: number, onRestart: (restart: Restart) => void): Promise<SoakScene> {
    await using stack = new AsyncDisposableStack();
    const place = stack.use(new RunPlace());
    const supervisor = stack.use(new Supervisor(place.lockFile, onRestart));
    const pipeline = stack.use(
      new Pipeline({
        ...{ place, supervisor, instruments: INSTRUMENTS, durability: "disk" },
        ordersPerSecond: Math.ceil(rate / SESSIONS) * BURST,
      }),
    );
    await Promise.race([pipeline.ready(), supervisor.failure]);
    return new SoakScene({ place, supervisor, pipeline, stack: stack.move() });
  }

  /** Starts to send orders. */
  async startLoad(rate: number, seed: number): Promise<Supervised> {
    const { url } = await this.pipeline.gateway.ready;
    const load = this.supervisor.start(loadGenerator, {
      args: [
        ...["--url", url as string, "--outcome-file", this.#outcomeFile, "--rate", `${rate}`],
        ...["--sessions", `${SESSIONS}`, "--seed", `${seed}`],
        ...["--channel-prefix", this.place.channelPrefix],
      ],
    });
    await this.watch(load.ready);
    return load;
  }

  /** Sends no more, and waits until everything was answered. */
  async stopLoad(load: Supervised): Promise<LoadOutcome> {
    await this.watch(load.stop());
    return JSON.parse(await Deno.readTextFile(this.#outcomeFile)) as LoadOutcome;
  }

  get #outcomeFile(): string {
    return `${this.place.directory}/state/load`;
  }

  /** Waits, but not for what cannot come because a service has failed for good. */
  async watch<T>(promise: Promise<T>): Promise<T> {
    return await Promise.race([promise, this.supervisor.failure]);
  }

  /** Ends everything, whatever state it is in. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

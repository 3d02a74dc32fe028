/**
 * The pipeline: gateway, matching engine, market data and persister, each a process of its own.
 *
 * @module
 */

import { type Channel, openChannel } from "../../mod.ts";
import { gateway } from "../services/gateway.ts";
import { marketData } from "../services/market_data.ts";
import { matchingEngine } from "../services/matching_engine.ts";
import { persister } from "../services/persister.ts";
import type { Facts } from "../services/_service.ts";
import type { Supervised, Supervisor } from "../services/_supervisor.ts";
import type { EngineState } from "./_audit.ts";
import type { RunPlace } from "./_place.ts";

/** What a pipeline is started with. */
export interface PipelineOptions {
  /** Where everything is. */
  place: RunPlace;
  /** Starts the processes, and starts them again when they die. */
  supervisor: Supervisor;
  /** What orders are acknowledged at. */
  durability: "disk" | "memory";
  /** What is traded: `symbol:priceDecimals:quantityDecimals`. */
  instruments: readonly string[];
  /** Requests of a session in a second, at most. */
  ordersPerSecond: number;
  /** Events that are kept for a session that is away. Default: the gateway's. */
  resendWindow?: number;
  /** Whether its processes give up system calls that they do not need. Default: false. */
  isConfined?: boolean;
}

/** Bytes of each ring: seconds of orders, also while the engine is down. */
const BUFFER_SIZE = "32MB";

/** Milliseconds between two checkpoints: often, so that a restart has little to replay. */
const SNAPSHOT_MS = 1_000;

/** Processes that run. They end with their supervisor's scope. */
export class Pipeline implements Disposable {
  readonly gateway: Supervised;
  readonly engine: Supervised;
  readonly marketData: Supervised;
  readonly persister: Supervised;
  readonly #options: PipelineOptions;
  #channels: { orders: Channel; events: Channel } | undefined;

  /** Starts all of them; see {@linkcode Pipeline.ready}. */
  constructor(options: PipelineOptions) {
    this.#options = options;
    const { supervisor, ordersPerSecond, resendWindow } = options;
    const { directory } = options.place;
    for (const name of ["gateway", "engine"]) Deno.mkdirSync(`${directory}/state/${name}`);
    const instruments = [
      ...["--instruments", options.instruments.join()],
      ...["--instruments-file", `${directory}/state/instruments`],
    ];
    const channels = this.#channelArgs();
    const state = (name: string) => ["--state-dir", `${directory}/state/${name}`];
    const start = (service: Parameters<Supervisor["start"]>[0], args: string[]) =>
      supervisor.start(service, { args: [...channels, ...args], isRestarted: true });
    this.engine = start(matchingEngine, [...instruments, ...state("engine")]);
    this.gateway = start(gateway, [
      ...[...instruments, ...state("gateway"), "--orders-per-second", `${ordersPerSecond}`],
      ...(resendWindow === undefined ? [] : ["--resend-window", `${resendWindow}`]),
    ]);
    this.persister = start(persister, []);
    this.marketData = start(marketData, instruments);
  }

  #channelArgs(): string[] {
    const { place, durability, isConfined = false } = this.#options;
    return [
      ...(isConfined ? ["--seccomp"] : []),
      ...["--channel-prefix", place.channelPrefix, "--buffer-size", BUFFER_SIZE],
      ...["--wal-dir", `${place.directory}/wal`, "--durability", durability],
      ...["--persister", "outside", "--snapshot-interval-ms", `${SNAPSHOT_MS}`],
    ];
  }

  /** Its processes. */
  get all(): Supervised[] {
    return [this.gateway, this.engine, this.marketData, this.persister];
  }

  /** Waits until all of them are ready. */
  async ready(): Promise<void> {
    await Promise.all(this.all.map(({ ready }) => ready));
  }

  /** Both channels, which are there when the pipeline is ready. */
  get channels(): { orders: Channel; events: Channel } {
    const { channelPrefix } = this.#options.place;
    return this.#channels ??= {
      orders: openChannel(`${channelPrefix}gateway.orders`),
      events: openChannel(`${channelPrefix}engine.events`),
    };
  }

  /** Waits until market data has taken in every event that there is; nobody sends any more. */
  async settled(): Promise<void> {
    const { orders, events } = this.channels;
    const lag = (channel: Channel, name: string) =>
      channel.stats().consumers.find((peer) => peer.name === name)?.lagMessages ?? 1;
    while (lag(orders, "engine") > 0 || lag(events, "market-data") > 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Ends all of them in the order in which messages flow. Returns what the engine has come to. */
  async stop(): Promise<{ engine: EngineState; facts: Record<string, Facts> }> {
    const facts: Record<string, Facts> = {};
    for (const service of this.all) facts[service.name] = await service.stop();
    const { stateHash, lastSequence, lastEventNumber } = facts["matching-engine"]!;
    return { engine: { stateHash, lastSequence, lastEventNumber } as EngineState, facts };
  }

  /** Closes the channels. */
  [Symbol.dispose](): void {
    this.#channels?.orders.close();
    this.#channels?.events.close();
  }
}

/**
 * The service of market data in a process of its own, and the engine's end of its channel.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { EngineEvent } from "../lib/exchange/mod.ts";
import {
  type Channel,
  type ChannelOptions,
  createChannel,
  monotonicNs,
  openProducer,
  type Producer,
} from "../mod.ts";
import { marketData } from "../scripts/services/market_data.ts";
import { spawnService } from "../scripts/services/_service.ts";
import { encodeEvent, type Happening } from "./_market_data.ts";
import { ServiceProcess } from "./_service_process.ts";

/** A channel of engine events that a test fills. */
export class Engine implements Disposable {
  /** Where everything is. */
  readonly directory: string = Deno.makeTempDirSync();
  /** Its events. */
  readonly channel: Channel;
  readonly #producer: Producer;

  constructor({ hasLog, ...options }: { hasLog: boolean } & ChannelOptions) {
    const walDir = `${this.directory}/wal`;
    const log = hasLog ? { walDir, durability: "disk", segmentBytes: "1MB" } as const : {};
    this.channel = createChannel("engine.events", {
      ...{ directory: this.directory, sizeBytes: "64KB", schema: EngineEvent, ...log, ...options },
    });
    this.#producer = openProducer(this.channel);
  }

  /** Sequence of the last event. */
  get lastSequence(): number {
    return this.channel.stats().nextSequence - 1;
  }

  /** Publishes the bytes of an event; waits for room in the ring. */
  publish(event: Uint8Array): void {
    this.#producer.write(event);
  }

  /** Publishes events, and waits until they are where they are to be. */
  async happen(...happenings: Happening[]): Promise<void> {
    let last = this.lastSequence;
    for (const happening of happenings) {
      const timeNs = monotonicNs();
      const times = { intendedTimeNs: timeNs, gatewayTimeNs: timeNs, engineTimeNs: timeNs };
      last = this.#producer.write(encodeEvent(happening, last + 1, times));
    }
    await this.#producer.durable(last);
  }

  [Symbol.dispose](): void {
    this.channel.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** The service, which ends with its scope. */
export class Service extends ServiceProcess {
  /** What it has said. */
  ready = { port: 0, checkpointSequence: 0, rebuiltTo: 0, isComplete: false };

  /** Starts it; returns when it is ready. */
  static async start(engine: Engine, hasLog: boolean, args: string[] = []): Promise<Service> {
    const service = Service.spawn(engine, hasLog, args);
    service.ready = await service.#told("ready");
    return service;
  }

  /** Starts it, and does not wait. */
  static spawn({ directory }: Engine, hasLog: boolean, args: string[] = []): Service {
    return new Service(spawnService(marketData, [
      ...["--json", "--directory", directory, "--buffer-size", "64KB"],
      ...hasLog ? ["--wal-dir", `${directory}/wal`, "--segment-bytes", "1MB"] : [],
      ...["--instruments-file", `${directory}/instruments`, "--instruments", "BTC-USD:2:4"],
      ...args,
    ], "piped"));
  }

  // deno-lint-ignore no-explicit-any
  async #told(name: string): Promise<any> {
    const event = await this.event();
    assertEquals(event.event, name);
    return event;
  }

  /** Ends it; what it has counted. */
  async stop(): Promise<Record<string, number>> {
    assertEquals((await this.end("SIGTERM")).code, 0);
    return await this.#told("stopped");
  }
}

// The service in a process of its own, over a channel with a log, and kill -9.

import { assert, assertEquals } from "@std/assert";
import { EngineEvent } from "../lib/exchange/mod.ts";
import { type Channel, createChannel, monotonicNs, openProducer, type Producer } from "../mod.ts";
import { marketData } from "../scripts/services/market_data.ts";
import { spawnService } from "../scripts/services/_service.ts";
import { encodeEvent, type Happening, level } from "./_market_data.ts";
import { StreamClient } from "./_stream_client.ts";

monotonicNs(); // Loads the library, for good: in a test that would be taken for a leak.

/** A channel of engine events that a test fills. */
class Engine implements Disposable {
  readonly directory = Deno.makeTempDirSync();
  readonly #channel: Channel;
  readonly #producer: Producer;

  constructor(options: { hasLog: boolean }) {
    const log = options.hasLog
      ? { walDir: `${this.directory}/wal`, durability: "disk" as const, segmentBytes: "1MB" }
      : {};
    this.#channel = createChannel("engine.events", {
      ...{ directory: this.directory, sizeBytes: "64KB", schema: EngineEvent, ...log },
    });
    this.#producer = openProducer(this.#channel);
  }

  get lastSequence(): number {
    return this.#channel.stats().nextSequence - 1;
  }

  /** Publishes events, and waits until they are where they are to be. */
  async happen(...happenings: Happening[]): Promise<void> {
    let last = this.lastSequence;
    for (const happening of happenings) {
      last = this.#producer.write(encodeEvent(happening, last + 1));
    }
    await this.#producer.durable(last);
  }

  [Symbol.dispose](): void {
    this.#channel.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** The service. */
class Service implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  ready: { port: number; rebuiltTo: number; isComplete: boolean } = {
    ...{ port: 0, rebuiltTo: 0, isComplete: false },
  };

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async start(engine: Engine, hasLog: boolean, args: string[] = []): Promise<Service> {
    const { directory } = engine;
    const service = new Service(spawnService(marketData, [
      ...["--json", "--directory", directory, "--buffer-size", "64KB"],
      ...hasLog ? ["--wal-dir", `${directory}/wal`, "--segment-bytes", "1MB"] : [],
      ...["--instruments-file", `${directory}/instruments`, "--instruments", "BTC-USD:2:4"],
      ...args,
    ], "piped"));
    service.ready = await service.#event("ready");
    return service;
  }

  // deno-lint-ignore no-explicit-any
  async #event(name: string): Promise<any> {
    const { value } = await this.#lines.read();
    const event = JSON.parse(value!);
    assertEquals(event.event, name);
    return event;
  }

  async stop(): Promise<Record<string, number>> {
    this.#child.kill("SIGTERM");
    const event = await this.#event("stopped");
    assertEquals((await this.#child.status).code, 0);
    return event;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended.
    }
    await this.#child.status;
    await this.#child.stdin.abort().catch(() => {});
    await this.#lines.cancel();
  }
}

Deno.test("mt market-data serves what the engine publishes, also after kill -9", async () => {
  using engine = new Engine({ hasLog: true });
  // Several rings full, so that the beginning is in the log only.
  const many = Array.from({ length: 3000 }, (_, at) => level(100_00 + at % 50));
  await engine.happen(...many);
  await using first = await Service.start(engine, true);
  assertEquals([first.ready.rebuiltTo, first.ready.isComplete], [3000, true]);
  await using client = await StreamClient.open(first.ready.port, ["BTC-USD"]);
  await engine.happen(level(99_00));
  await client.until("the update came", ({ markets }) => markets.get("BTC-USD")?.sequence === 3001);
  const before = client.view.markets.get("BTC-USD")!;
  assertEquals(Object.keys(before.bids).length, 51);
  await first.kill();
  await client.closed;
  await engine.happen(level(99_00, { levelQuantity: 0 }), level(98_00));

  await using second = await Service.start(engine, true);
  assertEquals([second.ready.rebuiltTo, second.ready.isComplete], [3003, true]);
  const resume = client.view.resume();
  await using again = await StreamClient.open(second.ready.port, ["BTC-USD"], resume);
  await again.until("it is there", ({ markets }) => markets.get("BTC-USD")?.sequence === 3003);
  const after = again.view.markets.get("BTC-USD")!;
  assert(after.epoch !== before.epoch);
  assertEquals(after.bids["99.00"], undefined);
  assertEquals(after.bids["98.00"], "0.5");
  assertEquals(Object.keys(after.bids).length, 51);
  assertEquals((await second.stop()).sequence, 3003);
});

Deno.test("mt market-data says that its books lack the beginning where it is gone", async () => {
  using engine = new Engine({ hasLog: false });
  await using first = await Service.start(engine, false);
  assertEquals(first.ready.isComplete, true);
  await engine.happen(...Array.from({ length: 3000 }, (_, at) => level(100_00 + at % 50)));
  await first.kill();
  await using second = await Service.start(engine, false);
  assertEquals([second.ready.rebuiltTo, second.ready.isComplete], [3000, false]);
});

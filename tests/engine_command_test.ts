// `mt engine` as a process of its own: killed, started again, ended by a signal, refused.

import { assert, assertEquals } from "@std/assert";
import { OrderRequest, replayOrders } from "../lib/exchange/mod.ts";
import { readCounters } from "../lib/observability/mod.ts";
import { createChannel, openProducer } from "../mod.ts";
import { spawnService } from "../scripts/services/_service.ts";
import { matchingEngine } from "../scripts/services/matching_engine.ts";
import { RequestStream } from "./_exchange.ts";
import { until } from "./fault/_support.ts";
import { killChild, Scratch } from "./_support.ts";

/** After this a silent engine is killed, and the test fails. */
const WATCHDOG_MS = 180_000;

interface Line {
  event: string;
  replayed: number;
  stateHash: string;
  lastSequence: number;
  instruments: number;
}

/** An engine in a process, and the lines that it prints. */
class EngineProcess implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #watchdog: ReturnType<typeof setTimeout>;
  #rest = "";

  constructor(directory: string) {
    const args = [
      ...["--directory", directory, "--buffer-size", "1MB", "--wal-dir", `${directory}/wal`],
      ...["--segment-bytes", "4MB", "--state-dir", `${directory}/state`],
      ...["--instruments", "BTC-USD:2:8,A:B:2:0", "--instruments-file", `${directory}/instruments`],
      // No checkpoint but that of its end: how much is replayed must not depend on the time.
      ...["--snapshot-interval-ms", "1000000000", "--json"],
    ];
    this.#process = spawnService(matchingEngine, args, "piped");
    this.#lines = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#watchdog = setTimeout(() => this.#process.kill("SIGKILL"), WATCHDOG_MS);
  }

  async line(): Promise<Line> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error(`it has ended after "${this.#rest}"`);
      this.#rest += value;
    }
    const [line = "", ...rest] = this.#rest.split("\n");
    this.#rest = rest.join("\n");
    return JSON.parse(line);
  }

  /** Sends a signal and waits for its end. */
  async end(signal: Deno.Signal): Promise<Deno.CommandStatus> {
    this.#process.kill(signal);
    return await this.#process.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#watchdog);
    await killChild(this.#process);
    await this.#lines.cancel();
    await this.#process.stdin.abort().catch(() => {});
  }
}

Deno.test("mt engine goes on after kill -9, and tells its state at SIGTERM", async () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const orders = createChannel("gateway.orders", {
    ...{ directory, sizeBytes: "1MB", walDir: `${directory}/wal`, segmentBytes: "4MB" },
    ...{ durability: "disk", producers: "many", schema: OrderRequest },
  });
  const gateway = openProducer(orders);
  const stream = new RequestStream(11);
  const valueOf = (wanted: string) =>
    readCounters({ directory })[0]?.values.find(({ name }) => name === wanted)?.value;
  {
    await using engine = new EngineProcess(directory);
    const { event, instruments } = await engine.line();
    assertEquals([event, instruments], ["ready", 2]);
    gateway.writeBatch(stream.batch(200));
    await until("the requests are counted", () => valueOf("engine_last_sequence") === 200);
    await engine.end("SIGKILL");
  }
  const [left] = readCounters({ directory });
  assertEquals([left?.instance, left?.state, left?.openings], ["matching-engine", "dead", 1]);
  assertEquals(valueOf("engine_requests_total"), 200, "exact, as the step was over");
  gateway.writeBatch(stream.batch(100));
  await using engine = new EngineProcess(directory);
  const { replayed } = await engine.line();
  assertEquals(replayed, 300);
  assertEquals(valueOf("recovery_replayed_messages"), 300);
  assertEquals(valueOf("process_starts_total"), 2, "the same file goes on");
  gateway.writeBatch(stream.batch(50));
  const ended = engine.end("SIGTERM");
  const { event, stateHash, lastSequence } = await engine.line();
  assertEquals([event, lastSequence], ["stopped", 350]);
  assertEquals((await ended).code, 0);
  assertEquals(valueOf("engine_requests_total"), 250, "200, and 50 that no recovery applied");
  assertEquals(valueOf("checkpoint_total"), 1);
  orders.close();
  const replay = replayOrders({
    logDirectory: `${directory}/wal/gateway.orders`,
    instruments: [{ id: 1 }, { id: 2 }],
  });
  assertEquals(stateHash, replay.stateHash);
  assert(replay.openOrders > 0);
  assertEquals(valueOf("engine_open_orders"), replay.openOrders);
});

// The service in a process of its own, over a channel with a log, and kill -9; with checkpoints and
// without.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { marketData } from "../scripts/services/market_data.ts";
import { openCounters, readCounters } from "../lib/observability/mod.ts";
import { readSettings } from "../scripts/services/_settings.ts";
import { UsageError } from "../scripts/_command.ts";
import { until } from "./fault/_support.ts";
import { level } from "./_market_data.ts";
import { Engine, Service } from "./_market_data_service.ts";
import { Random } from "./_random.ts";
import { StreamClient } from "./_stream_client.ts";
import { TRADED, Trading } from "./_trading.ts";

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
  await first.end("SIGKILL");
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
  const { frames, bytes } = await second.stop();
  const [counters] = readCounters({ directory: engine.directory });
  const valueOf = (wanted: string) => counters!.values.find(({ name }) => name === wanted)?.value;
  // Every start has applied all events again.
  assertEquals(valueOf("market_data_events_total"), 3001 + 3003);
  assertEquals([valueOf("market_data_last_sequence"), valueOf("market_data_complete")], [3003, 1]);
  assert(valueOf("market_data_frames_total")! >= frames!);
  assert(valueOf("market_data_sent_bytes_total")! >= bytes! && bytes! > 0);
});

Deno.test("mt market-data says that its books lack the beginning where it is gone", async () => {
  using engine = new Engine({ hasLog: false });
  await using first = await Service.start(engine, false);
  assertEquals(first.ready.isComplete, true);
  await engine.happen(...Array.from({ length: 3000 }, (_, at) => level(100_00 + at % 50)));
  await first.end("SIGKILL");
  await using second = await Service.start(engine, false);
  assertEquals([second.ready.rebuiltTo, second.ready.isComplete], [3000, false]);
});

/** Flags with which it makes checkpoints, and has two instruments. */
function keptArgs(engine: Engine): string[] {
  const instruments = TRADED.map(({ symbol }) => `${symbol}:0:0`).join();
  return [
    ...["--state-dir", `${engine.directory}/state`, "--snapshot-interval-ms", "20"],
    ...["--instruments", instruments, "--segment-bytes", "256KB"],
  ];
}

Deno.test("mt market-data goes on from its checkpoint, whenever it is killed", async (test) => {
  const options = { segmentBytes: "256KB", snapshotIntervalMs: 20 };
  using engine = new Engine({ hasLog: true, ...options });
  const trading = new Trading(11, (event) => engine.publish(event));
  const args = keptArgs(engine);
  await test.step("the log is cut below its checkpoints", async () => {
    await using service = await Service.start(engine, true, args);
    await until("it is cut", () => {
      trading.trade(50);
      return engine.channel.stats().log!.oldest > 1;
    });
    await service.end("SIGKILL");
  });
  const seed = Date.now() % 1_000_000;
  const random = new Random(seed);
  for (let round = 0; round < 6; round++) {
    const killAfterMs = random.below(1_500);
    await test.step(`killed after ${killAfterMs} ms, seed ${seed}`, async () => {
      await using service = Service.spawn(engine, true, args);
      const endMs = performance.now() + killAfterMs;
      await until("it is time", () => {
        trading.trade(random.below(50));
        return performance.now() >= endMs;
      });
      await service.end("SIGKILL");
    });
  }
  const { oldest } = engine.channel.stats().log!; // Rises with the checkpoints of the next one.
  await using last = await Service.start(engine, true, args);
  assert(last.ready.checkpointSequence >= oldest);
  assertEquals(last.ready.rebuiltTo, trading.lastSequence);
  await trading.check(last.ready.port);
  assertEquals((await last.stop()).sequence, trading.lastSequence);
  await using again = await Service.start(engine, true, args);
  assertEquals(again.ready.checkpointSequence, trading.lastSequence, "kept when it stopped");
  await trading.check(again.ready.port);
});

Deno.test("mt market-data may write its state_dir, which it has only with a log", async () => {
  const read = (...args: string[]) =>
    readSettings({ name: "market-data", shared: {} }, marketData.settings, args);
  const permissions = (...args: string[]) => marketData.permissions(read(...args));
  const [before, after] = [permissions(), permissions("--state-dir", "/var/lib/mt/state")];
  assert(!before.join().includes("/var/lib/mt/state"));
  for (const name of ["--allow-read=", "--allow-write="]) {
    const flag = after.find((flag) => flag.startsWith(name));
    assert(flag?.split(/[=,]/).includes("/var/lib/mt/state"), `${flag}`);
  }
  using engine = new Engine({ hasLog: false });
  const { directory } = engine;
  const values = read(
    ...["--directory", directory, "--state-dir", `${directory}/state`],
    ...["--instruments-file", `${directory}/instruments`],
  );
  using counters = openCounters("market-data", marketData.counters, { directory });
  await assertRejects(() => marketData.start(values, counters), UsageError, "without wal_dir");
});

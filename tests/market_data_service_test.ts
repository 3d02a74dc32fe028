// The service in a process of its own, over a channel with a log, and kill -9.

import { assert, assertEquals } from "@std/assert";
import { level } from "./_market_data.ts";
import { Engine, Service } from "./_market_data_service.ts";
import { StreamClient } from "./_stream_client.ts";

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

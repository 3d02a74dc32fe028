import { assert, assertEquals, assertGreater } from "@std/assert";
import { REST_FAULTS, type RestFault, type StreamFault } from "../lib/market/fake_exchange.ts";
import { Station } from "./_collector.ts";

/** Whether every trade came, once and in order, from the first that came to the last. */
function isWhole(tradeIds: readonly number[]): boolean {
  return tradeIds.every((id, index) => id === tradeIds[0]! + index);
}

Deno.test("LiveCollector gives a consumer the exchange's book, and every trade once", async () => {
  await using station = await Station.start();
  await station.untilInStep();
  const { tradeIds } = station.consumer;
  await station.until("there are trades", () => tradeIds.length > 100);
  assert(isWhole(tradeIds));
  await station.stop();
  const { feed, collector, resyncs } = station.collector.counts;
  assertEquals([feed.connections, resyncs, collector.duplicates], [1, 1, 0]);
  assertEquals(station.troubles, []);
  assertGreater(collector.trades, 0);
});

Deno.test("LiveCollector keeps the books of several symbols apart, spot and futures", async () => {
  for (const market of ["spot", "futures"] as const) {
    const symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
    await using station = await Station.start({ exchange: { symbols, market } });
    await station.untilInStep();
    await station.until("there are trades", () => station.consumer.tradeIds.length > 50);
    for (const { tradeIds } of station.consumers) assert(isWhole(tradeIds));
    assertEquals(station.collector.counts.resyncs, 3, market);
  }
});

/** What a fault of the stream must have led to. */
const STREAM_CASES: readonly [StreamFault, (station: Station) => boolean][] = [
  ["drop", () => true],
  ["gap", ({ collector }) => collector.counts.resyncs === 2],
  ["duplicate", () => true],
  ["reorder", () => true],
  ["garbage", () => true],
  ["huge", ({ collector }) => collector.counts.feed.lost === 1],
  ["disconnect", ({ collector }) => collector.counts.feed.lost === 1],
  ["stall", ({ collector }) => collector.counts.feed.silent === 1],
  ["shutdown", ({ collector }) => collector.counts.feed.shutdown === 1],
];

for (const [fault, hasShown] of STREAM_CASES) {
  for (const market of ["spot", "futures"] as const) {
    Deno.test(`LiveCollector is in step again after the fault "${fault}" (${market})`, async () => {
      await using station = await Station.start({ exchange: { market } });
      await station.untilInStep();
      for (let round = 0; round < (fault === "stall" ? 1 : 8); round++) {
        station.exchange.streamFaults.inject(fault);
        await station.until(
          "the fault has come",
          () => station.exchange.streamFaults.counts[fault] === round + 1,
        );
        if (round === 0) await station.until("it has shown", () => hasShown(station));
        await station.untilInStep();
      }
    });
  }
}

Deno.test("LiveCollector loses nothing where one connection replaces another", async () => {
  await using station = await Station.start({ live: { times: { lifetimeMs: 50 } } });
  const { tradeIds } = station.consumer;
  await station.until("five connections have aged", () => station.collector.counts.feed.aged >= 5);
  station.exchange.streamFaults.inject("shutdown");
  await station.until("one was shut down", () => station.collector.counts.feed.shutdown === 1);
  await station.untilInStep();
  await station.stop();
  const { feed, collector, resyncs } = station.collector.counts;
  assertEquals([feed.lost, feed.silent, resyncs], [0, 0, 1]);
  assert(isWhole(tradeIds), "each trade came once");
  assertGreater(collector.duplicates, 0, "both connections have delivered");
});

for (const fault of REST_FAULTS) {
  Deno.test(`LiveCollector gets a snapshot in spite of "${fault}" answers`, async () => {
    const faults: RestFault[] = fault === "silent" ? [fault] : [fault, fault, fault];
    const exchange = { market: "spot" as const };
    await using station = await Station.start({ exchange });
    station.exchange.restFaults.inject(...faults);
    await station.untilInStep();
    const { rest } = station.collector.counts;
    assertGreater(rest.requests, faults.length);
    const isLimited = fault === "limited" || fault === "banned";
    assertEquals(rest.limited, isLimited ? faults.length : 0);
  });
}

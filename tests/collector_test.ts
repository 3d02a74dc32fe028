import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import {
  REST_FAULTS,
  type RestFault,
  type StreamFault,
} from "../lib/market/fake_exchange/fake_exchange.ts";
import { ChannelClosedError } from "../mod.ts";
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

/** Faults by which no trade is lost. */
const LOSSLESS: readonly StreamFault[] = ["gap", "duplicate", "reorder", "garbage", "shutdown"];

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
      const live = fault === "stall" ? { times: { silenceMs: 300 } } : {};
      await using station = await Station.start({ exchange: { market }, live });
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
      const { tradeIds } = station.consumer;
      if (LOSSLESS.includes(fault)) assert(isWhole(tradeIds.toSorted((a, b) => a - b)));
    });
  }
}

Deno.test("LiveCollector loses nothing where one connection replaces another", async () => {
  const cases = [
    { times: { lifetimeMs: 800, overlapMs: 400 }, end: "aged", faults: [] },
    { times: { overlapMs: 400 }, end: "shutdown", faults: Array<StreamFault>(4).fill("shutdown") },
  ] as const;
  for (const { times, end, faults } of cases) {
    await using station = await Station.start({ live: { times } });
    await station.untilInStep();
    for (let round = 0; round < 4; round++) {
      station.exchange.streamFaults.inject(...faults.slice(0, 1));
      const { feed: before } = station.collector.counts;
      await station.until("it was replaced", () => {
        const { feed } = station.collector.counts;
        return feed[end] > before[end] && feed.connections > before.connections;
      });
      await station.until("the old one is gone", () => station.exchange.connectionCount === 1);
    }
    await station.untilInStep();
    await station.stop();
    const { feed: { lost, silent }, resyncs, collector: { duplicates } } = station.collector.counts;
    assertEquals([lost, silent, resyncs], [0, 0, 1], end);
    assert(isWhole(station.consumer.tradeIds), "each trade came once");
    assertGreater(duplicates, 60, "both connections have delivered for a while");
  }
});

for (const fault of REST_FAULTS) {
  Deno.test(`LiveCollector gets a snapshot in spite of "${fault}" answers`, async () => {
    const faults: RestFault[] = fault === "silent" ? [fault] : [fault, fault, fault];
    await using station = await Station.start(fault === "silent" ? { restTimeoutMs: 1_000 } : {});
    station.exchange.advance(2_000); // So that what was before is too old.
    station.exchange.restFaults.inject(...faults);
    await station.untilInStep();
    const { rest } = station.collector.counts;
    assertGreater(rest.requests, faults.length);
    const isLimited = fault === "limited" || fault === "banned";
    assertEquals(rest.limited, isLimited ? faults.length : 0);
  });
}

Deno.test("LiveCollector tells each cause once, and counts the rest", async () => {
  await using station = await Station.start({ exchange: { streamFaults: { garbage: 0.5 } } });
  await station.until(
    "there was much garbage",
    () => (station.exchange.streamFaults.counts.garbage ?? 0) > 500,
  );
  station.exchange.streamFaults.setRates({});
  await station.untilInStep();
  const { feed, collector } = station.collector.counts;
  for (
    const cause of ["malformed", "unknown", "incomplete", "inexact", "unknownInstrument"] as const
  ) {
    assertEquals(station.troubles.filter((told) => told === cause).length, 1, cause);
    assertGreater(collector[cause], 1, cause);
  }
  assertGreater(feed.binary, 1);
  assertEquals(feed.connections, 1, "garbage is no reason to leave");
  assertGreater(station.consumer.compared, 100);
});

Deno.test("LiveCollector makes the exchange wait while a consumer is behind", async () => {
  const live = { times: { silenceMs: 300 } };
  await using station = await Station.start({ sizeBytes: 16 * 1024, live });
  await station.untilInStep();
  station.isPolling = false;
  const { exchange, collector } = station;
  exchange.advance(20_000);
  for (let turn = 0; turn < 600; turn++) await station.turn(); // Longer than may be silent.
  const { messages } = collector.counts.feed;
  assertGreater(10_000, messages, "most of it stays with the exchange");
  station.isPolling = true;
  await station.untilInStep();
  await station.until(
    "all has come",
    () => station.consumer.book.finalUpdateId > exchange.updateIdOf("BTCUSDT") - 200,
  );
  const { feed } = collector.counts;
  assertEquals([feed.silent, feed.lost, feed.connections], [0, 0, 1]);
  assert(isWhole(station.consumer.tradeIds));
});

Deno.test("LiveCollector ends at once while a consumer is behind", async () => {
  await using station = await Station.start({ sizeBytes: 16 * 1024 });
  await station.untilInStep();
  station.isPolling = false;
  station.exchange.advance(3_000);
  for (let turn = 0; turn < 50; turn++) await station.turn();
  await station.stop();
});

Deno.test("LiveCollector.run() rejects when a channel cannot be written any more", async () => {
  const station = await Station.start();
  await station.untilInStep();
  station.closeChannels();
  station.exchange.advance(100);
  await assertRejects(() => station.running, ChannelClosedError);
  await assertRejects(() => station[Symbol.asyncDispose](), ChannelClosedError);
});

Deno.test("LiveCollector publishes snapshots for consumers that come later", async () => {
  await using station = await Station.start({ live: { refreshMs: 100 } });
  await station.untilInStep();
  const late = station.addConsumer();
  await station.until("the late one is in step", () => late.book.isInStep && late.compared > 5);
  assertEquals(station.collector.counts.resyncs, 1);
});

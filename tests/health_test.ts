// What is judged to be well, and what not. The looks are those of one real channel, with what a
// case is about put into them: a function of what was seen needs no more.

import "../testing/load_library.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  assess,
  type Findings,
  type Health,
  HEALTH_LIMITS,
  isReadable,
  readDiskSpace,
  type ServiceCounters,
  Watch,
  type WatchedChannel,
  type WatchedConsumer,
} from "../lib/observability/mod.ts";
import { openConsumer, openProducer } from "../mod.ts";
import { Scratch } from "./_support.ts";

/** A channel of 64 KiB with a log, and of it a consumer of each kind. */
function lookAtOne(): {
  channel: WatchedChannel;
  consumer: WatchedConsumer;
  persister: WatchedConsumer;
} {
  using scratch = new Scratch();
  const walDir = `${scratch.directory}/wal`;
  Deno.mkdirSync(walDir);
  const channel = scratch.create({ walDir, durability: "disk", sizeBytes: "64KB" }, "orders");
  openProducer(channel, { name: "feed" });
  openConsumer(channel, { name: "engine" });
  const look = new Watch({ directory: scratch.directory }).look();
  const [found] = look.channels;
  assert(found !== undefined && isReadable(found));
  assertEquals(readDiskSpace(look).map(({ directory }) => directory), [`${walDir}/orders`]);
  const persister = found.consumers.find(({ onSlow }) => onSlow === "hold")!;
  const consumer = found.consumers.find(({ name }) => name === "engine")!;
  return { channel: found, consumer, persister };
}

const { channel: CHANNEL, consumer: CONSUMER, persister: PERSISTER } = lookAtOne();
const STALLED = HEALTH_LIMITS.stalledMs;

/** Judges the channel with some of it changed. */
function judge(change: Partial<WatchedChannel>, rest: Partial<Findings> = {}): Health {
  const look = { timeMs: 0, elapsedMs: 0, channels: [{ ...CHANNEL, ...change }], services: [] };
  return assess({ look, ...rest });
}

function withLog(change: Partial<NonNullable<WatchedChannel["log"]>>): Partial<WatchedChannel> {
  return { log: { ...CHANNEL.log!, ...change } };
}

/** The reasons in short. */
function short({ reasons }: Health): string[] {
  return reasons.map(({ code, severity, subject }) => `${severity} ${code} ${subject}`);
}

Deno.test("assess() finds a channel well that does its work", () => {
  assertEquals(judge({}), { status: "ok", isReady: true, isLive: true, reasons: [] });
});

Deno.test("assess() says what is wrong with a log", () => {
  const { text, action } = judge(withLog({ state: "failed", errno: 5 })).reasons[0]!;
  assertStringIncludes(text, "error 5");
  assertStringIncludes(action, "A disk that fails");
  const cases: [Partial<WatchedChannel>, string[]][] = [
    [withLog({ state: "failed", errno: 5 }), ["failing log_failed orders"]],
    [withLog({ state: "full" }), ["failing log_full orders"]],
    [withLog({ state: "absent" }), ["failing log_absent orders"]],
    [{ ...withLog({ state: "absent" }), producers: [], consumers: [] }, []],
    [{ consumers: [{ ...PERSISTER, lagBytes: 40_000 }] }, ["degraded log_behind orders"]],
    [{ consumers: [{ ...PERSISTER, lagBytes: 100, stalledMs: STALLED }] }, [
      "failing log_behind orders",
    ]],
    [{ consumers: [{ ...PERSISTER, lagBytes: 30_000, stalledMs: STALLED - 1 }] }, []],
  ];
  for (const [change, expected] of cases) assertEquals(short(judge(change)), expected);
});

Deno.test("assess() says which consumer stands or is gone, and whether it holds producers", () => {
  const stalled = { ...CONSUMER, lagBytes: 800, lagMessages: 7, stalledMs: STALLED };
  const dead: WatchedConsumer = { ...stalled, state: "dead", stalledMs: 0 };
  const cases: [Partial<WatchedChannel>, string[]][] = [
    [{ consumers: [stalled] }, ["degraded consumer_stalled orders/engine"]],
    [{ consumers: [stalled], gatedBy: stalled }, ["failing consumer_stalled orders/engine"]],
    [{ consumers: [dead], gatedBy: dead }, ["failing consumer_dead orders/engine"]],
    [{ consumers: [dead] }, ["degraded consumer_dead orders/engine"]],
    [{ consumers: [{ ...dead, name: "" }] }, []], // Nobody can come back in its place.
    [{ consumers: [{ ...stalled, name: "" }] }, [
      `degraded consumer_stalled orders/#${stalled.index}`,
    ]],
    [{ occupancyBytes: 60_000, gatedBy: CONSUMER }, ["degraded channel_full orders"]],
    [{ occupancyBytes: 50_000, gatedBy: CONSUMER }, []],
  ];
  for (const [change, expected] of cases) assertEquals(short(judge(change)), expected);
});

Deno.test("assess() says what is wrong with files, disks and the process itself", () => {
  const error = "Cannot use it: found 7 bytes";
  const channels = [{ name: "spoilt", bufferFile: "/x/spoilt.ring", error }];
  const unreadable = judge({}, { look: { timeMs: 0, elapsedMs: 0, channels, services: [] } });
  assertEquals(short(unreadable), ["degraded channel_unreadable spoilt"]);
  assertEquals([unreadable.status, unreadable.isReady], ["degraded", true]);
  const disk = (freeBytes: number) =>
    short(judge({}, { disks: [{ directory: "/wal", freeBytes, sizeBytes: 2 ** 40 }] }));
  assertEquals(disk(2 ** 30), []);
  assertEquals(disk(2 ** 30 - 1), ["degraded disk_low /wal"]);
  assertEquals(disk(2 ** 27 - 1), ["failing disk_low /wal"]);
  for (const state of ["starting", "stopping", "failed"] as const) {
    const { status, isReady, isLive, reasons } = judge({}, { own: { state } });
    assertEquals([status, isReady, isLive], ["failing", false, state !== "failed"]);
    assertEquals(reasons.map(({ code }) => code), [`process_${state}`]);
  }
});

Deno.test("assess() says which service is gone, and whether the engine is behind", () => {
  const service = (state: ServiceCounters["state"], lag: number): ServiceCounters => ({
    ...{ instance: "engine", file: "/x/engine.counters", state, pid: 7, startedMs: 1, openings: 1 },
    values: [{ name: "engine_lag_requests", kind: "gauge", help: "", value: lag }],
  });
  const judged = (state: ServiceCounters["state"], lag: number) => {
    const services = [service(state, lag)];
    return short(judge({}, { look: { timeMs: 0, elapsedMs: 0, channels: [], services } }));
  };
  const { engineLagRequests } = HEALTH_LIMITS;
  assertEquals(judged("alive", engineLagRequests), []);
  assertEquals(judged("alive", engineLagRequests + 1), ["degraded engine_behind engine"]);
  assertEquals(judged("dead", engineLagRequests + 1), ["degraded service_dead engine"]);
  assertEquals(judged("stopped", engineLagRequests + 1), []);
});

Deno.test("assess() puts the worst first, and takes limits that are given", () => {
  const stalled = { ...CONSUMER, lagMessages: 1, stalledMs: 500 };
  const change = { ...withLog({ state: "full" }), consumers: [stalled] };
  const look = { timeMs: 0, elapsedMs: 0, channels: [{ ...CHANNEL, ...change }], services: [] };
  const health = assess({ look }, { stalledMs: 500 });
  assertEquals(short(health), [
    "failing log_full orders",
    "degraded consumer_stalled orders/engine",
  ]);
  assertEquals([health.status, health.isReady, health.isLive], ["failing", false, true]);
});

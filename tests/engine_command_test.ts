// `mt engine` as a process of its own: killed, started again, ended by a signal, refused.

import { assert, assertEquals } from "@std/assert";
import { OrderRequest, replayOrders } from "../lib/exchange/mod.ts";
import { readCounters } from "../lib/observability/mod.ts";
import { createChannel, openProducer } from "../mod.ts";
import { spawnService } from "../scripts/services/_service.ts";
import { matchingEngine } from "../scripts/services/matching_engine.ts";
import { RequestStream } from "./_exchange.ts";
import { until } from "./fault/_support.ts";
import { ServiceProcess } from "./_service_process.ts";
import { Scratch } from "./_support.ts";

interface Line {
  event: string;
  replayed: number;
  stateHash: string;
  lastSequence: number;
  instruments: number;
}

/** Starts an engine. */
function startEngine(directory: string): ServiceProcess {
  const args = [
    ...["--directory", directory, "--buffer-size", "1MB", "--wal-dir", `${directory}/wal`],
    ...["--segment-bytes", "4MB", "--state-dir", `${directory}/state`],
    ...["--instruments", "BTC-USD:2:8,A:B:2:0", "--instruments-file", `${directory}/instruments`],
    // No checkpoint but that of its end: how much is replayed must not depend on the time.
    ...["--snapshot-interval-ms", "1000000000", "--json"],
  ];
  return new ServiceProcess(spawnService(matchingEngine, args, "piped"));
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
    await using engine = startEngine(directory);
    const { event, instruments } = await engine.event<Line>();
    assertEquals([event, instruments], ["ready", 2]);
    gateway.writeBatch(stream.batch(200));
    await until("the requests are counted", () => valueOf("engine_last_sequence") === 200);
    await engine.end("SIGKILL");
  }
  const [left] = readCounters({ directory });
  assertEquals([left?.instance, left?.state, left?.openings], ["matching-engine", "dead", 1]);
  assertEquals(valueOf("engine_requests_total"), 200, "exact, as the step was over");
  gateway.writeBatch(stream.batch(100));
  await using engine = startEngine(directory);
  const { replayed } = await engine.event<Line>();
  assertEquals(replayed, 300);
  assertEquals(valueOf("recovery_replayed_messages"), 300);
  assertEquals(valueOf("process_starts_total"), 2, "the same file goes on");
  gateway.writeBatch(stream.batch(50));
  const ended = engine.end("SIGTERM");
  const { event, stateHash, lastSequence } = await engine.event<Line>();
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

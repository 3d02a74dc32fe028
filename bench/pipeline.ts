/**
 * How long does an order take from a client to market data, and to its answer?
 *
 * Gateway, engine, market data and persister are processes of their own, and a load generator sends
 * orders like those of a market at fixed rates. Times count from when an order should have been
 * sent, so that a stall hides nothing. With `disk` an order is acknowledged, and its events are
 * told, when `fdatasync` has returned; with `memory` the log is written behind.
 *
 * Floor, in the same run, at the same rates and by the same timer: half of an echo over the
 * platform's own WebSocket, and the hand-off of a ring from process to process. An order in memory
 * goes over one of the first and two of the second before market data has it.
 * Budget: 3 times the sum of these floors in memory, for the median; on the disk, one sync more.
 * On two cores six processes take turns, so the figures are those of a busy machine.
 *
 * Every run is judged like the demo: nothing lost, nothing twice, the states equal.
 *
 * JSON: `PipelineResult` below, and `machine`.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import { HOPS, type LatencySummary } from "../lib/exchange/mod.ts";
import { openInstruments } from "../lib/market/mod.ts";
import { ScriptError } from "../scripts/_command.ts";
import { Audit } from "../scripts/demo/_audit.ts";
import type { LoadOutcome } from "../scripts/load/load_generator.ts";
import { MarketDataClient } from "../scripts/demo/_market_data_client.ts";
import { Pipeline } from "../scripts/demo/_pipeline.ts";
import { RunPlace } from "../scripts/demo/_place.ts";
import { loadGenerator } from "../scripts/services/load_generator.ts";
import { Supervisor } from "../scripts/services/_supervisor.ts";
import { BenchChannel, type Benchmark, type Context, type Percentiles } from "./_context.ts";
import { type PeerJob, runPeers } from "./_processes.ts";
import { formatNs, formatRatio, formatTable } from "./_table.ts";

/** One pipeline at one rate. */
export interface PipelineRun {
  durability: "memory" | "disk";
  /** Orders a second that were to be sent, and that became durable. */
  rate: number;
  achieved: number;
  /** `gatewayToEngine`, `engineToMarketData`, `endToEnd`; at clients: `ack`, `answer`. */
  latency: Record<string, LatencySummary>;
  /** Of `endToEnd` to the floors at that rate, at the median. */
  ratio: number;
}

/** The floors at one rate. */
export interface PipelineFloor {
  rate: number;
  /** One way over a WebSocket, and through a ring. */
  webSocket: Percentiles;
  ring: Percentiles;
}

/** What the benchmark returns. */
export interface PipelineResult {
  floors: PipelineFloor[];
  runs: PipelineRun[];
}

const INSTRUMENTS = ["AAA:2:8", "BBB:2:8"];
const SESSIONS = 8;

/** Rates, and seconds of each, of which the first part warms the compilers up. */
const SCALES = {
  full: { rates: [250, 1_000, 4_000], seconds: 12, warmUpSeconds: 4 },
  quick: { rates: [1_000], seconds: 5, warmUpSeconds: 2 },
  smoke: { rates: [100], seconds: 1, warmUpSeconds: 0 },
};

async function run(context: Context): Promise<PipelineResult> {
  const { rates } = SCALES[context.scale];
  const floors: PipelineFloor[] = [];
  const runs: PipelineRun[] = [];
  for (const rate of rates) {
    context.progress(`floors at ${rate}/s`);
    const floor = await measureFloor(rate, context);
    floors.push(floor);
    for (const durability of ["memory", "disk"] as const) {
      context.progress(`${durability} at ${rate}/s`);
      runs.push(await measurePipeline({ rate, durability, floor }, context));
    }
  }
  return { floors, runs };
}

async function measureFloor(
  rate: number,
  { scale, signal }: Context,
): Promise<PipelineFloor> {
  const count = Math.ceil(rate * SCALES[scale].seconds / 4);
  const peer = (job: Record<string, unknown>, permissions: string[] = []): PeerJob => ({
    file: "_pipeline_peer.ts",
    job: { ...job, rate, count },
    permissions,
  });
  const port = freePort();
  const net = [`--allow-net=127.0.0.1:${port}`];
  const [, webSocket] = await runPeers([
    peer({ kind: "echoServer", port }, net),
    peer({ kind: "echoClient", port }, net),
  ], signal);
  using channel = new BenchChannel({ sizeBytes: "1MB" });
  const [, ring] = await runPeers([
    peer({ kind: "ringSender", channel: channel.name }),
    peer({ kind: "ringReceiver", channel: channel.name }),
  ], signal);
  return { rate, webSocket: webSocket as Percentiles, ring: ring as Percentiles };
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

interface Case {
  rate: number;
  durability: "memory" | "disk";
  floor: PipelineFloor;
}

async function measurePipeline(
  { rate, durability, floor }: Case,
  { scale, signal }: Context,
): Promise<PipelineRun> {
  const { seconds, warmUpSeconds } = SCALES[scale];
  await using place = new RunPlace();
  await using supervisor = new Supervisor(place.lockFile);
  using pipeline = new Pipeline({
    ...{ place, supervisor, durability, instruments: INSTRUMENTS, ordersPerSecond: 100 * rate },
  });
  const work = async () => {
    await pipeline.ready();
    const audit = new Audit(pipeline.channels);
    const outcomeFile = `${place.directory}/state/load`;
    const load = supervisor.start(loadGenerator, {
      args: [
        ...["--url", (await pipeline.gateway.ready).url as string, "--outcome-file", outcomeFile],
        ...["--rate", `${rate}`, "--sessions", `${SESSIONS}`],
        ...["--apart-ms", `${warmUpSeconds * 1000}`, "--channel-prefix", place.channelPrefix],
      ],
    });
    await load.ready;
    await setTimeout(seconds * 1000, undefined, { signal });
    const market = new MarketDataClient((await pipeline.marketData.ready).url as string);
    const { hops } = await market.stats();
    await load.stop();
    const outcome: LoadOutcome = JSON.parse(await Deno.readTextFile(outcomeFile));
    await judge({ audit, pipeline, outcome, market, place });
    const latency = {
      ...Object.fromEntries(HOPS.map((hop) => [hop, hops[hop].recent])),
      ack: outcome.latency.ack.rest,
      answer: outcome.latency.answer.rest,
    } as Record<string, LatencySummary>;
    const floorNs = floor.webSocket.p50Ns + 2 * floor.ring.p50Ns;
    const ratio = latency.endToEnd!.p50Ns / floorNs;
    const achieved = outcome.counts.acks / outcome.counts.seconds;
    return { durability, rate, achieved, latency, ratio };
  };
  return await Promise.race([work(), supervisor.failure]);
}

/** Fast and wrong is no result. */
async function judge({ audit, pipeline, outcome, market, place }: {
  audit: Audit;
  pipeline: Pipeline;
  outcome: LoadOutcome;
  market: MarketDataClient;
  place: RunPlace;
}): Promise<void> {
  await pipeline.settled();
  const symbols = INSTRUMENTS.map((text) => text.split(":")[0]!);
  const books = await Promise.all(symbols.map((symbol) => market.book(symbol)));
  const { engine } = await pipeline.stop();
  const instruments = openInstruments(`${place.directory}/state/instruments`).all();
  const verdict = audit.judge({ engine, books, sessions: outcome.sessions }, instruments);
  const { lost, duplicated, stateHashEqual, eventsEqual, sessionsWrong, booksWrong } = verdict;
  const { acks, refused, orders } = outcome.counts;
  const isRight = stateHashEqual && eventsEqual && acks + refused === orders &&
    lost + duplicated + sessionsWrong + booksWrong === 0;
  if (!isRight) {
    throw new ScriptError(
      `Cannot trust this run: found ${JSON.stringify({ ...verdict, acks, orders })}`,
    );
  }
}

const WAYS = ["gatewayToEngine", "engineToMarketData", "endToEnd", "ack", "answer"];

function format({ floors, runs }: PipelineResult): string {
  const columns = ["p50Ns", "p90Ns", "p99Ns", "p999Ns"] as const;
  const header = ["from when it was due", "p50", "p90", "p99", "p99.9"];
  const times = (summary: Pick<Percentiles, (typeof columns)[number]>) =>
    columns.map((column) => formatNs(summary[column]));
  const parts = floors.map((floor) => {
    const own = runs.filter(({ rate }) => rate === floor.rate);
    const rows = own.flatMap(({ durability, latency }) =>
      WAYS.map((way) => [`${durability}: ${way}`, ...times(latency[way]!)])
    );
    const ratios = own.map(({ durability, ratio, achieved }) =>
      `${durability} ${formatRatio(ratio)} times the floor, ${achieved.toFixed(0)}/s achieved`
    );
    return `${floor.rate} orders/s\n` + formatTable(header, [
      ["floor: WebSocket, one way", ...times(floor.webSocket)],
      ["floor: ring, one way", ...times(floor.ring)],
      ...rows,
    ]) + `\nendToEnd: ${ratios.join("; ")}`;
  });
  return parts.join("\n\n");
}

/** See the top of this file. */
export const pipeline: Benchmark<PipelineResult> = {
  summary: "orders from clients over gateway and engine to market data, at fixed rates",
  run,
  format,
};

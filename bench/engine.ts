/**
 * What does the matching engine need for an order, and does that grow with its book?
 *
 * Budget: a microsecond a request with 10,000 open orders, so a million of them a second, and less
 * than four times that with a million open orders, most of which no cache holds. In process: one
 * thread, no channels. The floor, in the same run, reads and checks the same requests and writes as
 * many events, but matches nothing.
 *
 * The mix: of 100 requests 8 trade at once (limit, IOC) and 7 replace an open order, half of them
 * in its place; the others are new limit orders and cancels of any open order, as many of each as
 * keep the book at its size. 256 sessions; prices fall off exponentially from the middle, 100 ticks
 * on average, and 50,000 in the last book, whose levels have few orders each.
 *
 * JSON: `{ "books": [ { "openOrders", "levels", "ordersPerSecond", "engineNs", "floorNs", "ratio",
 * "eventsPerRequest", "snapshotBytes", "imageMs", "snapshotMs", "restoreMs" } ], machine }`, which
 * are medians. `ratio` is the engine over its floor, and it stands still for `imageMs` of
 * `snapshotMs`.
 *
 * @module
 */

import { type Benchmark, type Context, median, roundRatio } from "./_context.ts";
import type { EngineJob, EngineTimings } from "./_engine_peer.ts";
import { runPeers } from "./_processes.ts";
import { formatNs, formatRate, formatRatio, formatTable } from "./_table.ts";

/** Figures of one book. */
export interface EngineRow {
  openOrders: number;
  levels: number;
  ordersPerSecond: number;
  engineNs: number;
  floorNs: number;
  ratio: number;
  eventsPerRequest: number;
  snapshotBytes: number;
  imageMs: number;
  snapshotMs: number;
  restoreMs: number;
}

/** The benchmark's JSON. */
export interface EngineResult {
  books: EngineRow[];
}

const NARROW_TICKS = 100;
const WIDE_TICKS = 50_000;

const SCALES = {
  full: { sizes: [1e2, 1e3, 1e4, 1e5, 1e6], wide: 1e6, requests: 500_000, repetitions: 7 },
  quick: { sizes: [1e2, 1e4, 1e6], wide: 1e6, requests: 200_000, repetitions: 3 },
  smoke: { sizes: [1e2], wide: 1e3, requests: 2_000, repetitions: 1 },
};

async function run(context: Context): Promise<EngineResult> {
  const { sizes, wide, requests, repetitions } = SCALES[context.scale];
  const flows = [
    ...sizes.map((openOrders) => ({ openOrders, depthTicks: NARROW_TICKS })),
    { openOrders: wide, depthTicks: WIDE_TICKS },
  ];
  const books: EngineRow[] = [];
  for (const flow of flows) {
    context.progress(`${flow.openOrders} open orders`);
    const job = { core: context.cores?.[0], flow: { ...flow, requests }, repetitions };
    const peer = { file: "_engine_peer.ts", job: job satisfies EngineJob };
    const [answer] = await runPeers([peer], context.signal);
    books.push(toRow(answer as EngineTimings));
  }
  return { books };
}

function toRow(found: EngineTimings): EngineRow {
  const [engineNs, floorNs] = [median(found.engineNs), median(found.floorNs)];
  return {
    openOrders: found.openOrders,
    levels: found.levels,
    ordersPerSecond: Math.round(1e9 / engineNs),
    engineNs: Math.round(engineNs),
    floorNs: Math.round(floorNs),
    ratio: roundRatio(engineNs / floorNs),
    eventsPerRequest: roundRatio(found.eventsPerRequest),
    snapshotBytes: found.snapshotBytes,
    imageMs: roundRatio(median(found.imageMs)),
    snapshotMs: roundRatio(median(found.snapshotMs)),
    restoreMs: roundRatio(median(found.restoreMs)),
  };
}

function format({ books }: EngineResult): string {
  const header = ["open orders, levels", "orders/s", "a request", "floor", "ratio", "events"];
  const rows = books.map((row) => [
    `${row.openOrders}, ${row.levels}`,
    formatRate(row.ordersPerSecond),
    formatNs(row.engineNs),
    formatNs(row.floorNs),
    formatRatio(row.ratio),
    row.eventsPerRequest.toFixed(2),
    `${(row.snapshotBytes / 2 ** 20).toFixed(1)} MiB`,
    formatNs(row.imageMs * 1e6),
    formatNs(row.snapshotMs * 1e6),
    formatNs(row.restoreMs * 1e6),
  ]);
  return formatTable([...header, "snapshot", "image", "with hash", "restore"], rows);
}

/** The benchmark. */
export const engine: Benchmark<EngineResult> = {
  summary: "orders a second of the matching engine, with 100 to 1,000,000 open orders",
  run,
  format,
};

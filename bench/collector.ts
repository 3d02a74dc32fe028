/**
 * What does a message of an exchange cost, from its text to a record in the ring?
 *
 *     JSON text ──▶ parse, normalise ──▶ claimed memory of the ring, publish
 *
 * Budget: a depth update less than what `JSON.parse` takes for the same text, which would leave
 * all prices as strings still to be read; a trade, whose text is short, at most 1.5 times that;
 * under 300 bytes of heap, all of it numbers that V8 boxes and what `encodeInto` returns. Trades
 * and depth updates of a recorded feed, or of a made-up one where there is no recording. Before
 * anything is timed, all of it goes through the ring into an order book that is checked against
 * the exchange's own best prices.
 *
 * JSON: `{ "feed": "recording" | "generated", "kinds": [ { "kind", "messages", "jsonBytes",
 * "records", "levels", "parseNs", "normaliseNs", "publishNs", "ratio", "parseHeapBytes",
 * "publishHeapBytes" } ], machine }`: nanoseconds a message of `JSON.parse` alone, of parsing and
 * normalising into private memory, and of the whole way; `ratio` is the whole over `JSON.parse`.
 *
 * @module
 */

import { ROOT } from "../scripts/_zig.ts";
import type { CollectorJob, CollectorTimings } from "./_collector_peer.ts";
import { BenchChannel, type Benchmark, type Context, median, roundRatio } from "./_context.ts";
import { runPeers } from "./_processes.ts";
import { formatNs, formatRatio, formatTable } from "./_table.ts";

/** Figures of one kind of message. */
export interface CollectorRow {
  kind: string;
  messages: number;
  jsonBytes: number;
  records: number;
  levels: number;
  parseNs: number;
  normaliseNs: number;
  publishNs: number;
  ratio: number;
  parseHeapBytes: number;
  publishHeapBytes: number;
}

/** The benchmark's JSON. */
export interface CollectorResult {
  feed: "recording" | "generated";
  kinds: CollectorRow[];
}

/** See its README there; it stays out of the project. */
const RECORDING = `${ROOT}../shared/data/binance-spot-btcusdt-20240808.ndjson.gz`;

const SCALES = {
  full: { repetitions: 21, messagesMax: 10_000, generated: 40_000 },
  quick: { repetitions: 5, messagesMax: 3_000, generated: 20_000 },
  smoke: { repetitions: 1, messagesMax: 100, generated: 1_000 },
};

async function run(context: Context): Promise<CollectorResult> {
  const { repetitions, messagesMax, generated } = SCALES[context.scale];
  const isRecording = context.scale !== "smoke" && await isThere(RECORDING);
  const feed = isRecording ? { path: RECORDING } : { seed: 20_240_808, messages: generated };
  context.progress(isRecording ? "recording" : "generated feed");
  using channel = new BenchChannel({});
  const job = { core: context.cores?.[0], channel, feed, repetitions, messagesMax };
  const permissions = isRecording ? [`--allow-read=${RECORDING}`] : [];
  const [answer] = await runPeers([{
    file: "_collector_peer.ts",
    job: job satisfies CollectorJob,
    permissions,
    isUnscoped: true,
  }], context.signal);
  return {
    feed: isRecording ? "recording" : "generated",
    kinds: (answer as CollectorTimings[]).map(toRow),
  };
}

async function isThere(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function toRow({ parseNs, normaliseNs, publishNs, ...found }: CollectorTimings): CollectorRow {
  const [parse, normalise, publish] = [median(parseNs), median(normaliseNs), median(publishNs)];
  return {
    kind: found.kind,
    messages: found.messages,
    jsonBytes: Math.round(found.jsonBytes),
    records: roundRatio(found.records),
    levels: roundRatio(found.levels),
    parseNs: Math.round(parse),
    normaliseNs: Math.round(normalise),
    publishNs: Math.round(publish),
    ratio: roundRatio(publish / parse),
    parseHeapBytes: Math.round(found.parseHeapBytes),
    publishHeapBytes: Math.round(found.publishHeapBytes),
  };
}

function format({ feed, kinds }: CollectorResult): string {
  const rows = kinds.map((row) => [
    `${row.kind}, ${row.jsonBytes} B, ${row.levels.toFixed(0)} levels`,
    formatNs(row.parseNs),
    formatNs(row.normaliseNs),
    formatNs(row.publishNs),
    formatRatio(row.ratio),
    row.records.toFixed(1),
    `${row.parseHeapBytes} B`,
    `${row.publishHeapBytes} B`,
  ]);
  const header = ["a message", "JSON.parse", "normalise", "+ publish", "ratio", "records"];
  const table = formatTable([...header, "heap, JSON.parse", "heap, whole"], rows);
  return feed === "recording" ? table : `${table}\n\nA made-up feed: found no recording.`;
}

/** The benchmark. */
export const collector: Benchmark<CollectorResult> = {
  summary: "an exchange's messages from text to the ring, against JSON.parse alone",
  run,
  format,
};

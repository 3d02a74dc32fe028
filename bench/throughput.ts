/**
 * How many messages go from one process to another in a second?
 *
 *     core A:  offer, or offerBatch of 32 ──▶ ring of 8 MiB ──▶ core B:  poll
 *
 * Budget: 30 million a second at 64 bytes in batches of 32; not below 20 million, nor below 0.4 of
 * what the same loops in Zig reach, which are the floor of the cost. Each message has a number that
 * the consumer checks; sequence and checksum are verified, the payload is copied out.
 *
 * @module
 */

import type { ThroughputJob } from "./_throughput_peer.ts";
import { BenchChannel, type Benchmark, type Context, median, roundRatio } from "./_context.ts";
import { runPeers } from "./_processes.ts";
import { formatRate, formatRatio, formatTable } from "./_table.ts";

/** What was reached: medians of several runs, in messages a second. */
export interface Rates {
  denoPerSecond: number;
  nativePerSecond: number;
  /** Deno over native. */
  ratio: number;
}

/** Rates of one size and batch. */
export interface ThroughputRow extends Rates {
  bytes: number;
  /** Messages that become visible in one step. */
  batch: number;
  /** The same in a channel with `alignment: 8`, where it was measured. */
  alignment8?: Rates;
}

/** The benchmark's JSON. */
export interface ThroughputResult {
  rows: ThroughputRow[];
}

const SIZES = [16, 64, 256, 1024, 4096];
const BATCHES = [1, 32];

/** Messages of a run, and bytes that it has at most. */
const SCALES = {
  full: { repetitions: 5, countBatched: 12_000_000, countSingle: 3_000_000, bytesMax: 3e9 },
  quick: { repetitions: 1, countBatched: 3_000_000, countSingle: 1_000_000, bytesMax: 5e8 },
  smoke: { repetitions: 1, countBatched: 20_000, countSingle: 20_000, bytesMax: 1e8 },
};

type Shape = Pick<ThroughputJob, "bytes" | "batch"> & { alignment?: number };

/** Runs one pair of processes. */
async function measure(
  context: Context,
  mode: ThroughputJob["mode"],
  { bytes, batch, alignment }: Shape,
): Promise<number> {
  const { countBatched, countSingle, bytesMax } = SCALES[context.scale];
  const wanted = Math.min(batch === 1 ? countSingle : countBatched, bytesMax / bytes);
  const count = Math.floor(wanted / batch) * batch;
  using channel = new BenchChannel(alignment === undefined ? {} : { alignment });
  const job = { mode, bytes, batch, count, warmUpCount: Math.floor(count / 4), channel };
  const jobs = (["produce", "consume"] as const).map((side, i) => ({
    file: "_throughput_peer.ts",
    job: { ...job, side, core: context.cores?.[i] },
  }));
  const [, perSecond] = await runPeers(jobs, context.signal);
  return perSecond as number;
}

async function measureRates(context: Context, shape: Shape): Promise<Rates> {
  const deno: number[] = [];
  const native: number[] = [];
  for (let i = 0; i < SCALES[context.scale].repetitions; i++) {
    deno.push(await measure(context, "deno", shape));
    native.push(await measure(context, "native", shape));
  }
  const denoPerSecond = Math.round(median(deno));
  const nativePerSecond = Math.round(median(native));
  return { denoPerSecond, nativePerSecond, ratio: roundRatio(denoPerSecond / nativePerSecond) };
}

async function run(context: Context): Promise<ThroughputResult> {
  const rows: ThroughputRow[] = [];
  for (const bytes of SIZES) {
    for (const batch of BATCHES) {
      context.progress(`${bytes} B, batches of ${batch}`);
      const row: ThroughputRow = { bytes, batch, ...await measureRates(context, { bytes, batch }) };
      if (bytes === 64) {
        row.alignment8 = await measureRates(context, { bytes, batch, alignment: 8 });
      }
      rows.push(row);
    }
  }
  return { rows };
}

function format({ rows }: ThroughputResult): string {
  const cells = (name: string, bytes: number, rates: Rates) => [
    name,
    formatRate(rates.denoPerSecond),
    formatRate(rates.nativePerSecond),
    formatRatio(rates.ratio),
    `${(bytes * rates.denoPerSecond / 1e9).toFixed(2)} GB/s`,
  ];
  const lines = rows.flatMap((row) => {
    const name = `${row.bytes} B x ${row.batch}`;
    const line = cells(name, row.bytes, row);
    if (row.alignment8 === undefined) return [line];
    return [line, cells(`${name}, alignment 8`, row.bytes, row.alignment8)];
  });
  return formatTable(["messages/s", "Deno", "native loops", "ratio", "Deno payload"], lines);
}

/** The benchmark. */
export const throughput: Benchmark<ThroughputResult> = {
  summary: "messages a second between two processes, one by one and in batches of 32",
  run,
  format,
};

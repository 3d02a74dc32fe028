/**
 * How long is a message on its way from one process to another?
 *
 *     core A:  offer ──▶ ring there ──▶ pollWait
 *     core B:  pollWait ◀── ring back ◀── offer
 *
 * Budget: at 32 bytes 1.6 times the floor, at 64 bytes 2.2 times; never above 2.2 and 3.0 times.
 * The floor is one cache line back and forth between the same two cores, which is what the
 * hardware needs to tell anything at all. Sequence and checksum are verified, the payload is copied
 * out. One way is half a round, so a stall of one side shows as half of it.
 *
 * What do the counters in shared memory cost? The same loops with a library that was built without
 * them, in turn with the others. Budget: nothing that can be told from the runs' own scatter.
 *
 * JSON: `HandoffResult` below, and `machine`.
 *
 * @module
 */

import type { LogOptions } from "../mod.ts";
import type { HandoffJob } from "./_handoff_peer.ts";
import {
  BenchChannel,
  type Benchmark,
  type Context,
  median,
  medianBy,
  type Percentiles,
  roundRatio,
} from "./_context.ts";
import { buildLibrary, ROOT } from "../scripts/_zig.ts";
import { permissionsFor } from "./_disk.ts";
import { runPeers } from "./_processes.ts";
import { formatNs, formatRatio, formatTable } from "./_table.ts";

/** Figures of one message size. */
export interface HandoffSize {
  bytes: number;
  /** Loops in TypeScript over the public API. */
  deno: Percentiles;
  /** The same loops in Zig. */
  native: Percentiles;
  /** Loops in TypeScript with a library that does not count; null in a run at tiny size. */
  uncounted: Percentiles | null;
  /** Median of Deno over the one without counters, for each pair of runs: their median. */
  countersRatioP50: number | null;
  /** Median of Deno over the floor. */
  ratioP50: number;
  /** Medians of all runs in their order: how well they agree. */
  denoRunsP50Ns: number[];
  uncountedRunsP50Ns: number[];
  nativeRunsP50Ns: number[];
}

/** The benchmark's JSON. */
export interface HandoffResult {
  /** Median of the floor's runs before and after the others. */
  floorP50Ns: number;
  floorBeforeP50Ns: number;
  floorAfterP50Ns: number;
  sizes: HandoffSize[];
}

const SIZES = [32, 64, 128];

const SCALES = {
  full: { repetitions: 7, rounds: 400_000, warmUpRounds: 50_000 },
  quick: { repetitions: 3, rounds: 100_000, warmUpRounds: 20_000 },
  smoke: { repetitions: 1, rounds: 2000, warmUpRounds: 500 },
};
/** On one core a round lasts two time slices of the kernel: some milliseconds. */
const ONE_CORE = { repetitions: 1, rounds: 60, warmUpRounds: 20 };

/** Path of the library that {@linkcode prepareHandoff} builds. */
const UNCOUNTED_LIBRARY = `${ROOT}zig-out/uncounted/lib/libmessage_transport.so`;

type Mode = HandoffJob["mode"];

/** Builds the library without counters, before anything is measured. */
export async function prepareHandoff(scale: Context["scale"]): Promise<void> {
  if (scale !== "smoke") await buildLibrary({ withoutCounters: true });
}

/** Runs one pair of processes. A log is that of the way there. */
export async function measureHandoff(
  context: Context,
  mode: Mode,
  bytes: number,
  log: LogOptions = {},
  library?: string,
): Promise<Percentiles> {
  const { cores } = context;
  const { rounds, warmUpRounds } = cores === undefined ? ONE_CORE : SCALES[context.scale];
  using there = new BenchChannel({ sizeBytes: "1MB", ...log });
  using back = new BenchChannel({ sizeBytes: "1MB" });
  const jobs = ([0, 1] as const).map((role) => ({
    file: "_handoff_peer.ts",
    job: { role, core: cores?.[role], mode, bytes, rounds, warmUpRounds, there, back },
    library,
    permissions: log.walDir === undefined ? [] : permissionsFor(log.walDir),
  }));
  const [measured] = await runPeers(jobs, context.signal);
  return measured as Percentiles;
}

async function run(context: Context): Promise<HandoffResult> {
  const { repetitions } = context.cores === undefined ? ONE_CORE : SCALES[context.scale];
  const measureFloor = async (): Promise<number[]> => {
    const runs: number[] = [];
    for (let i = 0; i < repetitions; i++) {
      runs.push((await measureHandoff(context, "floor", 0)).p50Ns);
    }
    return runs;
  };
  context.progress("floor before");
  const before = await measureFloor();
  const runs = SIZES.map((bytes) => ({ bytes, deno: [], uncounted: [], native: [] } as Runs));
  const library = context.scale === "smoke" ? undefined : UNCOUNTED_LIBRARY;
  // Sizes and modes in turn, so that a slow minute falls on all of them alike.
  for (let i = 0; i < repetitions; i++) {
    for (const { bytes, deno, uncounted, native } of runs) {
      context.progress(`${bytes} B, run ${i + 1} of ${repetitions}`);
      const measureUncounted = async () => {
        if (library === undefined) return;
        uncounted.push(await measureHandoff(context, "deno", bytes, {}, library));
      };
      // Now before and now after the others, whom a machine that slows down would favour.
      if (i % 2 === 1) await measureUncounted();
      deno.push(await measureHandoff(context, "deno", bytes));
      if (i % 2 === 0) await measureUncounted();
      native.push(await measureHandoff(context, "native", bytes));
    }
  }
  context.progress("floor after");
  const after = await measureFloor();
  const floorP50Ns = median([median(before), median(after)]);
  return {
    floorP50Ns,
    floorBeforeP50Ns: median(before),
    floorAfterP50Ns: median(after),
    sizes: runs.map((of) => summarize(of, floorP50Ns)),
  };
}

interface Runs {
  bytes: number;
  deno: Percentiles[];
  uncounted: Percentiles[];
  native: Percentiles[];
}

function summarize({ bytes, deno, uncounted, native }: Runs, floorP50Ns: number): HandoffSize {
  const p50 = (run: Percentiles) => run.p50Ns;
  const middle = medianBy(deno, p50);
  const hasUncounted = uncounted.length > 0;
  const ratios = uncounted.map((run, i) => deno[i]!.p50Ns / run.p50Ns);
  return {
    bytes,
    deno: middle,
    native: medianBy(native, p50),
    uncounted: hasUncounted ? medianBy(uncounted, p50) : null,
    countersRatioP50: hasUncounted ? roundRatio(median(ratios)) : null,
    ratioP50: roundRatio(middle.p50Ns / floorP50Ns),
    denoRunsP50Ns: deno.map(p50),
    uncountedRunsP50Ns: uncounted.map(p50),
    nativeRunsP50Ns: native.map(p50),
  };
}

function format({ floorP50Ns, floorBeforeP50Ns, floorAfterP50Ns, sizes }: HandoffResult): string {
  const row = (name: string, found: Percentiles) => [
    name,
    ...[found.p50Ns, found.p90Ns, found.p99Ns, found.p999Ns, found.maxNs].map(formatNs),
    formatRatio(found.p50Ns / floorP50Ns),
  ];
  const rows = sizes.flatMap(({ bytes, deno, uncounted, native }) => [
    row(`${bytes} B, Deno`, deno),
    ...uncounted === null ? [] : [row(`${bytes} B, Deno, without counters`, uncounted)],
    row(`${bytes} B, native loops`, native),
  ]);
  return [
    formatTable(["one way", "p50", "p90", "p99", "p99.9", "max", "p50 / floor"], rows),
    `floor p50: ${formatNs(floorBeforeP50Ns)} before, ${formatNs(floorAfterP50Ns)} after, ` +
    `${formatNs(floorP50Ns)} taken`,
    ...sizes.filter(({ uncounted }) => uncounted !== null).map((size) => {
      const { bytes, countersRatioP50 } = size;
      const pairs = size.uncountedRunsP50Ns.map((ns, i) => roundRatio(size.denoRunsP50Ns[i]! / ns));
      return `counters at ${bytes} B: ${formatRatio(countersRatioP50!)} of the time without them ` +
        `(runs: ${pairs.join(", ")})`;
    }),
  ].join("\n");
}

/** The benchmark. */
export const handoff: Benchmark<HandoffResult> = {
  summary: "one-way time of a message between two spinning processes, against the cache line's",
  run,
  format,
};

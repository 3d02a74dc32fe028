/**
 * What does the checksum of a message cost?
 *
 * Budget: ten times the speed of one table at 4 KiB. The baseline is `single_table`, one look-up in
 * a table for each byte; all kinds sum the same bytes in the same run and must agree. Each sum
 * starts from the one before: measured is the time to an answer, not how well sums overlap.
 *
 * JSON: `{ "sizes": [ { "bytes", "kinds": [ { "kind", "gigabytesPerSecond", "ratio" } ] } ],
 * machine }`; `ratio` is the speed over that of `single_table`.
 *
 * @module
 */

import { type Benchmark, type Context, median, roundRatio } from "./_context.ts";
import type { CrcTimings } from "./_crc_peer.ts";
import { runPeers } from "./_processes.ts";
import { formatTable } from "./_table.ts";

/** Speed of one way to compute it. */
export interface CrcKind {
  kind: CrcTimings["kind"];
  gigabytesPerSecond: number;
  /** Over the speed of `single_table`. */
  ratio: number;
}

/** The benchmark's JSON. */
export interface CrcResult {
  sizes: { bytes: number; kinds: CrcKind[] }[];
}

const SIZES = [64, 256, 1024, 4096, 65536];

const SCALES = {
  full: { repetitions: 21, bytesPerTiming: 8_000_000 },
  quick: { repetitions: 7, bytesPerTiming: 4_000_000 },
  smoke: { repetitions: 1, bytesPerTiming: 100_000 },
};

async function run(context: Context): Promise<CrcResult> {
  context.progress("all kinds");
  const job = { core: context.cores?.[0], sizes: SIZES, ...SCALES[context.scale] };
  const [answer] = await runPeers([{ file: "_crc_peer.ts", job }], context.signal);
  const timings = answer as CrcTimings[];
  const sizes = SIZES.map((bytes) => {
    const ofSize = timings.filter((timing) => timing.bytes === bytes)
      .map(({ kind, gigabytesPerSecond }) => ({ kind, speed: median(gigabytesPerSecond) }));
    const baseline = ofSize.find(({ kind }) => kind === "single_table")!.speed;
    const kinds = ofSize.map(({ kind, speed }) => ({
      kind,
      gigabytesPerSecond: roundRatio(speed),
      ratio: roundRatio(speed / baseline),
    }));
    return { bytes, kinds };
  });
  return { sizes };
}

function format({ sizes }: CrcResult): string {
  const names = sizes[0]!.kinds.map(({ kind }) => kind);
  const rows = sizes.map(({ bytes, kinds }) => [
    `${bytes} B`,
    ...kinds.map(({ gigabytesPerSecond, ratio }) =>
      `${gigabytesPerSecond.toFixed(2)} (${ratio.toFixed(1)} x)`
    ),
  ]);
  return formatTable(["GB/s (over single_table)", ...names], rows);
}

/** The benchmark. */
export const crc: Benchmark<CrcResult> = {
  summary: "speed of each way to compute the checksum, against a single table",
  run,
  format,
};

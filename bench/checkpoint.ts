/**
 * What does it cost to keep a state, and to have it back?
 *
 *     checkpoint: state ──▶ chunks, SHA-256 ──▶ store, synced ──▶ read back and compared
 *     recover:    store ──▶ chunks, compared ──▶ state
 *
 * Floors, in the same run: as many bytes written 1 MiB at a time by a native loop, synced once at
 * the end or after each 8 MiB, over a file that is there; and read and summed with CRC-32C.
 *
 * Budget, on a disk that writes 1 GB/s: a tenth of its speed, and a twentieth of reading out of the
 * page cache. About half of all processor time is SHA-256, at 1 GB/s on one thread: a checkpoint
 * does it twice, as it reads everything back, and recovery once. The event loop may stand still for
 * some milliseconds, however large the state is.
 *
 * The stores have their size before: each has had two checkpoints. Reading is out of the page
 * cache, floor and recovery alike. What was recovered is compared byte by byte.
 *
 * JSON: `CheckpointResult` below, and `machine`.
 *
 * @module
 */

import type { CheckpointJob, CheckpointRun, CheckpointRuns, Work } from "./_checkpoint_peer.ts";
import { type Benchmark, type Context, median, roundRatio } from "./_context.ts";
import { BenchDirectory, type Disk, formatDisk, permissionsFor } from "./_disk.ts";
import { runPeers } from "./_processes.ts";
import { formatNs, formatRatio, formatTable } from "./_table.ts";

/** Making checkpoints, or recovering from them: the run in the middle of each figure. */
export interface WorkRow extends Work {
  megabytesPerSecond: number;
  /** Speed over the floor's of the same round. */
  ratio: number;
}

/** Figures of states of one size. */
export interface CheckpointRow {
  /** Bytes of the state. */
  bytes: number;
  /** Against bytes written and synced after each 8 MiB. The memory is the first one's. */
  checkpoint: WorkRow;
  /** Against bytes read and summed. */
  recover: WorkRow;
  /** Speeds of the floors. */
  writeMegabytesPerSecond: number;
  writeSyncedMegabytesPerSecond: number;
  readMegabytesPerSecond: number;
  /** Longest time between two ticks of 1 ms where nothing else is done. */
  idleStallNs: number;
}

/** The benchmark's JSON. */
export interface CheckpointResult {
  disk: Disk;
  rows: CheckpointRow[];
}

const MIB = 2 ** 20;

const SCALES = {
  full: { warmUpCount: 4, sizes: [[1, 15], [64, 7], [512, 3]] },
  quick: { warmUpCount: 4, sizes: [[1, 7], [64, 3]] },
  smoke: { warmUpCount: 1, sizes: [[2, 1]] },
} as const;

function rowOf(bytes: number, { first, runs }: CheckpointRuns): CheckpointRow {
  const speedOf = (ns: number) => Math.round(bytes / ns * 1e3);
  const workOf = (kind: "checkpoint" | "recover", floorOf: (run: CheckpointRun) => number) => {
    const elapsedNs = median(runs.map((run) => run[kind].elapsedNs));
    return {
      elapsedNs,
      megabytesPerSecond: speedOf(elapsedNs),
      ratio: roundRatio(median(runs.map((run) => floorOf(run) / run[kind].elapsedNs))),
      stallNs: median(runs.map((run) => run[kind].stallNs)),
      rssMore: median(runs.map((run) => run[kind].rssMore)),
    };
  };
  return {
    bytes,
    checkpoint: {
      ...workOf("checkpoint", (run) => run.writeSyncedNs),
      rssMore: first.rssMore,
    },
    recover: workOf("recover", (run) => run.readNs),
    writeMegabytesPerSecond: speedOf(median(runs.map((run) => run.writeNs))),
    writeSyncedMegabytesPerSecond: speedOf(median(runs.map((run) => run.writeSyncedNs))),
    readMegabytesPerSecond: speedOf(median(runs.map((run) => run.readNs))),
    idleStallNs: median(runs.map((run) => run.idle.stallNs)),
  };
}

async function run(context: Context): Promise<CheckpointResult> {
  using directory = new BenchDirectory(context.walDir);
  const { warmUpCount, sizes } = SCALES[context.scale];
  const rows: CheckpointRow[] = [];
  for (const [mebibytes, repetitions] of sizes) {
    context.progress(`a state of ${mebibytes} MiB`);
    const bytes = mebibytes * MIB;
    const path = `${directory.path}/${mebibytes}`;
    Deno.mkdirSync(path, { mode: 0o700 });
    const job = { core: undefined, directory: path, bytes, warmUpCount, repetitions };
    const permissions = permissionsFor(path);
    const peer = { file: "_checkpoint_peer.ts", job: job satisfies CheckpointJob, permissions };
    const [runs] = await runPeers([peer], context.signal);
    rows.push(rowOf(bytes, runs as CheckpointRuns));
    Deno.removeSync(path, { recursive: true });
  }
  return { disk: directory.readDisk(), rows };
}

function format({ disk, rows }: CheckpointResult): string {
  const nameOf = ({ bytes }: CheckpointRow) => `${bytes / MIB} MiB`;
  const works = rows.flatMap((row) =>
    (["checkpoint", "recover"] as const).map((kind) => {
      const { elapsedNs, megabytesPerSecond, ratio, stallNs, rssMore } = row[kind];
      return [
        `${nameOf(row)}, ${kind}`,
        formatNs(elapsedNs),
        `${megabytesPerSecond}`,
        formatRatio(ratio),
        formatNs(stallNs),
        `${Math.round(rssMore / MIB)} MiB`,
      ];
    })
  );
  const floors = rows.map((row) => [
    nameOf(row),
    `${row.writeMegabytesPerSecond}`,
    `${row.writeSyncedMegabytesPerSecond}`,
    `${row.readMegabytesPerSecond}`,
    formatNs(row.idleStallNs),
  ]);
  return [
    formatDisk(disk),
    formatTable(["state", "time", "MB/s", "ratio", "loop stood still", "rss more"], works),
    "",
    formatTable(
      ["floor", "write MB/s", "synced each 8 MiB", "read + CRC MB/s", "loop idle"],
      floors,
    ),
  ].join("\n");
}

/** The benchmark. */
export const checkpoint: Benchmark<CheckpointResult> = {
  summary: "making a checkpoint of a state and recovering it, against plain writes and reads",
  run,
  format,
};

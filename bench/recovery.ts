/**
 * How long until a service has its messages back from the disk?
 *
 *     log ──▶ createChannel: finds the end ──▶ openConsumer: every message to a handler
 *         └─▶ verifyLog: every byte, offline
 *
 * Budget: replay at a third of the speed at which a native loop reads the same files and sums them
 * with CRC-32C, which is the least that reading with verification costs. Memory must not grow with
 * the log. Opening reads the last segment alone, whole and past the page cache, so that it takes as
 * long as the disk takes for 64 MiB.
 *
 * `open, recover, replay` is the whole way of a service that has no checkpoint: from opening the
 * channel to the last message.
 *
 * The log was written just before: replay and floor read it out of the page cache. Every message's
 * number and length is checked.
 *
 * JSON: `RecoveryResult` below, and `machine`.
 *
 * @module
 */

import { removeChannel } from "../mod.ts";
import { type Benchmark, type Context, median, roundRatio } from "./_context.ts";
import { BenchDirectory, type Disk, formatDisk, permissionsFor } from "./_disk.ts";
import type { Opening, Readings, RecoveryJob } from "./_recovery_peer.ts";
import { runPeers } from "./_processes.ts";
import { formatNs, formatRate, formatRatio, formatTable } from "./_table.ts";

/** Speed of one way to read a log: the run in the middle. */
export interface ReadingRow {
  gigabytesPerSecond: number;
  messagesPerSecond: number;
  /** Speed over the floor's of the same turn. */
  ratio: number;
}

/** Figures of one log. */
export interface RecoveryRow {
  /** Bytes of the log, about. */
  logBytes: number;
  /** Bytes of a message. */
  bytes: number;
  /** By way: the floor first. */
  readings: Record<Way, ReadingRow>;
  /** Opening after the writer was killed, and after it had closed the log. */
  openKilled: Opening;
  openClosed: Opening;
  /** Memory of the reading process before the first reading and after the last. */
  rssBefore: number;
  rssAfter: number;
}

/** The benchmark's JSON. */
export interface RecoveryResult {
  disk: Disk;
  rows: RecoveryRow[];
}

/** Ways to read a log, with their names for people. */
const WAYS = {
  floor: "read + CRC",
  deno: "replay, Deno",
  native: "replay, native loop",
  verify: "verifyLog",
  recover: "open, recover, replay",
} as const;

type Way = keyof typeof WAYS;

const MIB = 2 ** 20;

const SCALES = {
  full: { repetitions: 5, sizes: [64 * MIB, 1024 * MIB] },
  quick: { repetitions: 3, sizes: [64 * MIB] },
  smoke: { repetitions: 1, sizes: [5 * MIB] },
};

/** So many bytes less than whole segments: the last one is nearly full and not just begun. */
const SPARE_BYTES = 4 * MIB;

const MESSAGE_SIZES = [64, 1024];

/** Bytes of a record in a log: header, payload and checksum, rounded up to the alignment. */
function recordBytes(bytes: number): number {
  return Math.ceil((16 + bytes + 4) / 64) * 64;
}

async function measure(
  context: Context,
  walDir: string,
  logBytes: number,
  bytes: number,
): Promise<RecoveryRow> {
  const { repetitions } = SCALES[context.scale];
  const name = `bench-${Deno.pid}-recovery`;
  const count = Math.floor((logBytes - SPARE_BYTES) / recordBytes(bytes));
  const runPeer = async (work: RecoveryJob["work"]): Promise<unknown> => {
    context.progress(`${logBytes / MIB} MiB of ${bytes} B: ${work}`);
    const job = { work, core: undefined, walDir, name, bytes, count, repetitions };
    const peer = { file: "_recovery_peer.ts", job, permissions: permissionsFor(walDir) };
    try {
      return (await runPeers([peer], context.signal))[0];
    } finally {
      removeChannel(name); // So that the next one has only the log, as after a start of the host.
    }
  };
  try {
    await runPeer("build");
    const openKilled = await runPeer("open") as Opening;
    const openClosed = await runPeer("open") as Opening;
    const { rssBefore, rssAfter, ...times } = await runPeer("read") as Readings;
    const rowOf = (way: Way): ReadingRow => {
      const ns = median(times[way]);
      return {
        gigabytesPerSecond: roundRatio(count * recordBytes(bytes) / ns),
        messagesPerSecond: Math.round(count / ns * 1e9),
        ratio: roundRatio(median(times[way].map((each, i) => times.floor[i]! / each))),
      };
    };
    const readings = {
      floor: rowOf("floor"),
      deno: rowOf("deno"),
      native: rowOf("native"),
      verify: rowOf("verify"),
      recover: rowOf("recover"),
    };
    return { logBytes, bytes, readings, openKilled, openClosed, rssBefore, rssAfter };
  } finally {
    Deno.removeSync(`${walDir}/${name}`, { recursive: true });
  }
}

async function run(context: Context): Promise<RecoveryResult> {
  using directory = new BenchDirectory(context.walDir);
  const sizes = context.logBytes === undefined || context.scale === "smoke"
    ? SCALES[context.scale].sizes
    : [context.logBytes];
  const rows: RecoveryRow[] = [];
  for (const logBytes of sizes) {
    for (const bytes of MESSAGE_SIZES) {
      rows.push(await measure(context, directory.path, logBytes, bytes));
    }
  }
  return { disk: directory.readDisk(), rows };
}

function format({ disk, rows }: RecoveryResult): string {
  const nameOf = ({ logBytes, bytes }: RecoveryRow) => `${logBytes / MIB} MiB of ${bytes} B`;
  const readings = rows.flatMap((row) =>
    Object.entries(WAYS).map(([way, text]) => {
      const { gigabytesPerSecond, messagesPerSecond, ratio } = row.readings[way as Way];
      return [
        `${nameOf(row)}, ${text}`,
        `${gigabytesPerSecond.toFixed(2)} GB/s`,
        formatRate(messagesPerSecond),
        formatRatio(ratio),
      ];
    })
  );
  const mebibytes = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
  const others = rows.map((row) => [
    nameOf(row),
    formatNs(row.openKilled.elapsedNs),
    formatNs(row.openClosed.elapsedNs),
    mebibytes(row.openKilled.verifiedBytes),
    mebibytes(row.rssBefore),
    mebibytes(row.rssAfter),
  ]);
  return [
    formatDisk(disk),
    formatTable(["log, way", "records", "messages/s", "ratio"], readings),
    "",
    formatTable(
      ["log", "open, killed", "open, closed", "verified", "rss before", "rss after"],
      others,
    ),
  ].join("\n");
}

/** The benchmark. */
export const recovery: Benchmark<RecoveryResult> = {
  summary: "opening a log and replaying it, against reading the same files and summing them",
  run,
  format,
};

/**
 * What does it cost to know that a message is on the disk?
 *
 * 1. One message at a time: offered, and waited for until it survives the host. Floor: 512 bytes
 *    written and synced by a native loop, in the same steps as the log, rounds of both in turn.
 *    Budget: 1.2 times the floor, never above 1.5 times.
 * 2. A stream: as fast as the ring takes messages, until the last one is on the disk. Floor: as
 *    many bytes written and synced 1 MiB at a time. Budget: 0.4 of its speed; 0.5 is the most, as
 *    the log fills the next segment with zeros meanwhile, which doubles what is written.
 * 3. The hand-off between two processes that spin, with and without a log. Budget: the message does
 *    not wait for the disk, so that a log costs a look at whether the persister sleeps. That needs
 *    a core for the persister; where there are two cores, three threads share them.
 *
 * Every message is read back from the log and checked.
 *
 * JSON: `DurabilityResult` below, and `machine`.
 *
 * @module
 */

import type { LogOptions } from "../mod.ts";
import {
  type Benchmark,
  type Context,
  median,
  medianBy,
  type Percentiles,
  roundRatio,
} from "./_context.ts";
import { BenchDirectory, type Disk, formatDisk, permissionsFor } from "./_disk.ts";
import type { DurabilityJob, StreamRun, WayTimes } from "./_durability_peer.ts";
import { runPeers } from "./_processes.ts";
import { formatNs, formatRate, formatRatio, formatTable } from "./_table.ts";
import { measureHandoff } from "./handoff.ts";

/** One message at a time, in one of the ways. */
export interface SingleRow extends WayTimes {
  /** Median over the floor's of the same round: the round in the middle. */
  ratioP50: number;
}

/** A stream of messages of one size: the run in the middle. */
export interface StreamRow {
  bytes: number;
  messagesPerSecond: number;
  /** Messages that one sync carried, in the mean. */
  messagesPerGroup: number;
  /** Bytes of the records, a second. */
  megabytesPerSecond: number;
  rawMegabytesPerSecond: number;
  /** Speed over that of the floor of the same run. */
  ratio: number;
}

/** The hand-off with one kind of log on the way there. */
export interface HandoffRow extends Percentiles {
  log: string;
  runsP50Ns: number[];
}

/** The benchmark's JSON. */
export interface DurabilityResult {
  disk: Disk;
  single: SingleRow[];
  streams: StreamRow[];
  handoff: HandoffRow[];
}

const SCALES = {
  full: { rounds: 12, count: 400, warmUpCount: 40, repetitions: 5, streamBytes: 192e6, pairs: 5 },
  quick: { rounds: 4, count: 200, warmUpCount: 20, repetitions: 3, streamBytes: 48e6, pairs: 2 },
  smoke: { rounds: 1, count: 10, warmUpCount: 2, repetitions: 1, streamBytes: 1e6, pairs: 1 },
};

const STREAM_SIZES = [64, 1024];

const LOGS: Record<string, Pick<LogOptions, "sync"> | undefined> = {
  "no log": undefined,
  "sync none": { sync: "none" },
  "sync group": { sync: "group" },
};

async function runPeer(context: Context, job: DurabilityJob): Promise<unknown> {
  const permissions = permissionsFor(job.directory);
  const peer = { file: "_durability_peer.ts", job: { ...job }, permissions };
  const [result] = await runPeers([peer], context.signal);
  return result;
}

async function measureSingle(context: Context, directory: string): Promise<SingleRow[]> {
  const { rounds, count, warmUpCount } = SCALES[context.scale];
  context.progress("one message at a time");
  const sizes = { bytes: 64, rounds, count, warmUpCount };
  const job = { kind: "single", core: undefined, directory, ...sizes } as const;
  const ways = await runPeer(context, job) as WayTimes[];
  const floor = ways[0]!.roundsP50Ns;
  return ways.map((of) => ({
    ...of,
    ratioP50: roundRatio(median(of.roundsP50Ns.map((ns, round) => ns / floor[round]!))),
  }));
}

async function measureStream(
  context: Context,
  directory: string,
  bytes: number,
): Promise<StreamRow> {
  const { repetitions, streamBytes } = SCALES[context.scale];
  context.progress(`a stream of ${bytes} B`);
  const count = Math.ceil(streamBytes / (bytes + 64));
  const sizes = { bytes, count, repetitions };
  const job = { kind: "stream", core: undefined, directory, ...sizes } as const;
  const runs = await runPeer(context, job) as StreamRun[];
  const { elapsedNs, rawNs, recordBytes, groups } = medianBy(runs, (run) => run.elapsedNs);
  return {
    bytes,
    messagesPerSecond: Math.round(count / elapsedNs * 1e9),
    messagesPerGroup: Math.round(count / groups),
    megabytesPerSecond: Math.round(recordBytes / elapsedNs * 1e3),
    rawMegabytesPerSecond: Math.round(recordBytes / rawNs * 1e3),
    ratio: roundRatio(median(runs.map((run) => run.rawNs / run.elapsedNs))),
  };
}

async function measureHandoffs(context: Context, walDir: string): Promise<HandoffRow[]> {
  const runs = Object.entries(LOGS).map(([log, options]) => ({
    log,
    options: options === undefined ? {} : { ...options, walDir },
    found: [] as Percentiles[],
  }));
  for (let i = 0; i < SCALES[context.scale].pairs; i++) {
    for (const { log, options, found } of runs) {
      context.progress(`hand-off with ${log}, run ${i + 1}`);
      found.push(await measureHandoff(context, "deno", 64, options));
    }
  }
  return runs.map(({ log, found }) => ({
    log,
    ...medianBy(found, (run) => run.p50Ns),
    runsP50Ns: found.map((run) => run.p50Ns),
  }));
}

async function run(context: Context): Promise<DurabilityResult> {
  using directory = new BenchDirectory(context.walDir);
  const single = await measureSingle(context, directory.path);
  const streams: StreamRow[] = [];
  for (const bytes of STREAM_SIZES) {
    streams.push(await measureStream(context, directory.path, bytes));
  }
  const handoff = await measureHandoffs(context, directory.path);
  return { disk: directory.readDisk(), single, streams, handoff };
}

function format({ disk, single, streams, handoff }: DurabilityResult): string {
  const times = (found: Percentiles) =>
    [found.p50Ns, found.p90Ns, found.p99Ns, found.maxNs].map(formatNs);
  const singles = single.map((row) => [row.way, ...times(row), formatRatio(row.ratioP50)]);
  const streamed = streams.map((row) => [
    `${row.bytes} B`,
    formatRate(row.messagesPerSecond),
    `${row.messagesPerGroup}`,
    `${row.megabytesPerSecond}`,
    `${row.rawMegabytesPerSecond}`,
    formatRatio(row.ratio),
  ]);
  const bare = handoff[0]!.p50Ns;
  const handed = handoff.map((row) => [
    row.log,
    ...times(row),
    formatNs(2 * (row.p50Ns - bare)), // Only one of a round's two ways has a log.
  ]);
  const header = ["p50", "p90", "p99", "max"];
  return [
    formatDisk(disk),
    formatTable(["64 B on the disk", ...header, "p50 / raw"], singles),
    "",
    formatTable(
      ["stream", "durable/s", "per group", "MB/s", "raw MB/s", "ratio"],
      streamed,
    ),
    "",
    formatTable(["64 B hand-off, one way", ...header, "cost of the log"], handed),
  ].join("\n");
}

/** The benchmark. */
export const durability: Benchmark<DurabilityResult> = {
  summary: "time until a message is on the disk, one by one and in a stream, against plain writes",
  run,
  format,
};

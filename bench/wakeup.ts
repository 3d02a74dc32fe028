/**
 * How long does a sleeping consumer take to get a message, and what does it cost while it sleeps?
 *
 *     process A:  setTimeout, stamp, send ──▶ ring or socket ──▶ process B, asleep:  stamp
 *
 * Budget: not slower than a Unix socket in Deno, and no processor time when idle. The floor is a
 * consumer that spins: it is there already and costs a core. Both sides do nothing between two
 * messages, so this includes what the processor needs to leave its idle state. Times are one way,
 * from the stamp in the message to JavaScript in the other process.
 *
 * Twice: with both processes where the kernel puts them, and pinned to two cores. A write to a
 * socket lets the kernel start the reader on the writer's own core, which is awake; a pinned reader
 * has to be woken on its own, as it is when the writer goes on working.
 *
 * JSON: `{ "gapMs", "ways": [ { "way", "p50Ns", "p90Ns", "p99Ns", "pinned": { "p50Ns", … },
 * "idleCpuShare" } ], machine }`; `idleCpuShare` is the share of one core that an idle receiver
 * takes, 0 to 1. Without two cores there is no `pinned`.
 *
 * @module
 */

import type { WakeupJob, Way } from "./_wakeup_peer.ts";
import { BenchChannel, type Benchmark, type Context, medianBy } from "./_context.ts";
import { runPeers } from "./_processes.ts";
import { formatNs, formatTable } from "./_table.ts";

/** One-way times. */
export interface Latencies {
  p50Ns: number;
  p90Ns: number;
  p99Ns: number;
}

/** Figures of one way to wait: its own times are those of processes that are not pinned. */
export interface WakeupWay extends Latencies {
  way: Way;
  /** With sender and receiver on a core of their own. */
  pinned?: Latencies;
  /** Share of a core that it takes while nothing arrives, 0 to 1. */
  idleCpuShare: number;
}

/** The benchmark's JSON. */
export interface WakeupResult {
  /** Rest between two messages. */
  gapMs: number;
  ways: WakeupWay[];
}

const TITLES: Record<Way, string> = {
  forAwait: "for await",
  pollWaitPark: "pollWait, park",
  pollWaitSpin: "pollWait, spin (the floor)",
  setImmediate: "poll in each setImmediate turn",
  unixSocket: "Unix socket echo in Deno",
};
const WAYS = Object.keys(TITLES) as Way[];
/** Those that use a whole core. Not measured beside those that should use none. */
const BUSY_WAYS: readonly Way[] = ["pollWaitSpin", "setImmediate"];

const SCALES = {
  full: { repetitions: 3, count: 400, warmUpCount: 80, idleMs: 5000 },
  quick: { repetitions: 1, count: 300, warmUpCount: 50, idleMs: 1000 },
  smoke: { repetitions: 1, count: 40, warmUpCount: 10, idleMs: 100 },
};
const GAP_MS = 1.5;
const SOCKET_PERMISSIONS = ["--allow-net", "--allow-read", "--allow-write"];

type Role = WakeupJob["role"];
type Cores = Context["cores"];

/** Runs the given peers of one way over a channel and a socket of their own. */
async function runWay(
  context: Context,
  way: Way,
  roles: readonly Role[],
  cores: Cores,
): Promise<unknown[]> {
  const { repetitions: _, ...amounts } = SCALES[context.scale];
  using channel = new BenchChannel({ sizeBytes: "1MB" });
  const directory = await Deno.makeTempDir({ prefix: "mt-bench-" });
  try {
    const places = { channelName: channel.name, socketPath: `${directory}/socket` };
    const jobs = roles.map((role, i) => ({
      file: "_wakeup_peer.ts",
      job: { role, core: cores?.[i], way, gapMs: GAP_MS, ...amounts, ...places },
      ...(way === "unixSocket" ? { permissions: SOCKET_PERMISSIONS } : {}),
    }));
    return await runPeers(jobs, context.signal);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Measures all ways in turn, several times, and takes the median run of each. */
async function measureWays(context: Context, cores: Cores): Promise<Map<Way, Latencies>> {
  const runs = new Map(WAYS.map((way) => [way, [] as Latencies[]]));
  const { repetitions } = SCALES[context.scale];
  const placement = cores === undefined ? "" : ", pinned";
  for (let i = 0; i < repetitions; i++) {
    for (const [way, of] of runs) {
      context.progress(`${TITLES[way]}${placement}, run ${i + 1} of ${repetitions}`);
      const [latencies] = await runWay(context, way, ["receive", "send"], cores);
      of.push(latencies as Latencies);
    }
  }
  return new Map([...runs].map(([way, of]) => [way, medianBy(of, ({ p50Ns }) => p50Ns)]));
}

async function measureIdle(context: Context, ways: readonly Way[]): Promise<Map<Way, number>> {
  const shares = await Promise.all(ways.map(async (way) => {
    const [share] = await runWay(context, way, ["idle"], undefined);
    return [way, Math.round(share as number * 1e4) / 1e4] as const;
  }));
  return new Map(shares);
}

async function run(context: Context): Promise<WakeupResult> {
  const free = await measureWays(context, undefined);
  const pinned = context.cores && await measureWays(context, context.cores);
  context.progress("idle");
  const shares = new Map([
    ...await measureIdle(context, WAYS.filter((way) => !BUSY_WAYS.includes(way))),
    ...await measureIdle(context, BUSY_WAYS),
  ]);
  const ways = WAYS.map((way) => ({
    way,
    ...free.get(way)!,
    ...(pinned === undefined ? {} : { pinned: pinned.get(way)! }),
    idleCpuShare: shares.get(way)!,
  }));
  return { gapMs: GAP_MS, ways };
}

function format({ gapMs, ways }: WakeupResult): string {
  const cells = (times: Latencies | undefined) =>
    times === undefined ? ["", "", ""] : [times.p50Ns, times.p90Ns, times.p99Ns].map(formatNs);
  const rows = ways.map((found) => [
    TITLES[found.way],
    ...cells(found),
    ...cells(found.pinned),
    `${(found.idleCpuShare * 100).toFixed(2)} %`,
  ]);
  const header = [
    `one way, every ${gapMs} ms`,
    ...["p50", "p90", "p99", "pinned p50", "p90", "p99"],
    "core used idle",
  ];
  return formatTable(header, rows);
}

/** The benchmark. */
export const wakeup: Benchmark<WakeupResult> = {
  summary: "one-way time to a consumer that sleeps, against a Unix socket and setImmediate polling",
  run,
  format,
};

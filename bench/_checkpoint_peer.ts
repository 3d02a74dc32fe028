// The process of the checkpoint benchmark: checkpoints of one state, and the disk's floors in turn.
import { createChannel, openCheckpoints } from "../mod.ts";
import { answer, checkAnswers, ready, takeJob } from "./_peer.ts";
import { RawFile } from "./_raw_file.ts";

/** What the peer is to do. */
export interface CheckpointJob {
  core: undefined;
  directory: string;
  /** Bytes of the state: whole MiB. */
  bytes: number;
  /** Checkpoints that are made first, so that the stores' files have got their size. */
  warmUpCount: number;
  repetitions: number;
}

/** One measured work, while a timer ran beside it. */
export interface Work {
  elapsedNs: number;
  /** Longest time that the event loop did not come to the timer of 1 ms. */
  stallNs: number;
  /** Bytes in memory more than at its beginning, at most. */
  rssMore: number;
}

/** One round of everything. */
export interface CheckpointRun {
  /** As many bytes written 1 MiB at a time and synced once, and after each 8 MiB. */
  writeNs: number;
  writeSyncedNs: number;
  /** As many bytes read and summed with CRC-32C. */
  readNs: number;
  checkpoint: Work;
  recover: Work;
  /** The timer beside nothing: what the machine itself takes. */
  idle: Work;
}

/** All rounds. */
export interface CheckpointRuns {
  /** The first checkpoint of the process, which finds no memory to use again. */
  first: Work;
  runs: CheckpointRun[];
}

const MIB = 2 ** 20;
const MIB_PER_SYNC = 8;
const IDLE_MS = 200;

/** Runs something beside a timer of 1 ms. */
async function watch<Result>(work: () => Promise<Result>): Promise<[Result, Work]> {
  const rssBefore = Deno.memoryUsage().rss;
  let [last, longest, rss] = [performance.now(), 0, rssBefore];
  const look = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    rss = Math.max(rss, Deno.memoryUsage().rss);
  };
  const timer = setInterval(look, 1);
  const start = performance.now();
  try {
    const result = await work();
    const elapsedNs = Math.round((performance.now() - start) * 1e6);
    look();
    return [result, { elapsedNs, stallNs: Math.round(longest * 1e6), rssMore: rss - rssBefore }];
  } finally {
    clearInterval(timer);
  }
}

/** A state of random blocks, each with its place in front: chunks in a wrong order are found. */
function makeState(bytes: number): Uint8Array<ArrayBuffer> {
  const state = new Uint8Array(bytes);
  const block = crypto.getRandomValues(new Uint8Array(64 * 1024));
  const view = new DataView(state.buffer);
  for (let at = 0; at < bytes; at += block.length) {
    state.set(block, at);
    view.setUint32(at, at, true);
  }
  return state;
}

function countWrong(state: Uint8Array<ArrayBuffer>, found: Uint8Array<ArrayBuffer>): number {
  if (found.length !== state.length) return 1;
  const [left, right] = [new Uint32Array(state.buffer), new Uint32Array(found.buffer)];
  let wrong = 0;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) wrong++;
  return wrong;
}

async function measure(job: CheckpointJob): Promise<CheckpointRuns> {
  const { directory, bytes, warmUpCount, repetitions } = job;
  using channel = createChannel("bench-checkpoint", { directory });
  using checkpoints = openCheckpoints({ directory: `${directory}/checkpoints` });
  using raw = new RawFile(directory, bytes);
  const state = makeState(bytes);
  const numbers = new Uint32Array(state.buffer, 4, 1); // Each checkpoint has another state.
  const times = new Float64Array(bytes / MIB);
  const write = (perSync: number) => {
    raw.rewind();
    return raw.write(MIB, times, perSync);
  };
  const make = () => checkpoints.checkpoint("state", { state, consumers: [] });
  const [, first] = await watch(make);
  for (let i = 1; i < warmUpCount; i++) await make();
  const runs: CheckpointRun[] = [];
  for (let i = 1; i <= repetitions; i++) {
    numbers[0] = i;
    const [, idle] = await watch(() => new Promise((resolve) => setTimeout(resolve, IDLE_MS)));
    const writeNs = write(times.length);
    const [made, checkpoint] = await watch(make);
    const writeSyncedNs = write(MIB_PER_SYNC);
    const readNs = raw.sum(bytes);
    const [found, recover] = await watch(() => checkpoints.recover("state", channel));
    checkAnswers(made.id - found.checkpoint + countWrong(state, found.state!));
    runs.push({ writeNs, writeSyncedNs, readNs, checkpoint, recover, idle });
  }
  return { first, runs };
}

if (import.meta.main) {
  const job = takeJob<CheckpointJob>();
  ready();
  answer(await measure(job));
}

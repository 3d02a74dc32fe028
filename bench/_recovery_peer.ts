// One process of the recovery benchmark: writes a log, opens it, or reads it back.
import {
  type Channel,
  type Consumer,
  createChannel,
  openCheckpoints,
  openConsumer,
  openProducer,
  removeChannel,
  tickClock,
  verifyLog,
} from "../mod.ts";
import { checkLoop, nativeLoops, zeroEnded } from "./_native.ts";
import { answer, checkAnswers, ready, takeJob } from "./_peer.ts";

/** What a peer is to do. */
export interface RecoveryJob {
  work: "build" | "open" | "read";
  core: undefined;
  walDir: string;
  name: string;
  bytes: number;
  count: number;
  repetitions: number;
}

/** What opening a log took. */
export interface Opening {
  elapsedNs: number;
  /** Whether its last writer had closed it. */
  clean: boolean;
  verifiedBytes: number;
  segments: number;
}

/** Nanoseconds of every way to read a log, one for each repetition, the floor's first. */
export interface Readings {
  floor: number[];
  deno: number[];
  native: number[];
  verify: number[];
  /** From opening the channel on. */
  recover: number[];
  /** Bytes in memory before the first reading and after the last. */
  rssBefore: number;
  rssAfter: number;
}

function open({ name, walDir }: RecoveryJob): Channel {
  return createChannel(name, { walDir, durability: "disk" });
}

/** Writes the log, and ends without closing it, as after a kill. */
function build(job: RecoveryJob): never {
  const channel = open(job);
  const producer = openProducer(channel);
  const payload = new Uint8Array(job.bytes).fill(7);
  const numbers = new Uint32Array(payload.buffer, 0, 1);
  let last = 0;
  for (let i = 0; i < job.count; i++) {
    numbers[0] = i;
    last = producer.write(payload);
  }
  producer.waitDurable(last);
  Deno.exit(0);
}

function measureOpening(job: RecoveryJob): Opening {
  const start = performance.now();
  using channel = open(job);
  const elapsedNs = Math.round((performance.now() - start) * 1e6);
  const { clean, lastSequence, verifiedBytes, segments } = channel.recovered!;
  checkAnswers(job.count - lastSequence);
  return { elapsedNs, clean, verifiedBytes, segments };
}

/** Reads the log's files up to its end and sums them, with nothing else around. */
function readFiles({ logDirectory, recovered }: Channel): number {
  const names = [...Deno.readDirSync(logDirectory!)].map(({ name }) => name)
    .filter((name) => name.endsWith(".wal")).sort();
  const sum = new Uint32Array(1);
  let elapsedNs = 0;
  names.forEach((name, i) => {
    const path = `${logDirectory}/${name}`;
    const isLast = i === names.length - 1;
    const bytes = isLast ? recovered!.verifiedBytes : Deno.statSync(path).size;
    elapsedNs += checkLoop(nativeLoops.mt_bench_disk_sum(zeroEnded(path), bytes, sum));
  });
  return elapsedNs;
}

function replay(channel: Channel, job: RecoveryJob): number {
  const start = performance.now();
  using consumer = openConsumer(channel, { from: "earliest" });
  const wrong = takeAll(consumer, job);
  const elapsedNs = (performance.now() - start) * 1e6;
  checkAnswers(wrong);
  return elapsedNs;
}

/** Takes every message of the log. Returns how many are missing or wrong. */
function takeAll(consumer: Consumer, { bytes, count }: RecoveryJob): number {
  let taken = 0;
  let wrong = 0;
  while (taken < count) {
    const got = consumer.poll((message) => {
      const number = message.view.getUint32(message.offset, true);
      if (number !== taken++ || message.length !== bytes) wrong++;
    });
    if (got === 0) break;
  }
  return wrong + count - taken;
}

function replayNative(channel: Channel, { count }: RecoveryJob): number {
  const path = zeroEnded(channel.bufferFile);
  const ticks = checkLoop(nativeLoops.mt_bench_consume(path, count, 0));
  return ticks / tickClock().ticksPerSecond * 1e9 * count;
}

async function verify({ logDirectory }: Channel, { count }: RecoveryJob): Promise<number> {
  const start = performance.now();
  const { verdict, records } = await verifyLog(logDirectory!);
  const elapsedNs = (performance.now() - start) * 1e6;
  checkAnswers(Math.abs(count - records) + Number(verdict !== "whole"));
  return elapsedNs;
}

/** What a service does after a start of the host, without a checkpoint: opens, and replays all. */
async function recover(job: RecoveryJob): Promise<number> {
  removeChannel(job.name);
  const start = performance.now();
  using channel = open(job);
  using checkpoints = openCheckpoints({ directory: `${job.walDir}/checkpoints` });
  const recovery = await checkpoints.recover("state", channel);
  using consumer = recovery.replay();
  const wrong = takeAll(consumer, job);
  const elapsedNs = (performance.now() - start) * 1e6;
  checkAnswers(wrong + job.count - recovery.lastSequence);
  return elapsedNs;
}

async function read(job: RecoveryJob): Promise<Readings> {
  const found: Omit<Readings, "rssBefore" | "rssAfter"> = {
    floor: [],
    deno: [],
    native: [],
    verify: [],
    recover: [],
  };
  let rssBefore: number | undefined;
  for (let i = 0; i < job.repetitions; i++) {
    {
      using channel = open(job);
      rssBefore ??= Deno.memoryUsage().rss;
      readFiles(channel); // Opening has taken the last segment out of the page cache.
      found.floor.push(readFiles(channel));
      found.deno.push(replay(channel, job));
      found.native.push(replayNative(channel, job));
      found.verify.push(await verify(channel, job));
    }
    found.recover.push(await recover(job));
  }
  return { ...found, rssBefore: rssBefore!, rssAfter: Deno.memoryUsage().rss };
}

if (import.meta.main) {
  const job = takeJob<RecoveryJob>();
  ready();
  if (job.work === "build") build(job);
  answer(job.work === "open" ? measureOpening(job) : await read(job));
}

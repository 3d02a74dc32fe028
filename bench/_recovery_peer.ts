// One process of the recovery benchmark: writes a log, opens it, or reads it back.
import { type Channel, createChannel, openConsumer, openProducer, tickClock } from "../mod.ts";
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

function replay(channel: Channel, { bytes, count }: RecoveryJob): number {
  const start = performance.now();
  using consumer = openConsumer(channel, { from: "earliest" });
  let taken = 0;
  let wrong = 0;
  while (taken < count) {
    const got = consumer.poll((message) => {
      const number = message.view.getUint32(message.offset, true);
      if (number !== taken++ || message.length !== bytes) wrong++;
    });
    if (got === 0) break;
  }
  const elapsedNs = (performance.now() - start) * 1e6;
  checkAnswers(wrong + count - taken);
  return elapsedNs;
}

function replayNative(channel: Channel, { count }: RecoveryJob): number {
  const path = zeroEnded(channel.bufferFile);
  const ticks = checkLoop(nativeLoops.mt_bench_consume(path, count, 0));
  return ticks / tickClock().ticksPerSecond * 1e9 * count;
}

function read(job: RecoveryJob): Readings {
  using channel = open(job);
  const rssBefore = Deno.memoryUsage().rss;
  const found: Readings = { floor: [], deno: [], native: [], rssBefore, rssAfter: 0 };
  for (let i = 0; i < job.repetitions; i++) {
    found.floor.push(readFiles(channel));
    found.deno.push(replay(channel, job));
    found.native.push(replayNative(channel, job));
  }
  return { ...found, rssAfter: Deno.memoryUsage().rss };
}

if (import.meta.main) {
  const job = takeJob<RecoveryJob>();
  ready();
  if (job.work === "build") build(job);
  answer(job.work === "open" ? measureOpening(job) : read(job));
}

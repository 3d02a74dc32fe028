// The process of the durability benchmark: a producer, its persister, and the disk's floor in turn.
import {
  type Channel,
  type ChannelOptions,
  createChannel,
  openConsumer,
  openProducer,
  removeChannel,
} from "../mod.ts";
import { type Percentiles, percentilesOf } from "./_context.ts";
import { answer, checkAnswers, ready, takeJob } from "./_peer.ts";
import { RawFile } from "./_raw_file.ts";

/** What the peer is to do. */
export type DurabilityJob = SingleJob | StreamJob;

/** One message at a time. */
export interface SingleJob {
  kind: "single";
  core: undefined;
  directory: string;
  bytes: number;
  /** Rounds of all ways in turn, messages of each way in a round, and those not counted. */
  rounds: number;
  count: number;
  warmUpCount: number;
}

/** Messages as fast as they go. */
export interface StreamJob {
  kind: "stream";
  core: undefined;
  directory: string;
  bytes: number;
  count: number;
  repetitions: number;
}

/** Ways to make a message durable, the floor first. */
const WAYS = ["raw", "waitDurable", "waitDurable, spin", "await durable"] as const;

/** One of them. */
export type Way = typeof WAYS[number];

/** Figures of one way. */
export interface WayTimes extends Percentiles {
  way: Way;
  /** Median of each round. */
  roundsP50Ns: number[];
}

/** One run of a stream. */
export interface StreamRun {
  /** Nanoseconds from the first message until the last is durable. */
  elapsedNs: number;
  /** The same for as many bytes, written 1 MiB at a time and synced. */
  rawNs: number;
  /** Bytes of the records, with header, checksum and alignment. */
  recordBytes: number;
  groups: number;
  syncs: number;
}

const SECTOR_BYTES = 512;
const CHUNK_BYTES = 2 ** 20;

/** A channel with a log of its own; both go with it. */
class LoggedChannel implements Disposable {
  readonly channel: Channel;
  static #count = 0;

  constructor(walDir: string, options: ChannelOptions) {
    const name = `bench-${Deno.pid}-${LoggedChannel.#count++}`;
    this.channel = createChannel(name, { walDir, durability: "disk", ...options });
  }

  [Symbol.dispose](): void {
    const { name, logDirectory } = this.channel;
    this.channel.close();
    removeChannel(name);
    Deno.removeSync(logDirectory!, { recursive: true });
  }
}

/** Reads the log from its beginning: every number once, in order. Returns how many are wrong. */
function countWrong(channel: Channel, bytes: number, count: number): number {
  using consumer = openConsumer(channel, { from: "earliest" });
  let taken = 0;
  let wrong = 0;
  while (taken < count) {
    const got = consumer.poll((message) => {
      const number = message.view.getUint32(message.offset, true);
      if (number !== taken++ || message.length !== bytes) wrong++;
    });
    if (got === 0) return wrong + count - taken;
  }
  return wrong;
}

async function runSingle(job: SingleJob): Promise<WayTimes[]> {
  const { directory, bytes, rounds, count, warmUpCount } = job;
  const perRound = warmUpCount + count;
  using raw = new RawFile(directory, SECTOR_BYTES * perRound * rounds);
  using logged = new LoggedChannel(directory, {});
  const { channel } = logged;
  const payload = new Uint8Array(bytes).fill(7);
  const numbers = new Uint32Array(payload.buffer, 0, 1);
  const times = new Map(WAYS.map((way) => [way, new Float64Array(count * rounds)]));
  const syncsBefore = channel.stats().log!.syncs;
  const inRound = new Float64Array(perRound);
  let sent = 0;
  let notDurable = 0;

  const runRound = async (way: Way) => {
    if (way === "raw") return void raw.write(SECTOR_BYTES, inRound);
    const wait = way === "waitDurable, spin" ? "spin" : "adaptive";
    using producer = openProducer(channel, { wait });
    for (let i = 0; i < perRound; i++) {
      numbers[0] = sent++;
      const start = performance.now();
      const sequence = producer.offer(payload);
      const level = way === "await durable"
        ? await producer.durable(sequence)
        : producer.waitDurable(sequence);
      inRound[i] = (performance.now() - start) * 1e6;
      if (level !== "disk") notDurable++;
    }
  };

  ready();
  for (let round = 0; round < rounds; round++) {
    for (const way of WAYS) {
      await runRound(way);
      times.get(way)!.set(inRound.subarray(warmUpCount), round * count);
    }
  }
  const notSynced = Math.max(0, sent - (channel.stats().log!.syncs - syncsBefore));
  checkAnswers(notDurable + notSynced + countWrong(channel, bytes, sent));
  return WAYS.map((way) => {
    const all = times.get(way)!;
    const roundsP50Ns = Array.from(
      { length: rounds },
      (_, round) => percentilesOf(all.subarray(round * count, (round + 1) * count)).p50Ns,
    );
    return { way, ...percentilesOf(all), roundsP50Ns };
  });
}

function runStream(job: StreamJob): StreamRun[] {
  ready();
  return Array.from({ length: job.repetitions }, () => runStreamOnce(job));
}

function runStreamOnce({ directory, bytes, count }: StreamJob): StreamRun {
  using logged = new LoggedChannel(directory, {});
  const { channel } = logged;
  using producer = openProducer(channel);
  const payload = new Uint8Array(bytes).fill(7);
  const numbers = new Uint32Array(payload.buffer, 0, 1);
  const before = channel.stats();
  const start = performance.now();
  let last = 0;
  for (let i = 0; i < count; i++) {
    numbers[0] = i;
    last = producer.write(payload);
  }
  producer.waitDurable(last);
  const elapsedNs = (performance.now() - start) * 1e6;
  const after = channel.stats();
  const recordBytes = after.claimed - before.claimed;
  const chunks = Math.ceil(recordBytes / CHUNK_BYTES);
  using raw = new RawFile(directory, chunks * CHUNK_BYTES);
  const rawNs = raw.write(CHUNK_BYTES, new Float64Array(chunks));
  checkAnswers(countWrong(channel, bytes, count));
  return {
    elapsedNs,
    rawNs,
    recordBytes,
    groups: after.log!.groups - before.log!.groups,
    syncs: after.log!.syncs - before.log!.syncs,
  };
}

if (import.meta.main) {
  const job = takeJob<DurabilityJob>();
  answer(job.kind === "single" ? await runSingle(job) : runStream(job));
}

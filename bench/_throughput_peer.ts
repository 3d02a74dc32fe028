// One side of the throughput benchmark, on a core of its own.
import { BACK_PRESSURED, openChannel, openConsumer, openProducer, tickClock } from "../mod.ts";
import { checkLoop, nativeLoops, zeroEnded } from "./_native.ts";
import { answer, checkAnswers, ready, takeJob } from "./_peer.ts";

/** What a peer is to do. */
export interface ThroughputJob {
  side: "produce" | "consume";
  core: number | undefined;
  mode: "native" | "deno";
  bytes: number;
  /** Messages that become visible in one step. */
  batch: number;
  count: number;
  /** Messages that come first and are not counted. */
  warmUpCount: number;
  channel: { name: string; path: string };
}

function produce({ bytes, batch, count, channel: { name } }: ThroughputJob): void {
  using channel = openChannel(name);
  const producer = openProducer(channel);
  const payload = new Uint8Array(bytes * batch).fill(7);
  const numbers = new Uint32Array(payload.buffer);
  const step = bytes / 4;
  const messages = { bytes: payload, messageBytes: bytes };
  ready();
  for (let sent = 0; sent < count; sent += batch) {
    for (let i = 0; i < batch; i++) numbers[i * step] = sent + i;
    if (batch === 1) { while (producer.offer(payload) === BACK_PRESSURED); }
    else while (producer.offerBatch(messages) === BACK_PRESSURED);
  }
}

/** Returns nanoseconds for each message. */
function consume({ bytes, count, warmUpCount, channel: { name } }: ThroughputJob): number {
  using channel = openChannel(name);
  const consumer = openConsumer(channel, { from: "earliest" });
  let taken = 0;
  let skipped = 0;
  let wrong = 0;
  let startMs = 0;
  const receive = (message: { view: DataView; offset: number; length: number }) => {
    if (message.view.getUint32(message.offset, true) !== taken || message.length !== bytes) wrong++;
    taken++;
  };
  ready();
  while (taken < count) {
    consumer.poll(receive);
    if (skipped === 0 && taken > warmUpCount) {
      startMs = performance.now();
      skipped = taken;
    }
  }
  const elapsedNs = (performance.now() - startMs) * 1e6;
  checkAnswers(wrong);
  return elapsedNs / (count - skipped);
}

function produceNative({ bytes, batch, count, channel: { path } }: ThroughputJob): void {
  ready();
  checkLoop(nativeLoops.mt_bench_produce(zeroEnded(path), bytes, batch, count));
}

function consumeNative({ count, warmUpCount, channel: { path } }: ThroughputJob): number {
  ready();
  const ticks = checkLoop(nativeLoops.mt_bench_consume(zeroEnded(path), count, warmUpCount));
  return ticks / tickClock().ticksPerSecond * 1e9;
}

if (import.meta.main) {
  const job = takeJob<ThroughputJob>();
  const isDeno = job.mode === "deno";
  if (job.side === "consume") answer(1e9 / (isDeno ? consume(job) : consumeNative(job)));
  else if (isDeno) produce(job);
  else produceNative(job);
}

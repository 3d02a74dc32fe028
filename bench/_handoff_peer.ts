// One side of the hand-off benchmark: the floor, native loops or Deno loops, on a core of its own.
import { openChannel, openConsumer, openProducer, tickClock } from "../mod.ts";
import type { Percentiles } from "./_context.ts";
import { checkLoop, nativeLoops, zeroEnded } from "./_native.ts";
import { answer, checkAnswers, ready, takeJob } from "./_peer.ts";

/** What a peer is to do. */
export interface HandoffJob {
  /** 0 begins and measures, 1 answers. */
  role: 0 | 1;
  core: number | undefined;
  mode: "floor" | "native" | "deno";
  bytes: number;
  /** Rounds, and how many of them come first and are not counted. */
  rounds: number;
  warmUpRounds: number;
  /** Channel from role 0 to role 1, and back. */
  there: { name: string; path: string };
  back: { name: string; path: string };
}

/** One message there and back in each round, published and polled one by one. */
function runDeno(job: HandoffJob, ticks: Uint32Array): number {
  const { role, bytes, rounds, there, back } = job;
  using out = openChannel(role === 0 ? there.name : back.name);
  using incoming = openChannel(role === 0 ? back.name : there.name);
  const producer = openProducer(out);
  const consumer = openConsumer(incoming, { from: "earliest", wait: "spin" });
  const payload = new Uint8Array(bytes).fill(7);
  const numbers = new Uint32Array(payload.buffer, 0, 1);
  const { mt_bench_ticks } = nativeLoops;
  const options = { limit: 1 };
  let wrong = 0;
  let round = 0;
  const receive = (message: { view: DataView; offset: number; length: number }) => {
    if (message.view.getUint32(message.offset, true) !== round || message.length !== bytes) wrong++;
    if (role === 0) return;
    numbers[0] = round;
    producer.offer(payload);
  };
  ready();
  let last = mt_bench_ticks();
  for (; round < rounds; round++) {
    if (role === 0) {
      numbers[0] = round;
      producer.offer(payload);
    }
    while (consumer.pollWait(receive, options) === 0);
    const now = mt_bench_ticks();
    ticks[round] = now - last;
    last = now;
  }
  return wrong;
}

function runNative(job: HandoffJob, ticks: Uint32Array<ArrayBuffer>): number {
  const { mode, role, bytes, rounds } = job;
  const [there, back] = [zeroEnded(job.there.path), zeroEnded(job.back.path)];
  ready();
  return checkLoop(
    mode === "floor"
      ? nativeLoops.mt_bench_floor(there, role, rounds, ticks)
      : nativeLoops.mt_bench_handoff(there, back, role, bytes, rounds, ticks),
  );
}

/** One way is half a round. */
function toPercentiles(ticks: Uint32Array): Percentiles {
  const ticksPerWay = 2 * tickClock().ticksPerSecond / 1e9;
  const sorted = ticks.toSorted();
  const at = (share: number) => {
    const index = Math.min(sorted.length - 1, Math.floor(sorted.length * share));
    return Math.round(10 * sorted[index]! / ticksPerWay) / 10;
  };
  return { p50Ns: at(0.5), p90Ns: at(0.9), p99Ns: at(0.99), p999Ns: at(0.999), maxNs: at(1) };
}

if (import.meta.main) {
  const job = takeJob<HandoffJob>();
  const ticks = new Uint32Array(job.rounds);
  checkAnswers(job.mode === "deno" ? runDeno(job, ticks) : runNative(job, ticks));
  if (job.role === 0) answer(toPercentiles(ticks.subarray(job.warmUpRounds)));
}

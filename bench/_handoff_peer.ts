// One side of the hand-off benchmark: the floor, native loops or Deno loops, on a core of its own.
import { BACK_PRESSURED, openChannel, openConsumer, openProducer, tickClock } from "../mod.ts";
import { percentilesOf } from "./_context.ts";
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
  const send = () => { // A log may hold it back.
    while (producer.offer(payload) === BACK_PRESSURED);
  };
  let wrong = 0;
  let round = 0;
  const receive = (message: { view: DataView; offset: number; length: number }) => {
    if (message.view.getUint32(message.offset, true) !== round || message.length !== bytes) wrong++;
    if (role === 0) return;
    numbers[0] = round;
    send();
  };
  ready();
  let last = mt_bench_ticks();
  for (; round < rounds; round++) {
    if (role === 0) {
      numbers[0] = round;
      send();
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

if (import.meta.main) {
  const job = takeJob<HandoffJob>();
  const ticks = new Uint32Array(job.rounds);
  checkAnswers(job.mode === "deno" ? runDeno(job, ticks) : runNative(job, ticks));
  const wayNs = 1e9 / (2 * tickClock().ticksPerSecond); // One way is half a round.
  if (job.role === 0) answer(percentilesOf(ticks.subarray(job.warmUpRounds), wayNs));
}

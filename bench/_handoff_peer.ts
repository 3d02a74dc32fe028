// One side of the hand-off benchmark: floor, native loop or Deno loop, on a core of its own.
// Arguments: role 0|1, core, mode floor|native|deno, bytes, rounds, path there, path back.
import { openChannel, openConsumer, openProducer, pinThread } from "../mod.ts";
import { nativeLoops, zeroEnded } from "./_native.ts";

const [roleText, core, mode, bytesText, roundsText, there, back] = Deno.args as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
];
const role = Number(roleText);
const bytes = Number(bytesText);
const rounds = Number(roundsText);
const ticks = new Uint32Array(rounds);
if (core !== "any") pinThread(Number(core));

function runDeno(): number {
  const out = openChannel("bench", { bufferFile: role === 0 ? there : back });
  const incoming = openChannel("bench", { bufferFile: role === 0 ? back : there });
  const producer = openProducer(out);
  const consumer = openConsumer(incoming, { from: "earliest", wait: "spin" });
  const payload = new Uint8Array(bytes).fill(7);
  const numbers = new Uint32Array(payload.buffer, 0, 1);
  const { mt_bench_ticks } = nativeLoops;
  let wrong = 0;
  let round = 0;
  let last = mt_bench_ticks();
  const receive = role === 0
    ? (message: { view: DataView; offset: number }) => {
      if (message.view.getUint32(message.offset, true) !== round) wrong++;
    }
    : (message: { view: DataView; offset: number }) => {
      if (message.view.getUint32(message.offset, true) !== round) wrong++;
      numbers[0] = round;
      producer.offer(payload);
    };
  const options = { limit: 1 };
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
  out.close();
  incoming.close();
  return wrong;
}

let wrong: number;
switch (mode) {
  case "floor":
    wrong = nativeLoops.mt_bench_floor(zeroEnded(there), role, rounds, ticks);
    break;
  case "native": {
    const paths = [zeroEnded(there), zeroEnded(back)] as const;
    wrong = nativeLoops.mt_bench_handoff(...paths, role, bytes, rounds, ticks);
    break;
  }
  default:
    wrong = runDeno();
}
if (wrong !== 0) throw new Error(`Cannot trust this run: found ${wrong} wrong answers`);
if (role === 0) {
  ticks.sort();
  const at = (share: number) => ticks[Math.min(rounds - 1, Math.floor(rounds * share))];
  console.log(JSON.stringify([at(0.5), at(0.9), at(0.99), at(0.999), ticks[rounds - 1]]));
}

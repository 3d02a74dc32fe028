// One side of the throughput benchmark, on a core of its own.
// Arguments: produce|consume, core, native|deno, bytes, batch, count, path.
import { BACK_PRESSURED, openChannel, openConsumer, openProducer, pinThread } from "../mod.ts";
import { nativeLoops, zeroEnded } from "./_native.ts";

const [side, core, mode, bytesText, batchText, countText, path] = Deno.args as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
];
const bytes = Number(bytesText);
const batch = Number(batchText);
const count = Number(countText);
if (core !== "any") pinThread(Number(core));

function produce(): void {
  using channel = openChannel("bench", { bufferFile: path });
  const producer = openProducer(channel);
  const payload = new Uint8Array(bytes * batch).fill(7);
  const numbers = new Uint32Array(payload.buffer);
  const step = bytes / 4;
  while (channel.stats().consumers.length === 0); // Nobody to read: it would run away.
  const messages = { bytes: payload, messageBytes: bytes };
  for (let sent = 0; sent < count; sent += batch) {
    for (let i = 0; i < batch; i++) numbers[i * step] = sent + i;
    if (batch === 1) while (producer.offer(payload) === BACK_PRESSURED);
    else while (producer.offerBatch(messages) === BACK_PRESSURED);
  }
}

/** Returns nanoseconds from the first message to the last. */
function consume(): number {
  using channel = openChannel("bench", { bufferFile: path });
  const consumer = openConsumer(channel, { from: "earliest", wait: "spin" });
  let taken = 0;
  let wrong = 0;
  let start = 0;
  const receive = (message: { view: DataView; offset: number }) => {
    if (message.view.getUint32(message.offset, true) !== taken) wrong++;
    taken++;
  };
  while (taken < count) {
    consumer.poll(receive);
    if (start === 0 && taken > 0) start = performance.now();
  }
  const elapsedNs = (performance.now() - start) * 1e6;
  if (wrong > 0) throw new Error(`Cannot trust this run: found ${wrong} wrong messages`);
  return elapsedNs;
}

if (side === "produce") {
  if (mode === "deno") produce();
  else if (nativeLoops.mt_bench_produce(zeroEnded(path), bytes, batch, count) < 0) Deno.exit(1);
} else {
  const elapsedNs = mode === "deno" ? consume() : nativeConsume();
  console.log(JSON.stringify(count / elapsedNs * 1e9));
}

function nativeConsume(): number {
  const start = performance.now();
  if (nativeLoops.mt_bench_consume(zeroEnded(path), count) < 0) Deno.exit(1);
  return (performance.now() - start) * 1e6;
}

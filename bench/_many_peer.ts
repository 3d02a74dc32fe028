// One producer or consumer among several.
import { monotonicNs, openChannel, openConsumer, openProducer } from "../mod.ts";
import { answer, checkAnswers, ready, takeJob } from "./_peer.ts";

/** What a peer is to do. */
export interface ManyJob {
  role: "produce" | "consume";
  core?: undefined;
  channelName: string;
  /** Number of a producer, from 0; it is in its messages. */
  producer: number;
  producers: number;
  /** Messages of each producer. */
  count: number;
  bytes: number;
}

/** When a consumer took the first message and the last one, by the monotonic clock in ns. */
export interface ManySpan {
  firstNs: number;
  lastNs: number;
}

function produce({ channelName, producer: number, count, bytes }: ManyJob): void {
  using channel = openChannel(channelName);
  const producer = openProducer(channel);
  const payload = new Uint8Array(bytes).fill(7);
  const words = new Uint32Array(payload.buffer);
  words[1] = number;
  ready();
  for (let i = 0; i < count; i++) {
    words[0] = i;
    producer.write(payload);
  }
}

/** Takes everything, and checks that each producer's messages come once and in order. */
function consume({ channelName, producers, count, bytes }: ManyJob): ManySpan {
  using channel = openChannel(channelName);
  const consumer = openConsumer(channel);
  const next = new Uint32Array(producers);
  let taken = 0;
  let wrong = 0;
  const receive = (message: { view: DataView; offset: number; length: number }) => {
    const number = message.view.getUint32(message.offset, true);
    const producer = message.view.getUint32(message.offset + 4, true);
    if (producer >= producers || number !== next[producer]) wrong++;
    if (message.length !== bytes) wrong++;
    next[producer] = number + 1;
    taken++;
  };
  ready();
  let firstNs = 0;
  while (taken < count * producers) {
    consumer.pollWait(receive);
    if (firstNs === 0) firstNs = monotonicNs();
  }
  const lastNs = monotonicNs();
  checkAnswers(wrong);
  return { firstNs, lastNs };
}

if (import.meta.main) {
  const job = takeJob<ManyJob>();
  if (job.role === "produce") produce(job);
  else answer(consume(job));
}

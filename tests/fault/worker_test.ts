// Workers that are terminated while they wait. JavaScript gets no chance to close anything then:
// what they had open is closed when their thread ends, so that others go on.

import { assertEquals } from "@std/assert";
import { BACK_PRESSURED, createChannel, openConsumer, openProducer } from "../../mod.ts";
import type { WaitingConfig } from "./children/waiting_worker.ts";
import { Child, ROOT, TestDirectory, until } from "./_support.ts";

const SIZE_BYTES = 4096;

type Waiting = Pick<WaitingConfig, "kind" | "wait">;

const CONSUMERS: Waiting[] = [
  { kind: "pollWait", wait: "park" },
  { kind: "pollWait", wait: "adaptive" },
  { kind: "pollWait", wait: "yield" },
  { kind: "pollWait", wait: "spin" },
  { kind: "forAwait", wait: "park" },
  { kind: "forAwait", wait: "adaptive" },
];

const PRODUCERS: Waiting[] = [
  { kind: "write", wait: "park" },
  { kind: "write", wait: "spin" },
  { kind: "ready", wait: "park" },
];

/** Starts a Worker and returns when it has opened its end. */
async function startWorker(directory: string, channel: string, waiting: Waiting): Promise<Worker> {
  const url = new URL("./children/waiting_worker.ts", import.meta.url);
  const worker = new Worker(url, { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  worker.onmessage = () => resolve();
  worker.onerror = ({ message }) => reject(new Error(message));
  worker.postMessage({ directory, channel, ...waiting });
  await promise;
  return worker;
}

for (const waiting of CONSUMERS) {
  const { kind, wait } = waiting;
  Deno.test(`Worker terminated in ${kind}() by ${wait} frees its consumer's slot`, async () => {
    using directory = new TestDirectory();
    const place = { directory: directory.path };
    using channel = createChannel("worker", { ...place, sizeBytes: SIZE_BYTES });
    const producer = openProducer(channel);
    for (let round = 0; round < 3; round++) {
      const worker = await startWorker(directory.path, "worker", waiting);
      producer.offer(new Uint8Array(10));
      await until("it is read", () => channel.stats().consumers[0]?.lagMessages === 0);
      worker.terminate();
      await until("the slot is free", () => channel.stats().consumers.length === 0);
      for (let n = 0; n < SIZE_BYTES / 8; n++) {
        assertEquals(producer.offer(new Uint8Array(10)) > 0, true, "nobody is in the way");
      }
    }
    assertEquals(channel.stats().producers[0]!.repaired, 0, "it was closed, and not found dead");
  });
}

for (const waiting of PRODUCERS) {
  const { kind, wait } = waiting;
  Deno.test(`Worker terminated in ${kind}() by ${wait} frees its producer's place`, async () => {
    using directory = new TestDirectory();
    const place = { directory: directory.path };
    using channel = createChannel("worker", { ...place, sizeBytes: SIZE_BYTES });
    const consumer = openConsumer(channel);
    let last = 0;
    for (let round = 0; round < 3; round++) {
      const worker = await startWorker(directory.path, "worker", waiting);
      await until("the ring is full", () => {
        return channel.stats().occupancy > SIZE_BYTES - 128; // Bytes that one of its records takes.
      });
      worker.terminate();
      await until("the place is free", () => channel.stats().producers.length === 0);
      using producer = openProducer(channel);
      assertEquals(producer.offer(new Uint8Array(100)), BACK_PRESSURED);
      while (consumer.poll(({ sequence }) => assertEquals(sequence, ++last)) > 0);
      assertEquals(producer.offer(new Uint8Array(10)), last + 1);
    }
  });
}

Deno.test("Worker terminated as soon as it has opened leaves nothing in the way", async () => {
  using directory = new TestDirectory();
  const place = { directory: directory.path };
  using channel = createChannel("worker", { ...place, sizeBytes: SIZE_BYTES, producers: "many" });
  const producer = openProducer(channel);
  for (let round = 0; round < 20; round++) {
    const waiting = [...CONSUMERS, ...PRODUCERS][round % (CONSUMERS.length + PRODUCERS.length)]!;
    (await startWorker(directory.path, "worker", waiting)).terminate();
  }
  await until("all have gone", () => {
    const { consumers, producers } = channel.stats();
    return consumers.length + producers.length === 1;
  });
  for (let n = 0; n < SIZE_BYTES / 8; n++) producer.offer(new Uint8Array(10));
  assertEquals(producer.offer(new Uint8Array(10)) > 0, true);
});

/** Ways in which a process with a Worker ends, and its status then. */
const ENDS = { "exit": 7, "throw": 1, "terminate": 0, "terminate-exit": 7 };

const ENDED = [CONSUMERS[0]!, CONSUMERS[3]!, CONSUMERS[4]!, PRODUCERS[0]!, PRODUCERS[2]!];

for (const [at, waiting] of ENDED.entries()) {
  const { kind, wait } = waiting;
  Deno.test(`Process ends while its Worker is in ${kind}() by ${wait}`, async () => {
    using directory = new TestDirectory();
    const place = {
      directory: directory.path,
      permissions: [`--allow-read=${ROOT}`],
    };
    using channel = createChannel("host", { directory: directory.path, sizeBytes: SIZE_BYTES });
    if (kind === "write" || kind === "ready") openConsumer(channel);
    for (const [index, [end, status]] of Object.entries(ENDS).entries()) {
      const isEndless = end === "exit" || end === "throw";
      const endMs = 20 * ((index + at) % 2); // Of each way both, with one kind or another.
      const config = { channel: "host", ...waiting, end, endMs, isEndless };
      await using child = new Child("worker_host", config, place);
      await child.expect("open");
      const { code, signal, stderr } = await child.ended();
      assertEquals([code, signal], [status, null], `${end} after ${endMs} ms: ${stderr}`);
    }
  });
}

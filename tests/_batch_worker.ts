/// <reference lib="deno.worker" />
// The reader of "Producer.offerBatch() is visible in one step".

import { openChannel, openConsumer } from "../mod.ts";

self.onmessage = ({ data }: MessageEvent) => {
  const { directory, total, size } = data;
  using channel = openChannel("test", { directory });
  const consumer = openConsumer(channel, { wait: "spin" });
  postMessage("ready");
  let received = 0;
  let partial = 0;
  while (received < total) {
    const count = consumer.pollWait(() => {}, { limit: 30 * size });
    if (count % size !== 0) partial++;
    received += count;
  }
  postMessage({ received, partial });
};

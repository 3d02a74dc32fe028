/// <reference lib="deno.worker" />
// A consumer on a thread of its own. Says "ready", then what it has received: how many messages,
// and the sum of their sequences. With a total of 0 it holds its place and reads nothing.

import { openChannel, openConsumer } from "../mod.ts";
import type { ConsumerTask } from "./_support.ts";

self.onmessage = ({ data }: MessageEvent<ConsumerTask>) => {
  const { directory, total, wait = "adaptive" } = data;
  const channel = openChannel("test", { directory });
  const consumer = openConsumer(channel, { name: "worker", wait });
  postMessage("ready");
  if (total === 0) return;
  let [received, sum] = [0, 0];
  while (received < total) received += consumer.pollWait(({ sequence }) => void (sum += sequence));
  channel.close();
  postMessage({ received, sum });
};

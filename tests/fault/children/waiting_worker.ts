/**
 * A Worker that waits in one of the ways that there are, until it is terminated. Posts `open`
 * before.
 *
 * Deno terminates a Worker only when its event loop runs, so blocking waits are limited in time,
 * and the loop runs in between; `isEndless` does without, as a process can end all the same.
 */

import {
  openChannel,
  openConsumer,
  openProducer,
  type Producer,
  type WriteOptions,
} from "../../../mod.ts";

/** What the Worker is told. */
export interface WaitingConfig {
  directory: string;
  channel: string;
  kind: "pollWait" | "forAwait" | "write" | "ready";
  wait: "spin" | "yield" | "park" | "adaptive";
  isEndless?: boolean;
}

// The names of a Worker's own scope, without the library that declares them.
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<WaitingConfig>) => void;
  postMessage: (message: string) => void;
};

scope.onmessage = async ({ data }) => {
  const { directory, channel: name, kind, wait, isEndless = false } = data;
  const channel = openChannel(name, { directory });
  const options = isEndless ? {} : { timeoutMs: 50 };
  if (kind === "write" || kind === "ready") {
    const producer = openProducer(channel, { wait });
    scope.postMessage("open");
    for (;;) {
      if (kind === "write") write(producer, options);
      else if (producer.offer(new Uint8Array(100)) < 0) await producer.ready();
      await nextTurn();
    }
  }
  const consumer = openConsumer(channel, { wait });
  scope.postMessage("open");
  while (kind === "pollWait") {
    consumer.pollWait(() => {}, options);
    await nextTurn();
  }
  for await (const _message of consumer);
};

function write(producer: Producer, options: WriteOptions): void {
  try {
    producer.write(new Uint8Array(100), options);
  } catch (error) {
    if (!(error instanceof Deno.errors.TimedOut)) throw error;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

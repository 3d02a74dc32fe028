import "../testing/load_library.ts";
import { assert, assertEquals } from "@std/assert";
import { createChannel, openConsumer, openProducer, removeConsumer } from "../mod.ts";
import { isReadable, Watch, type WatchedChannel } from "../lib/observability/mod.ts";
import { ROOT, runChild } from "./_support.ts";
import { TaskDirectory } from "./_task.ts";

const PAYLOAD = new Uint8Array(100);

function withDirectory(body: (directory: string) => void): void {
  const directory = Deno.makeTempDirSync();
  try {
    body(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function only(watch: Watch): WatchedChannel {
  const { channels: [channel] } = watch.look();
  assert(channel !== undefined && isReadable(channel));
  return channel;
}

Deno.test("Watch.look() names who gates, and for how long a consumer has not moved", () => {
  withDirectory((directory) => {
    using channel = createChannel("orders", { directory, sizeBytes: "64KB" });
    const slow = openConsumer(channel, { name: "slow" });
    openConsumer(channel, { name: "fast", onSlow: "drop" });
    const producer = openProducer(channel);
    const watch = new Watch({ directory });
    producer.write(PAYLOAD);
    producer.write(PAYLOAD);
    assertEquals(only(watch).gatedBy?.name, "slow");
    const { gatedBy, consumers } = only(watch);
    assertEquals(gatedBy?.lagMessages, 2);
    assert(gatedBy!.stalledMs > 0, "it has not moved since the first look");
    assertEquals(consumers.map(({ name }) => name), ["slow", "fast"]);
    slow.poll(() => {}, 1);
    assertEquals(only(watch).gatedBy?.stalledMs, 0, "it has moved");
    slow.poll(() => {});
    assertEquals(only(watch).gatedBy, null);
  });
});

Deno.test("Watch.look() calls a killed consumer dead until it comes back", async () => {
  using scratch = new TaskDirectory();
  const directory = scratch.path;
  using channel = createChannel("used", { directory, sizeBytes: 4096, producers: "many" });
  openConsumer(channel, { name: "leaver" }).close();
  const script = `${ROOT}tests/_channel_child.ts`;
  const child = ["run", "--allow-all", "--no-lock", script, "die", JSON.stringify({ directory })];
  assertEquals((await runChild(child)).signal, "SIGKILL");
  const watch = new Watch({ directory });
  const states = () => only(watch).consumers.map(({ name, state }) => `${name} ${state}`);
  assertEquals(states(), ["leaver detached", "worker dead"]);
  const producer = openProducer(channel);
  for (let count = 0; count < 100; count++) producer.write(PAYLOAD); // Around, and past it.
  assertEquals(channel.stats().consumers.map(({ state }) => state), ["detached", "detached"]);
  assertEquals(states(), ["leaver detached", "worker dead"]);
  assertEquals(only(watch).gatedBy, null, "producers do not wait for it");
  for (let turn = 0; turn < 40; turn++) { // So much that its history tells of it no more.
    openConsumer(channel, { name: "passer-by" }).close();
    removeConsumer(channel, "passer-by");
  }
  assert(only(watch).history.every(({ name }) => name === "passer-by"));
  assertEquals(states(), ["leaver detached", "worker dead"]);
  openConsumer(channel, { name: "worker", from: "latest" }).close();
  assertEquals(states(), ["leaver detached", "worker detached"]);
});

Deno.test("Watch.look() has rates from the second look on", () => {
  withDirectory((directory) => {
    using channel = createChannel("orders", { directory, sizeBytes: "64KB" });
    const producer = openProducer(channel);
    const watch = new Watch({ directory });
    producer.write(PAYLOAD);
    assertEquals(only(watch).messagesPerSecond, 0);
    for (let i = 0; i < 10; i++) producer.write(PAYLOAD);
    const look = watch.look();
    const [found] = look.channels;
    assert(found !== undefined && isReadable(found));
    assertEquals(Math.round(found.messagesPerSecond * look.elapsedMs / 1000), 10);
    assertEquals(Math.round(found.producers[0]!.messagesPerSecond * look.elapsedMs / 1000), 10);
  });
});

Deno.test("Watch.look() does not take a channel that was made anew for the one before", () => {
  withDirectory((directory) => {
    const watch = new Watch({ directory });
    for (const count of [20, 30]) {
      if (count === 30) Deno.removeSync(`${directory}/orders.ring`);
      using channel = createChannel("orders", { directory, sizeBytes: "64KB" });
      const producer = openProducer(channel);
      for (let i = 0; i < count; i++) producer.write(PAYLOAD);
      assertEquals(only(watch).messagesPerSecond, 0);
    }
  });
});

Deno.test("Watch.look() says what is wrong with a file that is no channel", () => {
  withDirectory((directory) => {
    Deno.writeTextFileSync(`${directory}/spoilt.ring`, "nothing");
    const { channels: [found] } = new Watch({ directory }).look();
    assert(found !== undefined && !isReadable(found));
    assertEquals(found.name, "spoilt");
    assert(found.error.includes("spoilt.ring"));
  });
});

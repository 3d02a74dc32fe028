// `mt metrics` and `metrics_port` as people use them: processes with no more permissions than they
// ask for, and a real Prometheus where there is one.

import "../testing/load_library.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { setTimeout } from "node:timers/promises";
import { createChannel, openConsumer } from "../mod.ts";
import { metrics } from "../scripts/services/metrics.ts";
import { persister } from "../scripts/services/persister.ts";
import { Supervisor } from "../scripts/services/_supervisor.ts";
import { obstacle, Prometheus, promtool } from "./_prometheus.ts";
import { freePort, ROOT, runChild } from "./_support.ts";
import { runTask, TaskDirectory } from "./_task.ts";

/** Writes 5 messages into the channel "orders" of a directory, as "feed", and kills itself. */
const VICTIM = `
  import { openChannel, openProducer } from "${ROOT}mod.ts";
  const channel = openChannel("orders", { directory: Deno.args[0] });
  const producer = openProducer(channel, { name: "feed" });
  for (let i = 0; i < 5; i++) producer.write(new Uint8Array(100));
  Deno.kill(Deno.pid, "SIGKILL");`;

/** Services over a directory with a channel, whose producer was killed. */
class Station implements AsyncDisposable {
  readonly directory = new TaskDirectory();
  readonly supervisor = new Supervisor(this.directory.write("alive", ""), () => {});
  readonly #stack = new DisposableStack();

  async open(): Promise<this> {
    const { path } = this.directory;
    const channel = this.#stack.use(
      createChannel("orders", { directory: path, sizeBytes: "64KB" }),
    );
    this.#stack.use(openConsumer(channel, { name: "engine" }));
    const script = this.directory.write("victim.ts", VICTIM);
    const flags = ["--no-prompt", "--no-lock", "-A", `--config=${ROOT}deno.json`];
    const { signal, stderr } = await runChild(["run", ...flags, script, path]);
    assertEquals(signal, "SIGKILL", stderr);
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.supervisor[Symbol.asyncDispose]();
    this.#stack.dispose();
    this.directory[Symbol.dispose]();
  }
}

Deno.test(`mt metrics shows what a killed producer has counted${obstacle}`, async () => {
  await using station = await new Station().open();
  const { path } = station.directory;
  const args = ["--directory", path, "--wal-dir", `${path}/wal`, "--port", "0"];
  const service = station.supervisor.start(metrics, { args, isRestarted: false });
  const { url } = await service.ready as { url: string };
  const text = await (await fetch(`${url}metrics`)).text();
  const published = 'mt_producer_messages_total{channel="orders",producer="feed"} 5\n';
  assertStringIncludes(text, published);
  assertStringIncludes(text, 'mt_producers{channel="orders",producer="feed",state="dead"} 1\n');
  const { code, stdout, stderr } = await runTask("mt", ["metrics", "--once", "--directory", path]);
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, published);
  if (obstacle !== "") return;
  assertEquals(await promtool(["check", "metrics"], stdout), { code: 0, output: "" });
  await using prometheus = new Prometheus(path, new URL(url).host);
  const found = await prometheus.query('mt_producer_messages_total{producer="feed"}');
  assertEquals(found.map(({ metric, value }) => [metric.channel, value]), [["orders", 5]]);
  const [lag] = await prometheus.query("mt_consumer_lag_messages");
  assertEquals([lag?.metric.consumer, lag?.value], ["engine", 5]);
});

Deno.test("metrics_port makes any service answer, while it starts as not ready", async () => {
  await using station = await new Station().open();
  const { path } = station.directory;
  const port = freePort();
  const service = station.supervisor.start(persister, {
    args: [
      ...["--directory", path, "--wal-dir", `${path}/wal`, "--channels", "later"],
      ...["--metrics-port", `${port}`, "--seccomp"],
    ],
    isRestarted: false,
  });
  const ask = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/${path}`);
    return { status: response.status, body: await response.text() };
  };
  let answer: Awaited<ReturnType<typeof ask>> | undefined;
  while (answer === undefined) { // It waits for its channel, and answers meanwhile.
    await Promise.race([setTimeout(50), service.failure]);
    answer = await ask("readyz").catch(() => undefined);
  }
  assertEquals(answer.status, 503);
  assertStringIncludes(answer.body, "process_starting");
  assertEquals((await ask("livez")).status, 200);
  using _channel = createChannel("later", {
    ...{ directory: path, walDir: `${path}/wal`, durability: "disk", persister: "outside" },
    sizeBytes: "64KB",
  });
  await service.ready;
  assertEquals((await ask("readyz")).status, 200, "also without the system calls it does not need");
  let { body } = await ask("metrics");
  while (!body.includes('mt_wal_state{channel="later",state="running"} 1\n')) {
    await setTimeout(50); // A look holds for a moment, and may be older than the channel.
    ({ body } = await ask("metrics"));
  }
  assert(/^mt_wal_disk_free_bytes\{channel="later"\} [1-9]/m.test(body), "the disk of its log");
});

// How the main job ends when it is not let to finish: no process and no file stays behind.

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { readCounters } from "../lib/observability/mod.ts";
import { type Channel, openChannel } from "../mod.ts";
import { DemoDirectory } from "./_demo.ts";
import { until } from "./fault/_support.ts";
import { ROOT, runChild } from "./_support.ts";
import { taskArguments, TaskDirectory } from "./_task.ts";

/** A wait that takes longer has failed. Generous, as machines may be busy: for several starts. */
const WATCHDOG_MS = 300_000;

/** A demo that goes on for hours, or until Ctrl-C, seen from outside. */
class RunningDemo implements AsyncDisposable {
  readonly #directory = new DemoDirectory();
  readonly #process: Deno.ChildProcess;
  readonly #stdout: Promise<string>;
  readonly #stderr: Promise<string>;

  constructor(seconds: number) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: [
        ...[...taskArguments("demo"), "--seconds", `${seconds}`, "--rate", "50"],
        ...["--quiet", "--json"],
      ],
      env: { ...this.#directory.env, NO_COLOR: "1" },
      cwd: ROOT,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdout = new Response(this.#process.stdout).text();
    this.#stderr = new Response(this.#process.stderr).text();
  }

  /** Opens a channel as soon as it is there. */
  async channel(suffix: string): Promise<Channel> {
    const { channels } = this.#directory;
    const name = () => this.#directory.files().find((file) => file.endsWith(`${suffix}.ring`));
    await until(`there is a channel ${suffix}`, () => name() !== undefined);
    return openChannel(name()!.replace(/\.ring$/, ""), { directory: channels });
  }

  /** How often its engine was started. */
  get engineStarts(): number {
    const counters = readCounters({ directory: this.#directory.channels });
    return counters.find(({ instance }) => instance.endsWith("matching-engine"))?.openings ?? 0;
  }

  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  async ended(): Promise<{ code: number; stdout: string; stderr: string }> {
    const watchdog = setTimeout(() => this.#process.kill("SIGKILL"), WATCHDOG_MS);
    const { code } = await this.#process.status;
    clearTimeout(watchdog);
    return { code, stdout: await this.#stdout, stderr: await this.#stderr };
  }

  leftovers(): string[] {
    return this.#directory.leftovers();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended, as it should.
    }
    await this.ended();
    await until("nothing is left", () => this.leftovers().length === 0);
    this.#directory[Symbol.dispose]();
  }
}

/** How many processes hold a place in the channel: the kernel takes it away when they end. */
function alive(channel: Channel): number {
  const { producers, consumers } = channel.stats();
  return [...producers, ...consumers].filter(({ state }) => state === "alive").length;
}

/** Waits until orders flow: everybody is there. */
async function untilFlow(channel: Channel): Promise<void> {
  await until("orders flow", () => channel.stats().nextSequence > 10);
}

for (const [signal, status] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
  Deno.test(`demo leaves no process and no file when it ends by ${signal}`, async () => {
    await using demo = new RunningDemo(3600);
    using orders = await demo.channel("gateway.orders");
    using events = await demo.channel("engine.events");
    await untilFlow(orders);
    demo.kill(signal);
    const { code, stdout, stderr } = await demo.ended();
    assertEquals([code, alive(orders), alive(events), demo.leftovers()], [status, 0, 0, []]);
    assertEquals([stdout, stderr], ["", `error: Cannot finish the demo: found signal ${signal}\n`]);
  });
}

Deno.test("demo --seconds 0 goes on until Ctrl-C, and judges then", async () => {
  await using demo = new RunningDemo(0);
  using orders = await demo.channel("gateway.orders");
  await untilFlow(orders);
  await until("the engine was killed", () => demo.engineStarts > 1);
  demo.kill("SIGINT");
  const { code, stdout, stderr } = await demo.ended();
  assertEquals([code, stderr], [0, ""]);
  const { lost, duplicated, stateHashEqual } = JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
  assertEquals({ lost, duplicated, stateHashEqual }, {
    ...{ lost: 0, duplicated: 0, stateHashEqual: true },
  });
});

Deno.test("demo leaves no process and no file when it is killed", async () => {
  await using demo = new RunningDemo(3600);
  using orders = await demo.channel("gateway.orders");
  await untilFlow(orders);
  demo.kill("SIGKILL");
  await demo.ended();
  await until("the services have ended", () => alive(orders) === 0);
  await until("everything is removed", () => demo.leftovers().length === 0);
});

Deno.test("demo leaves nothing when it is killed as soon as its cleaner runs", async () => {
  using directory = new TaskDirectory();
  const left = `${directory.path}/left`;
  Deno.mkdirSync(left); // As far as it had come.
  const task = { directory: left, lockFile: `${left}/alive`, channelPrefix: "demo-0-x." };
  const script = `${ROOT}scripts/demo/cleaner.ts`;
  const flags = [`--allow-read=${left}`, `--allow-write=${left}`, "--allow-ffi"];
  const args = ["run", "--no-prompt", "--no-config", ...flags, script, JSON.stringify(task)];
  const { code, stderr } = await runChild(args, { env: directory.env });
  assertEquals([code, stderr], [0, ""]);
  assertThrows(() => Deno.statSync(left), Deno.errors.NotFound);
});

Deno.test("demo fails when a service does for good, and leaves nothing", async () => {
  await using demo = new RunningDemo(3600);
  using orders = await demo.channel("gateway.orders");
  await untilFlow(orders);
  Deno.truncateSync(orders.bufferFile, 4096);
  const { code, stderr } = await demo.ended();
  assertEquals([code, demo.leftovers()], [1, []]);
  assertStringIncludes(stderr, "error: Cannot go on as ");
});

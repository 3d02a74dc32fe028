// How the main job ends when it is not let to finish: no process and no ring file stays behind.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { type Channel, openChannel } from "../mod.ts";
import { ROOT } from "./_support.ts";
import { taskArguments, TaskDirectory } from "./_task.ts";

/** A wait that takes longer has failed. Generous, as machines may be busy. */
const WATCHDOG_MS = 60_000;

/** A demo that would go on for hours, seen from outside. */
class RunningDemo implements AsyncDisposable {
  readonly #directory = new TaskDirectory();
  readonly #process: Deno.ChildProcess;
  readonly #stderr: Promise<string>;

  constructor() {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: [...taskArguments("demo"), "--pace", "real", "--quiet"],
      env: { ...this.#directory.env, NO_COLOR: "1" },
      cwd: ROOT,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#stderr = new Response(this.#process.stderr).text();
  }

  /** Opens its channel as soon as all three children take part in it. */
  async channel(): Promise<Channel> {
    const directory = this.#directory.channels;
    const name = () => this.#directory.files().find((file) => /^demo-.*\.ring$/.test(file));
    await until("the demo has a channel", () => name() !== undefined);
    const channel = openChannel(name()!.replace(/\.ring$/, ""), { directory });
    await until("all children are there", () => alive(channel) === 3);
    return channel;
  }

  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  async ended(): Promise<{ code: number; stderr: string }> {
    const watchdog = setTimeout(() => this.#process.kill("SIGKILL"), WATCHDOG_MS);
    const { code } = await this.#process.status;
    clearTimeout(watchdog);
    return { code, stderr: await this.#stderr };
  }

  files(): string[] {
    return this.#directory.files();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended, as it should.
    }
    await this.ended();
    this.#directory[Symbol.dispose]();
  }
}

/** How many processes hold a place in the channel: the kernel takes it away when they end. */
function alive(channel: Channel): number {
  const { producers, consumers } = channel.stats();
  return [...producers, ...consumers].filter(({ state }) => state === "alive").length;
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + WATCHDOG_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Cannot wait until ${what}: it never is`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for (const [signal, status] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
  Deno.test(`demo leaves no process and no file when it ends by ${signal}`, async () => {
    await using demo = new RunningDemo();
    using channel = await demo.channel();
    demo.kill(signal);
    const { code, stderr } = await demo.ended();
    assertEquals([code, alive(channel), demo.files()], [status, 0, []]);
    assertEquals(stderr, `error: Cannot finish the demo: found signal ${signal}\n`);
  });
}

Deno.test("demo leaves no process and no file when it is killed", async () => {
  await using demo = new RunningDemo();
  using channel = await demo.channel();
  demo.kill("SIGKILL");
  await demo.ended();
  await until("the children have ended", () => alive(channel) === 0);
  assertEquals(demo.files(), []);
});

Deno.test("demo fails when a child does, and leaves no process and no file", async () => {
  await using demo = new RunningDemo();
  using channel = await demo.channel();
  Deno.truncateSync(channel.bufferFile, 4096);
  const { code, stderr } = await demo.ended();
  assertEquals([code, demo.files()], [1, []]);
  assertStringIncludes(stderr, "error: Cannot go on as the ");
  assertStringIncludes(stderr, "truncated");
});

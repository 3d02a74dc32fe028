// Services as processes of their own: the persister among them, which needs no other one.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type Channel, createChannel, openProducer } from "../mod.ts";
import { ScriptError } from "../scripts/_command.ts";
import { persister } from "../scripts/services/persister.ts";
import { type Restart, Supervisor } from "../scripts/services/_supervisor.ts";
import { TaskDirectory } from "./_task.ts";

/** A directory, a channel whose log somebody else is to write, and a supervisor. */
class Station implements AsyncDisposable {
  readonly directory = new TaskDirectory();
  readonly lockFile = this.directory.write("alive", "");
  readonly #restarted = Promise.withResolvers<Restart>();
  readonly supervisor = new Supervisor(this.lockFile, this.#restarted.resolve);
  readonly args = [
    ...["--directory", this.directory.path, "--wal-dir", `${this.directory.path}/wal`],
    ...["--channels", "orders", "--buffer-size", "64KB", "--segment-bytes", "1MB"],
  ];
  #channel: Channel | undefined;

  constructor() {
    Deno.mkdirSync(`${this.directory.path}/wal`);
  }

  channel(): Channel {
    return this.#channel ??= createChannel("orders", {
      directory: this.directory.path,
      walDir: `${this.directory.path}/wal`,
      durability: "disk",
      persister: "outside",
      sizeBytes: "64KB",
      segmentBytes: "1MB",
    });
  }

  /** The first restart. */
  get restarted(): Promise<Restart> {
    return this.#restarted.promise;
  }

  /** Whether no process holds the lock any more. */
  isAlone(): boolean {
    using file = Deno.openSync(this.lockFile);
    return file.tryLockSync(true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.supervisor[Symbol.asyncDispose]();
    this.#channel?.close();
    this.directory[Symbol.dispose]();
  }
}

Deno.test("persister waits for its channel, writes its log, and has a successor", async () => {
  await using station = new Station();
  const service = station.supervisor.start(persister, { args: station.args, isRestarted: true });
  const channel = station.channel();
  const producer = openProducer(channel);
  const first = producer.durable(producer.write(new Uint8Array(8)));
  const { logs } = await service.ready;
  assertEquals([logs, await first], [[channel.logDirectory], "disk"]);
  const { pid } = service;
  service.kill();
  assertEquals(await producer.durable(producer.write(new Uint8Array(8))), "disk");
  const { name, found, ready } = await station.restarted;
  assertEquals([name, found, ready.pid], ["persister", "SIGKILL", service.pid]);
  assert(service.pid !== pid);
  assert(!station.isAlone());
  const stopped = await service.stop();
  assertEquals((stopped.logs as { channel: string }[]).map(({ channel }) => channel), ["orders"]);
  assert(station.isAlone());
});

Deno.test("Supervisor gives up a service that does not start, and one that is not to", async () => {
  await using station = new Station();
  station.channel();
  const wrong = station.supervisor.start(persister, {
    args: [...station.args, "--sync", "sometimes"],
    isRestarted: true,
  });
  const error = await assertRejects(() => wrong.ready, ScriptError);
  assertStringIncludes(error.message, "Cannot go on as persister has ended: found exit status 2");
  await assertRejects(() => station.supervisor.failure, ScriptError);
  const once = station.supervisor.start(persister, { args: station.args });
  await once.ready;
  once.kill();
  await assertRejects(() => once.failure, ScriptError, "found SIGKILL");
  assertEquals(station.supervisor.restarts, []);
});

Deno.test("Supervisor ends with its scope what it has started, ready or not", async () => {
  await using station = new Station();
  const { supervisor } = station;
  const waiting = supervisor.start(persister, { args: station.args, isRestarted: true });
  await supervisor[Symbol.asyncDispose]();
  await assertRejects(() => waiting.stop(), ScriptError);
  assert(station.isAlone());
});

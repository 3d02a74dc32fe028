// The command line tool for logs and for damaged files: once of each kind as a process, with the
// permissions of its task.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  BACK_PRESSURED,
  createChannel,
  openChannel,
  openConsumer,
  openProducer,
  readLog,
  verifyLog,
} from "../mod.ts";
import { openCounters } from "../lib/observability/mod.ts";
import { mtHere } from "./_cli.ts";
import { COUNTED } from "./_counters.ts";
import { TestLog, textOf } from "./_log.ts";
import { ServiceProcess } from "./_service_process.ts";
import { encode, range, ROOT, runChild, runScript } from "./_support.ts";
import { runTask, taskArguments, TaskDirectory } from "./_task.ts";
import { IS_LONG } from "./fault/_support.ts";

const COUNT = 5_000;
const FIRST_RECORD = 4160;
const CONTROL_SLOT_BYTES = 12_288;

async function mt(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return await runTask("mt", args);
}

// deno-lint-ignore no-explicit-any -- what the tool prints, as its readers see it
async function mtJson(...args: string[]): Promise<{ code: number; value: any }> {
  const { code, stdout, stderr } = await mt(...args, "--json");
  assert(stdout !== "", stderr);
  return { code, value: JSON.parse(stdout) };
}

/** The same in this process. */
// deno-lint-ignore no-explicit-any -- what the tool prints, as its readers see it
async function mtJsonHere(...args: string[]): Promise<{ code: number; value: any }> {
  const { code, stdout, stderr } = await mtHere(...args, "--json");
  assert(stdout !== "", stderr);
  return { code, value: JSON.parse(stdout) };
}

Deno.test("mt verify tells a sound log, a torn one and a damaged one apart", async () => {
  using log = new TestLog(COUNT);
  const sound = await mt("verify", log.directory);
  assertEquals([sound.code, sound.stderr], [0, ""]);
  assertMatch(sound.stdout, /^Log of "test": whole\n/);
  assertMatch(sound.stdout, /sequences 1 to 5000/);
  const newest = log.segments().at(-1)!;
  log.write(newest, 200 * 1024, encode("never acknowledged"));
  const torn = await mtJsonHere("verify", `${log.root}/wal`);
  assertEquals([torn.code, torn.value.results.length], [0, 1]);
  assertEquals(torn.value.results[0].log.verdict, "torn");
  log.flip(log.segments()[0]!, FIRST_RECORD + 20);
  const damaged = await mt("verify", log.directory, "--direct");
  assertEquals(damaged.code, 1);
  assertMatch(damaged.stdout, /^Log of "test": corrupt\n/);
  assertMatch(damaged.stdout, /^record +00000001-0{19}1\.wal +4160 +1$/m);
  const ring = await mtJsonHere("verify", `${log.root}/test.ring`);
  assertEquals([ring.code, ring.value.results[0].ring.lastSequence], [0, COUNT]);
  using directory = new TaskDirectory();
  for (const path of [directory.path, `${directory.path}/none`, "/dev/zero"]) {
    const verify = path === "/dev/zero" ? mt : mtHere; // A test may not read it.
    const { code, stdout, stderr } = await verify("verify", path);
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, /^error: Cannot (verify|look at) /);
  }
  assertEquals((await mtHere("verify")).code, 2);
});

Deno.test("mt inspect shows every file of ours, and where a segment stops to verify", async () => {
  using log = new TestLog(COUNT);
  const [first] = log.segments() as [string];
  const whole = await mtJson("inspect", log.path(first), "--limit", "2");
  assertEquals([whole.code, whole.value.kind, whole.value.header.segment], [0, "segment", 1]);
  const [group, next] = whole.value.content.groups;
  assertEquals([group.offset, group.sequence, next.sequence], [4096, 1, 1 + group.count]);
  assertEquals([group.group, next.group, whole.value.content.groups.length], [1, 2, 2]);
  assertEquals(group.records[0].head, Array.from(encode(textOf(1)), toHex).join("").slice(0, 32));
  log.flip(first, FIRST_RECORD + 20);
  const damaged = await mtHere("inspect", log.path(first));
  assertEquals(damaged.code, 1);
  assertMatch(damaged.stdout, /^record +00000001-0{19}1\.wal +4160 +1$/m);
  assertMatch(damaged.stdout, /^2 +12 +– +6d6573736167652032207878$/m);
  log.flip(first, 100); // Its header; the control file beside it says what log it is.
  const headless = await mtJsonHere("inspect", log.path(first));
  assertEquals([headless.code, headless.value.header.sound], [1, false]);
  assertEquals(headless.value.content.report.records, log.firstOf(log.segments()[1]!) - 2);
  const control = await mtJsonHere("inspect", log.path("control"));
  assertEquals([control.code, control.value.kind], [0, "control"]);
  assertEquals(control.value.slots[control.value.current].endSequence, COUNT + 1);
  log.flip("control", 20);
  assertEquals((await mtJsonHere("inspect", log.path("control"))).code, 1);
  const ring = await mtJson("inspect", `${log.root}/test.ring`, "--limit", "3");
  assertEquals([ring.code, ring.value.ring.identity.name], [0, "test"]);
  const newest = ring.value.ring.newest.map(({ sequence }: { sequence: number }) => sequence);
  assertEquals(newest, range(COUNT - 2, COUNT));
  const directory = await mtHere("inspect", log.directory);
  assertEquals(directory.code, 1);
  assertStringIncludes(directory.stdout, "control-slot");
  assertEquals((await mtHere("inspect", log.directory, "--limit", "many")).code, 2);
});

Deno.test("mt inspect takes no slot for damaged that a live writer may be at", async () => {
  using log = new TestLog(100);
  const slots = [0, CONTROL_SLOT_BYTES] as const;
  const control = log.path("control");
  {
    using channel = createChannel("test", { ...log.options, snapshotIntervalMs: 1e6 });
    const producer = openProducer(channel);
    // Twice: in its first turn it also writes down who needs what, and then no more.
    for (let turn = 0; turn < 2; turn++) producer.waitDurable(producer.write(encode("turn")));
    for (const [index, slot] of slots.entries()) {
      log.flip("control", slot + 100);
      const { code, stdout } = await mtHere("inspect", control);
      assertEquals(code, 0, stdout);
      assertStringIncludes(stdout, `Slot ${index}: being written, or damaged\n`);
      Deno.copyFileSync(control, log.path("copy")); // Nobody writes that.
      assertEquals((await mtHere("inspect", log.path("copy"))).code, 1);
      log.flip("control", slot + 100);
    }
    for (const slot of slots) log.flip("control", slot + 100);
    assertEquals((await mtHere("inspect", control)).code, 1);
    log.flip("control", 100);
  }
  log.flip("control", 100);
  const { code, stdout } = await mtHere("inspect", control);
  assertEquals(code, 1);
  assertStringIncludes(stdout, ": does not verify\n");
});

Deno.test("mt inspect says what it knows where nothing of ours is", async () => {
  using directory = new TaskDirectory();
  directory.write("notes", "hello");
  const shownOf = async (path: string) => {
    const { code, stdout } = await mtHere("inspect", path);
    assertEquals(code, 1);
    return stdout.trimEnd();
  };
  assertEquals(
    await shownOf(`${directory.path}/notes`),
    `${directory.path}/notes: no file of ours, 5 B\n  68656c6c6f`,
  );
  assertEquals(
    await shownOf(directory.path),
    `${directory.path}: no file of ours, nor the directory of a log, of logs, of rings, of a ` +
      "store, or of checkpoints",
  );
});

Deno.test("mt inspect shows what a service has counted, also when it is gone", async () => {
  using directory = new TaskDirectory();
  {
    using counters = openCounters("shop", COUNTED, { directory: directory.path });
    counters.values.orders.add(1234);
    counters.values.wait.record(2_000_000);
  }
  const file = `${directory.path}/shop.counters`;
  const { code, stdout } = await mtHere("inspect", file);
  assertEquals(code, 0);
  assertMatch(
    stdout,
    new RegExp(`^Counters of "shop": stopped\n  ${file}\n  process ${Deno.pid},`),
  );
  assertMatch(stdout, /^shop_orders_total +counter +1,234$/m);
  assertMatch(stdout, /^shop_wait_seconds +histogram +1 times, p50 2\.\d+ ms, p99 /m);
  const { value } = await mtJsonHere("inspect", file);
  assertEquals([value.kind, value.counters.values[0].value], ["counters", 1234]);
  Deno.truncateSync(file, 4096);
  const damaged = await mtHere("inspect", file);
  assertEquals(damaged.code, 1);
  assertMatch(damaged.stdout, /^Counters .*\nCannot use .* as counters: /);
});

Deno.test("mt inspect and verify need no flag for what is in the default directory", async () => {
  using scratch = new TaskDirectory();
  const own = `${scratch.path}/message_transport`;
  Deno.mkdirSync(own, { mode: 0o700 });
  createChannel("test", { directory: own, sizeBytes: 4096 }).close();
  openCounters("shop", COUNTED, { directory: own }).close();
  const run = async (...args: string[]) => {
    const flags = ["--quiet", "--no-prompt", `--allow-ffi=${ROOT}zig-out`];
    const command = ["run", ...flags, `${ROOT}scripts/cli.ts`, ...args];
    const { code, stdout } = await runChild(command, { env: { XDG_RUNTIME_DIR: scratch.path } });
    return `${code} ${stdout}`;
  };
  assertMatch(
    await run("inspect", `${own}/test.ring`),
    /^0 Ring .*, 4 KiB, .*\n {2}name: "test"\n/,
  );
  assertMatch(await run("verify", `${own}/test.ring`), /^0 Ring "test" of 4 KiB: sound\n/);
  assertMatch(await run("inspect", `${own}/shop.counters`), /^0 Counters of "shop": stopped\n/);
  assertMatch(await run("inspect", own), /^0 Directory of 1 rings\n.*\/test\.ring\n$/);
  Deno.truncateSync(`${own}/test.ring`, 100);
  assertMatch(await run("verify", own), /^1 Cannot use .* found 100 bytes/);
  assertMatch(
    await run("inspect", `${own}/test.ring`),
    /^1 Ring .*\nCannot use .* found 100 bytes/,
  );
});

function toHex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

Deno.test("mt recover --dry-run says what mt recover does, and changes nothing", async () => {
  using log = new TestLog(COUNT);
  const newest = log.segments().at(-1)!;
  const tail = 100 * 1024; // Behind the end.
  log.write(newest, tail, encode("never acknowledged"));
  const before = log.copy();
  const plan = await mtJson("recover", "--dry-run", log.directory);
  assertEquals([plan.code, plan.value.action], [0, "repair"]);
  assertEquals([plan.value.nextSequence, plan.value.clean], [COUNT + 1, true]);
  assertEquals(log.changedSince(before), []);
  const done = await mtJson("recover", log.directory);
  assertEquals([done.code, done.value.verdict, done.value.nextSequence], [0, "torn", COUNT + 1]);
  const { offset, bytes, savedAs } = plan.value.tail;
  assertEquals([done.value.tornOffset, done.value.tornBytes], [offset, bytes]);
  assertEquals(Deno.statSync(log.path(savedAs)).size, bytes);
  const saved = await mtJsonHere("inspect", log.path(savedAs));
  assertEquals([saved.code, saved.value.kind], [0, "torn"]);
  assertEquals((await mtJsonHere("recover", "--dry-run", log.directory)).value.action, "open");
  assertEquals((await verifyLog(log.directory)).verdict, "whole");
  log.flip(newest, FIRST_RECORD + 20);
  const damaged = log.copy();
  assertEquals((await mtJsonHere("recover", "--dry-run", log.directory)).value.action, "refuse");
  const refused = await mtHere("recover", log.directory);
  assertEquals([refused.code, refused.stdout], [1, ""]);
  assertMatch(refused.stderr, /^error: Cannot use the log .* found damage \(record\)/);
  assertEquals(log.changedSince(damaged), []);
  assertEquals((await mtHere("recover", log.root)).code, 1);
});

Deno.test("mt recover names the process that has the log", async () => {
  using log = new TestLog(10);
  using _channel = createChannel("test", log.options);
  const { code, stderr } = await mt("recover", log.directory);
  assertEquals(code, 1);
  assertStringIncludes(stderr, `found it open in live process ${Deno.pid}`);
  const plan = await mtJson("recover", "--dry-run", log.directory);
  assertEquals(plan.value.writerPid, Deno.pid);
});

/** Starts `mt persist`. */
function startPersist(...args: string[]): ServiceProcess {
  return new ServiceProcess(
    new Deno.Command(Deno.execPath(), {
      args: [...taskArguments("mt"), "persist", ...args, "--json"],
      cwd: ROOT,
      stdin: "piped",
      stdout: "piped",
    }).spawn(),
  );
}

Deno.test("mt persist writes for others, holds them back when killed, and goes on", async () => {
  using log = new TestLog(0);
  log.loseRing();
  const place = ["--wal-dir", `${log.root}/wal`, "--directory", log.root];
  const args = ["test", ...place, "--segment-bytes", "256KB"];
  using channel = createChannel("test", { ...log.options, persister: "outside" });
  const producer = openProducer(channel);
  let sequence = 0;
  {
    await using persister = startPersist(...args);
    assertEquals((await persister.event()).event, "persisting");
    for (; sequence < 1_000;) sequence = producer.write(encode(textOf(sequence + 1)));
    assertEquals(await producer.durable(sequence), "disk");
    const { stdout } = await mt("status", "--directory", log.root);
    assertMatch(stdout, /^test .* running +0 +256 KiB$/m);
    assertEquals((await persister.end("SIGKILL")).signal, "SIGKILL");
  }
  for (;;) {
    const offered = producer.offer(encode(textOf(sequence + 1)));
    if (offered === BACK_PRESSURED) break;
    sequence = offered;
  }
  assertEquals(producer.gating()?.onSlow, "hold");
  assert(sequence > 1_000 && channel.stats().log!.durable === 1_000);
  {
    await using persister = startPersist(...args);
    assertEquals((await persister.event()).event, "persisting");
    assertEquals(await producer.durable(sequence), "disk");
    sequence = producer.write(encode(textOf(sequence + 1)));
    assertEquals((await persister.end("SIGTERM")).code, 0);
    assertEquals((await persister.event()).event, "closed");
  }
  assertEquals((await verifyLog(log.directory)).verdict, "whole");
  const texts: string[] = [];
  for (const { text } of readLog(log.directory)) texts.push(text);
  assertEquals(texts, range(1, sequence).map(textOf));
});

Deno.test("mt persist makes a channel where there is none, and refuses wrong options", async () => {
  using directory = new TaskDirectory();
  const args = ["orders", "--wal-dir", `${directory.path}/wal`, "--directory", directory.path];
  {
    await using persister = startPersist(...args, "--sync", "5", "--size", "64KB");
    await persister.event();
    using channel = openChannel("orders", { directory: directory.path });
    assertEquals([channel.durability, channel.sizeBytes], ["disk", 65536]);
    assertEquals((await persister.end("SIGINT")).code, 0);
  }
  for (const wrong of [["--sync", "often"], ["--io", "fast"], ["--when-full", "cut"]]) {
    assertEquals((await mt("persist", ...args, ...wrong)).code, 2, wrong.join(" "));
  }
  assertEquals((await mtHere("persist", "orders")).code, 2);
});

Deno.test("mt remove-consumer removes one that is not open, else names its process", async () => {
  using log = new TestLog(10);
  using channel = createChannel("test", log.options);
  const place = ["test", "gone", "--directory", log.root];
  const gone = openConsumer(channel, { name: "gone" });
  const busy = await mt("remove-consumer", ...place);
  assertEquals([busy.code, busy.stdout], [1, ""]);
  assertMatch(busy.stderr, /^error: Cannot remove consumer "gone" of channel "test": found live /);
  assertStringIncludes(busy.stderr, `process ${Deno.pid} ("gone")`);
  gone.close();
  const { code, stdout } = await mt("remove-consumer", ...place);
  assertEquals([code, stdout], [0, 'Removed consumer "gone" of channel "test"\n']);
  assertEquals(channel.stats().consumers.map(({ name }) => name), ["mt.persister"]);
  assertMatch(
    (await mt("remove-consumer", ...place)).stderr,
    /: found none of that name; "mt status" lists/,
  );
  openConsumer(channel, { name: "gone" }).close();
  const again = await mtJson("remove-consumer", ...place);
  assertEquals([again.code, again.value], [0, { removed: "gone", channel: "test" }]);
  const nowhere = ["nowhere", "gone", "--directory", log.root];
  assertMatch((await mtHere("remove-consumer", ...nowhere)).stderr, /found no such file/);
  assertEquals((await mtHere("remove-consumer", "test", "", "--directory", log.root)).code, 2);
  assertEquals((await mtHere("remove-consumer", "test")).code, 2);
});

Deno.test("Tools answer for any bytes, and for what is no file", async () => {
  using directory = new TaskDirectory();
  const task = { directory: directory.path, seed: 47, rounds: IS_LONG ? 20_000 : 60 };
  const flags = ["--allow-read", "--allow-write", "--allow-env", "--allow-run=mkfifo"];
  flags.push(`--allow-ffi=${ROOT}zig-out`);
  const { cases, answers } = await runScript("fuzz/_sweep_inspect.ts", flags, [
    JSON.stringify(task),
  ], { watchdogMs: IS_LONG ? 3_600_000 : 300_000 }) as { cases: number; answers: number };
  assertEquals(cases, 4 * task.rounds + 5);
  assert(answers > cases);
  directory.write("empty", "");
  for (const path of ["/dev/zero", `${directory.path}/empty`, directory.path]) {
    const inspect = path === "/dev/zero" ? mt : mtHere;
    const { code, stdout, stderr } = await inspect("inspect", path);
    assertEquals(code, 1, path);
    assert(stdout.length > 0 || stderr.startsWith("error: Cannot look at"), stderr);
  }
});

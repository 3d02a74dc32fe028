// docs/operations.md, section by section: each test does what its section says, with the commands
// that stand there, against processes that are killed and disks that fail.

import { assert, assertEquals, assertGreaterOrEqual, assertMatch, assertThrows } from "@std/assert";
import {
  CorruptLogError,
  createChannel,
  openConsumer,
  openProducer,
  readLog,
  salvageLog,
  SequenceGapError,
  verifyLog,
  WAL_FULL,
} from "../../mod.ts";
import { currentSlot, decodeControl } from "../../lib/native/log_files.ts";
import { mtHere } from "../_cli.ts";
import { SEGMENT_BYTES, TestLog, textOf } from "../_log.ts";
import { range, runChild } from "../_support.ts";
import { runTask } from "../_task.ts";
import { SmallDisk } from "./_disk.ts";
import { expectedSum } from "./_engine.ts";
import { Child, ROOT, TestDirectory, testUnless, until } from "./_support.ts";
import { straceObstacle } from "./_trace.ts";
import { WAL_OPTIONS, WalLedger } from "./_wal.ts";

const DOCUMENT = Deno.readTextFileSync(`${ROOT}docs/operations.md`);

const tested: string[] = [];

/** The test of a section. */
function testSection(name: string, fn: () => Promise<void>, obstacle?: string): void {
  tested.push(name);
  testUnless(obstacle, name, fn);
}

/** Runs a command of the tool, in this process. Its exit status has to be this. */
async function mt(status: number, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await mtHere(...args);
  assertEquals(code, status, `mt ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout + stderr;
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  assert(success, new TextDecoder().decode(stderr));
}

/** A service with a log and checkpoints, which are on a disk of their own. */
class Service implements Disposable {
  readonly #directory = new TestDirectory();
  /** Directory of the ring files. */
  readonly rings: string = `${this.#directory.path}/rings`;
  readonly disk: string = `${this.#directory.path}/disk`;
  readonly checkpoints: string = `${this.disk}/checkpoints`;
  walDir: string = `${this.disk}/wal`;

  constructor() {
    for (const path of [this.rings, this.disk]) Deno.mkdirSync(path, { mode: 0o700 });
  }

  get log(): string {
    return `${this.walDir}/orders`;
  }

  /** A path for another directory. */
  place(name: string): string {
    return `${this.#directory.path}/${name}`;
  }

  start(): Child {
    const { rings, disk, walDir } = this;
    const places = [disk, walDir].map((path) => [`--allow-read=${path}`, `--allow-write=${path}`]);
    return new Child("engine", { disk, walDir, batches: 1_000_000 }, {
      directory: rings,
      permissions: places.flat(),
    });
  }

  /** Lets the service work for some batches and kills it. Returns what it said in the end. */
  async work(batches: number): Promise<{ begin: number; acked: number }> {
    await using child = this.start();
    const begin = await recovered(child);
    const acked = await workOn(child, batches);
    child.kill();
    await child.ended();
    return { begin, acked };
  }

  /** What it says when it cannot start. */
  async refusal(): Promise<string> {
    await using child = this.start();
    const { code, stderr } = await child.ended();
    assertEquals(code, 1, stderr);
    return stderr;
  }

  async removeRing(): Promise<void> {
    await mt(0, "remove", "orders", "--directory", this.rings);
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

/** The last order that a service knows when it has recovered; its state has to be right. */
async function recovered(child: Child): Promise<number> {
  const words = (await child.expect("recovered")).split(" ").map(Number);
  const [, count = 0, sum, last] = words;
  assertEquals([count, sum], [last, expectedSum(count)]);
  return count;
}

/** Waits for so many batches and two checkpoints. Returns the last order acknowledged. */
async function workOn(child: Child, batches: number): Promise<number> {
  let acked = 0;
  for (let checkpoints = 0; batches > 0 || checkpoints < 2;) {
    const [word, number] = (await child.line() ?? "end").split(" ");
    assert(word !== "end", "the service has ended");
    if (word === "checkpoint") checkpoints++;
    if (word !== "acked") continue;
    acked = Number(number);
    batches--;
  }
  return acked;
}

testSection("Seeing how it stands", async () => {
  using service = new Service();
  const { rings, log, checkpoints } = service;
  {
    await using child = service.start();
    await recovered(child);
    await workOn(child, 20);
    assertMatch(await mt(0, "status", "--directory", rings), /^orders .* running +\d/m);
    assertMatch(
      await mt(0, "verify", log),
      new RegExp(`written now by process ${child.pid}$`, "m"),
    );
    const busy = await mt(1, "verify", checkpoints);
    assertMatch(busy, new RegExp(`live process ${child.pid} as its owner; stop it first`));
    child.kill();
    await child.ended();
  }
  assertMatch(await mt(0, "status", "--directory", rings), /^orders .* absent +\d/m);
  assertMatch(await mt(0, "verify", log), /^Log of "orders": (whole|torn)$/m);
  assertMatch(await mt(0, "verify", checkpoints), /^engine +\d+ .* sound$/m);
  assertMatch(await mt(0, "recover", "--dry-run", log), /would (open as it is|be repaired)$/m);
  const plan = await mt(0, "recover", "--dry-run", checkpoints);
  assertMatch(plan, /^State "engine": would recover from checkpoint \d+/m);
  const files = [...Deno.readDirSync(log)].map(({ name }) => name);
  const segment = files.filter((name) => name.endsWith(".wal")).sort().at(-1)!;
  assertMatch(await mt(0, "inspect", `${log}/${segment}`), /^Header: sound$/m);
  assertMatch(await mt(0, "inspect", `${log}/control`), /sound, the newest/);
  assertMatch(await mt(0, "inspect", `${rings}/orders.ring`), /orders/);
});

testSection("What mt doctor says", async () => {
  using service = new Service();
  Deno.mkdirSync(service.walDir, { mode: 0o700 });
  const place = ["--directory", service.rings, "--wal-dir", service.walDir];
  const { code, stdout, stderr } = await runTask("mt", ["doctor", "--json", ...place]);
  const { verdict, summary, lines } = JSON.parse(stdout);
  assertEquals([code, stderr], [verdict === "fail" ? 1 : 0, ""]);
  const names = lines.map(({ name }: { name: string }) => name);
  const page = DOCUMENT.slice(DOCUMENT.indexOf("## What mt doctor says")).split("\n## ")[0]!;
  const rows = [...page.matchAll(/^\| ([^|:]+?) +\|/gm)].map(([, name]) => name!);
  assertEquals(rows, ["Line", ...names]);
  const told = lines.filter(({ verdict, fix }: Record<string, string>) =>
    verdict !== "ok" || fix !== ""
  );
  for (const { name, fix } of told) assert(fix !== "" && summary.includes(name), name);
  assertEquals([...Deno.readDirSync(service.walDir)], [], "it leaves nothing");
  const { count } = /\((?<count>\d+)\)/.exec(
    lines.find(({ name }: { name: string }) => name === "sync time").found,
  )!.groups!;
  assert(Number(count) >= 20, "it has timed syncs");
});

testSection("Backup", async () => {
  using service = new Service();
  const copy = service.place("copy");
  await service.work(20); // Killed.
  Deno.mkdirSync(copy);
  await run("cp", "-a", service.log, service.checkpoints, copy);
  const { begin, acked } = await service.work(20);
  await mt(0, "verify", `${copy}/orders`);
  await mt(0, "verify", `${copy}/checkpoints`);
  assertEquals((await verifyLog(`${copy}/orders`)).lastSequence <= begin, true);
  assertGreaterOrEqual(acked, begin);
});

testSection("Restore", async () => {
  using service = new Service();
  const copy = service.place("copy");
  await service.work(20);
  Deno.mkdirSync(copy);
  await run("cp", "-a", service.log, service.checkpoints, copy);
  const { lastSequence } = await verifyLog(`${copy}/orders`);
  const { acked } = await service.work(40);
  assert(acked > lastSequence);
  // Only the log: the checkpoints know more.
  Deno.removeSync(service.log, { recursive: true });
  await run("cp", "-a", `${copy}/orders`, service.walDir);
  await service.removeRing();
  assertMatch(await service.refusal(), /CorruptLogError: .*regressed/);
  Deno.removeSync(service.log, { recursive: true });
  Deno.removeSync(service.checkpoints, { recursive: true });
  await run("cp", "-a", `${copy}/orders`, service.walDir);
  await run("cp", "-a", `${copy}/checkpoints`, service.disk);
  await service.removeRing();
  assertEquals((await service.work(1)).begin, lastSequence);
});

testSection("Moving", async () => {
  using service = new Service();
  const { acked } = await service.work(20);
  const old = service.log;
  service.walDir = service.place("new");
  Deno.mkdirSync(service.walDir, { mode: 0o700 });
  await run("mv", old, service.log);
  assertMatch(await service.refusal(), /LayoutMismatchError.*expected walDir .*remove the channel/);
  await service.removeRing();
  const { begin } = await service.work(1);
  assertGreaterOrEqual(begin, acked);
  assertThrows(() => Deno.statSync(old), Deno.errors.NotFound);
});

/** Waits until a log has written down from where on consumers need it. Then it stands still. */
async function untilKept(logDirectory: string, needs: Record<string, number>): Promise<void> {
  await until("what they need is written down", () => {
    const { cursors } = currentSlot(decodeControl(Deno.readFileSync(`${logDirectory}/control`)))!;
    const kept = new Map(cursors.map(({ name, keep }) => [name, keep]));
    return Object.entries(needs).every(([name, keep]) => kept.get(name) === keep);
  });
}

testSection("Disk full", async () => {
  using directory = new TestDirectory();
  await using disk = await SmallDisk.create({ sizeBytes: 4 * 1024 * 1024 });
  const place = { directory: directory.path, walDir: `${disk.path}/wal` };
  {
    using channel = createChannel("full", { ...WAL_OPTIONS, ...place });
    const reader = openConsumer(channel, { name: "reader", onSlow: "spill" });
    reader.keep(1);
    using producer = openProducer(channel);
    disk.fill(0);
    let last = 0;
    for (let sequence = 0; sequence !== WAL_FULL; last = Math.max(last, sequence)) {
      sequence = producer.offer(new Uint8Array(1000));
    }
    assertMatch(await mt(0, "status", "--directory", directory.path), /^full .* full +\d/m);
    await untilKept(channel.logDirectory!, { reader: 1 });
    assertMatch(await mt(0, "inspect", `${channel.logDirectory}/control`), /^reader +1 +1$/m);
    disk.free();
    assertEquals(producer.write(new Uint8Array(1000), { timeoutMs: 60_000 }), last + 1);
    assertEquals(await producer.durable(last + 1), "disk");
    assertMatch(await mt(0, "status", "--directory", directory.path), /^full .* running +\d/m);
  }
  const retention = { maxBytes: 4 * SEGMENT_BYTES, whenFull: "cut" } as const;
  using capped = createChannel("capped", { ...WAL_OPTIONS, ...place, retention });
  const reader = openConsumer(capped, { name: "reader", onSlow: "spill" });
  reader.keep(1);
  using producer = openProducer(capped);
  while (capped.stats().log!.forcedCuts === 0) {
    producer.write(new Uint8Array(1000), { timeoutMs: 60_000 });
  }
  assertMatch(assertThrows(() => reader.poll(() => {}), SequenceGapError).message, /\d/);
}, await SmallDisk.obstacle());

testSection("A consumer is gone for good", async () => {
  using directory = new TestDirectory();
  const options = { ...WAL_OPTIONS, directory: directory.path, walDir: `${directory.path}/wal` };
  using channel = createChannel("orders", options);
  const reader = openConsumer(channel, { name: "reader", onSlow: "spill" });
  using producer = openProducer(channel);
  {
    using gone = openConsumer(channel, { name: "gone", onSlow: "spill" });
    gone.keep(1);
    const busy = await mt(1, "remove-consumer", "orders", "gone", "--directory", directory.path);
    assertMatch(busy, new RegExp(`found live process ${Deno.pid} `));
  }
  let last = 0;
  while (channel.stats().log!.segments < 5) {
    last = producer.write(new Uint8Array(1000), { timeoutMs: 60_000 });
  }
  while (reader.cursor < last) reader.pollWait(() => {}, { timeoutMs: 60_000 });
  reader.keep(last - 10);
  producer.waitDurable(last);
  assertMatch(await mt(0, "status", "--directory", directory.path), / gone .* detached /);
  await untilKept(channel.logDirectory!, { gone: 1, reader: last - 10 });
  assertMatch(await mt(0, "inspect", `${channel.logDirectory}/control`), /^gone +1 +1$/m);
  assertEquals(channel.stats().log!.oldest, 1);
  await mt(0, "remove-consumer", "orders", "gone", "--directory", directory.path);
  await until("the log is cut", () => channel.stats().log!.oldest > 1);
  assert(channel.stats().log!.oldest <= last - 10);
  const control = await mt(0, "inspect", `${channel.logDirectory}/control`);
  assertEquals(control.includes("gone"), false);
  using again = openConsumer(channel, { name: "gone", onSlow: "spill" });
  assertGreaterOrEqual(again.cursor + 1, channel.stats().log!.oldest);
});

testSection("A disk that fails", async () => {
  using directory = new TestDirectory();
  const { path } = directory;
  const options = { ...WAL_OPTIONS, directory: path, walDir: `${path}/wal` };
  // Behind those of opening, so that something is acknowledged.
  const faults = ["fdatasync:error=EIO:when=13"];
  const config = { channel: "fails", options, life: 1, seed: 1, goesOn: true, pauseMs: 1 };
  await using child = new Child("wal_writer", config, {
    directory: path,
    trace: { faults, calls: ["fdatasync"], log: `${path}/strace.log` },
  });
  const life = { id: 1, begin: Number(await child.expect("open")), acked: 0 };
  for (let failures = 0; failures < 3;) { // Of every later call as well.
    const [word, value, errno] = (await child.line() ?? "end").split(" ");
    assert(word === "failed" || word === "acked" && failures === 0, `${word} ${value}`);
    if (word === "acked") life.acked = Number(value);
    if (word === "failed") failures += Number(value === "DurabilityError" && errno === "5");
  }
  assert(life.acked > 0);
  assertMatch(await mt(0, "status", "--directory", path), /^fails .* failed +\d/m);
  child.kill();
  await child.ended();
  using channel = createChannel("fails", options); // The restart.
  const ledger = new WalLedger([life]);
  ledger.readOn(channel);
  assertGreaterOrEqual(ledger.last, life.acked + 1, "what waited was still in the ring");
}, await straceObstacle());

/** The script of a section of the document, as it stands there. */
function scriptOf(section: string): string {
  const text = DOCUMENT.slice(DOCUMENT.indexOf(`\n## ${section}\n`));
  const [, script] = /^ *```ts\n([^]*?)^ *```$/m.exec(text)!;
  return script!.replaceAll(/^ {3}/gm, "");
}

testSection("Corruption", async () => {
  const COUNT = 5_000;
  using log = new TestLog(COUNT);
  const newest = log.segments().at(-1)!;
  log.flip(newest, 4160 + 20); // In its first group.
  const before = log.copy();
  const error = assertThrows(() => createChannel("test", log.options), CorruptLogError);
  const { file, offset, expectedSequence, nextSequence } = error;
  assertEquals([file, offset, expectedSequence], [newest, 4160, log.firstOf(newest)]);
  assert(nextSequence > expectedSequence, "that of the next sound group");
  assertEquals(log.changedSince(before), []);
  assertMatch(await mt(1, "verify", log.directory), new RegExp(` ${expectedSequence}$`, "m"));
  const old = `${log.root}/old`;
  Deno.renameSync(log.directory, old);
  await mt(0, "remove", "test", "--directory", log.root);
  const script = `${log.root}/salvage.ts`;
  Deno.writeTextFileSync(script, scriptOf("Corruption"));
  const flags = ["--allow-ffi", "--allow-read", "--allow-write"];
  const args = ["run", "--no-prompt", "--config", `${ROOT}deno.json`, "--check", ...flags, script];
  const { code, stdout, stderr } = await runChild([...args, old, `${log.root}/wal`, "test"], {
    env: { XDG_RUNTIME_DIR: log.root },
  });
  assertEquals(code, 0, stderr);
  const lost = [{ from: expectedSequence, to: expectedSequence }];
  assertEquals(JSON.parse(stdout), { messages: COUNT - 1, lost, incomplete: [] });
  const kept = range(1, COUNT).filter((sequence) => sequence !== expectedSequence);
  assertEquals(log.texts(), kept.map(textOf));
  assertMatch(await mt(0, "verify", log.directory), /: whole$/m);
  assertEquals(salvageLog(old).messages, COUNT - 1, "the old one is what it was");
});

testSection("Corruption of checkpoints", async () => {
  using service = new Service();
  const { acked } = await service.work(20);
  Deno.writeFileSync(`${service.checkpoints}/a/data.mdb`, new Uint8Array(100_000).fill(7));
  await mt(1, "verify", service.checkpoints);
  const { begin } = await service.work(1);
  assertGreaterOrEqual(begin, acked);
  const found = await mt(0, "verify", service.checkpoints);
  const [, aside] = /^ +(.*\/a\.damaged-\d+) was set aside/m.exec(found)!;
  Deno.removeSync(aside!, { recursive: true });
  assert(!(await mt(0, "verify", service.checkpoints)).includes("set aside"));
});

testSection("Removing a channel", async () => {
  using service = new Service();
  await service.work(5);
  await service.removeRing();
  assertEquals([...readLog(service.log)].length > 0, true, "what is on the disk stays");
  Deno.removeSync(service.log, { recursive: true });
  Deno.removeSync(service.checkpoints, { recursive: true });
  assertEquals([...Deno.readDirSync(service.rings)], []);
  assertEquals((await service.work(1)).begin, 0);
});

Deno.test("Every section of docs/operations.md has a test", () => {
  const sections = [...DOCUMENT.matchAll(/^## (.+)$/gm)].map(([, name]) => name!);
  // In tests/alerts_test.ts, units_test.ts and users_test.ts.
  const elsewhere = ["Alerts", "Under systemd", "Users and groups"];
  assertEquals(sections.filter((name) => ![...tested, ...elsewhere].includes(name)), []);
  assertEquals(sections.length >= 8, true);
});

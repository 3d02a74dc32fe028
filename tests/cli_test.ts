// The command line tool: what all of its commands have in common, and those that look.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { createChannel, openChannel, openConsumer, openProducer } from "../mod.ts";
import { isReadable, openCounters, Watch } from "../lib/observability/mod.ts";
import { findingsOf } from "../scripts/cli/_findings.ts";
import { mtHere } from "./_cli.ts";
import { COUNTED, CountingChild } from "./_counters.ts";
import { DemoDirectory } from "./_demo.ts";
import { Logged, send } from "./_logged.ts";
import { encode, ROOT, runChild } from "./_support.ts";
import { runTask, TaskDirectory } from "./_task.ts";

Deno.test("mt status shows who takes part, how full a channel is, and who gates it", async () => {
  using directory = new TaskDirectory();
  const place = { directory: directory.path };
  using channel = createChannel("orders", { ...place, sizeBytes: 4096 });
  const producer = openProducer(channel, { name: "gateway" });
  const quick = openConsumer(channel, { name: "quick" });
  openConsumer(channel, { name: "slow" });
  openConsumer(channel, { onSlow: "drop" });
  openConsumer(channel, { name: "gone\x1b[2J" }).close();
  for (let count = 0; count < 3; count++) producer.offer(encode("a message"));
  quick.poll(() => {});

  const { code, stdout } = await mtHere("status", "--directory", directory.path);
  assertEquals(code, 0);
  assertStringIncludes(stdout, `Channels in ${directory.path}\n`);
  assertMatch(stdout, /^orders +4 KiB +4\.69 % +3 +0 +slow$/m);
  const rows = stdout.split("\n").map((row) => row.split(/ {2,}/));
  const rowOf = (name: string) => rows.find((row) => row[2] === name);
  const pid = `${Deno.pid}`;
  assertEquals(rowOf("gateway"), ["orders", "producer", "gateway", pid, "alive", "3", "–", "–"]);
  assertEquals(rowOf("quick")?.slice(4), ["alive", "3", "blocks", "0", "0"]);
  assertEquals(rowOf("slow")?.slice(4), ["stalled", "0", "blocks", "3", "0"]);
  assertEquals(rowOf("#2")?.slice(4, 7), ["stalled", "0", "drops"]);
  assertEquals(rowOf("gone\\u001b[2J")?.[4], "detached");
  assertMatch(stdout, /^orders: consumer "slow" \(process \d+\) is alive, 3 messages behind, and/m);
});

Deno.test("mt status names who gates, who is dead, and what is wrong with a log", async () => {
  using scratch = new Logged();
  const { directory } = scratch;
  const statusOf = async () => {
    const { stdout } = await mtHere("status", "--json", "--directory", directory);
    // deno-lint-ignore no-explicit-any -- what the tool prints, as its readers see it
    return JSON.parse(stdout).findings as any[];
  };
  using full = createChannel("full", { directory, sizeBytes: 4096 });
  openConsumer(full, { name: "slow" });
  const producer = openProducer(full);
  while (producer.offer(encode("a message")) > 0);
  createChannel("used", { directory, sizeBytes: 4096, producers: "many" }).close();
  const script = `${ROOT}tests/_channel_child.ts`;
  const child = ["run", "--allow-all", "--no-lock", script, "die", JSON.stringify({ directory })];
  assertEquals((await runChild(child)).signal, "SIGKILL");
  const found = (await statusOf()).map(({ channel, kind, peer }) => [channel, kind, peer]);
  assertEquals(found, [
    ["full", "gated", "slow"],
    ["full", "stalled", "slow"],
    ["used", "dead", "worker"],
    ["used", "dead", "worker"],
  ]);
  {
    using used = openChannel("used", { directory });
    const again = openProducer(used, { name: "worker" }); // In the dead one's place.
    for (let count = 0; count < 100; count++) again.write(encode("a message"));
    const [lost, ...others] = (await statusOf()).filter(({ kind }) => kind === "dead");
    assertEquals([lost.channel, lost.peer, others], ["used", "worker", []]);
    assertMatch(lost.found, /is dead: it has ended without closing, 100 messages behind$/);
    assertStringIncludes(lost.fix, `mt remove-consumer used worker --directory ${directory}`);
  }
  {
    using logged = scratch.create();
    const away = openConsumer(logged, { name: "away" });
    openConsumer(logged, { name: "reader", from: "earliest" });
    away.close();
    send(openProducer(logged), 3);
    const [forgotten] = (await statusOf()).filter(({ kind }) => kind === "forgotten");
    assertEquals([forgotten.channel, forgotten.peer], ["test", "away"]);
    assertStringIncludes(forgotten.found, "the log keeps 3 messages");
    assertStringIncludes(forgotten.fix, "mt remove-consumer test away");
  }
  const isLog = ({ kind }: { kind: string }) => kind.startsWith("log");
  assertEquals((await statusOf()).filter(isLog), []); // Closed and whole.
  using late = openChannel("test", { directory });
  openProducer(late).offer(encode("in the ring alone"));
  const [absent] = (await statusOf()).filter(isLog);
  assertEquals([absent.channel, absent.kind], ["test", "log-absent"]);
  assertMatch(absent.found, /^nobody writes the log; 1 messages are in the ring alone/);
  assertStringIncludes(absent.fix, `mt persist test --wal-dir ${directory}/wal`);
});

Deno.test("mt status shows services, and names those that died or cannot be read", async () => {
  using scratch = new TaskDirectory();
  const place = ["--directory", scratch.path];
  const child = await CountingChild.start(scratch.path, "gateway");
  await child.kill();
  using living = openCounters("engine", COUNTED, { directory: scratch.path });
  openCounters("journal", COUNTED, { directory: scratch.path }).close();
  scratch.write("spoilt.counters", "none");
  const { stdout } = await mtHere("status", ...place);
  assertMatch(stdout, /^No channels in /);
  assertMatch(stdout, new RegExp(`^${living.instance} +${Deno.pid} +alive +\\d{4}-.*Z +1$`, "m"));
  assertMatch(stdout, new RegExp(`^gateway +${child.pid} +dead +`, "m"));
  assertMatch(stdout, /^journal +\d+ +stopped +/m);
  assertMatch(stdout, /^spoilt +– +unreadable +– +–$/m);
  const { services, findings } = JSON.parse((await mtHere("status", "--json", ...place)).stdout);
  assertEquals(services.map(({ instance }: { instance: string }) => instance), [
    ...["engine", "gateway", "journal", "spoilt"],
  ]);
  const [dead, spoilt, ...others] = findings;
  assertEquals([dead.service, dead.channel, dead.kind, dead.pid], [
    ...["gateway", null, "dead", child.pid],
  ]);
  assertStringIncludes(dead.fix, `mt clean --directory ${scratch.path}`);
  assertEquals([spoilt.service, spoilt.kind, others], ["spoilt", "unreadable", []]);
});

Deno.test("findingsOf() says since when, as the history has it, whatever stands there", () => {
  using scratch = new Logged();
  scratch.create().close();
  const found = new Watch({ directory: scratch.directory }).look().channels[0]!;
  assert(isReadable(found) && found.log !== null);
  const entry = { kind: "log-full", name: "", pid: 7, sequence: 1, errno: 28 } as const;
  const findings = (timeMs: number, state: "full" | "failed") =>
    findingsOf([{ ...found, log: { ...found.log!, state }, history: [{ ...entry, timeMs }] }])
      .map(({ kind, sinceMs }) => [kind, sinceMs]);
  assertEquals(findings(1e12, "full"), [["log-full", 1e12]]);
  assertEquals(findings(1e12, "failed"), [["log-failed", null]]);
  for (const hostile of [NaN, Infinity, 1e300]) {
    assertEquals(findings(hostile, "full"), [["log-full", null]]);
  }
});

Deno.test("findingsOf() names who is furthest behind in a log that is full", () => {
  using scratch = new Logged();
  {
    using channel = scratch.create();
    const first = openConsumer(channel, { name: "first" });
    openConsumer(channel, { name: "last" });
    send(openProducer(channel), 3);
    first.poll(() => {});
  }
  const found = new Watch({ directory: scratch.directory }).look().channels[0]!;
  assert(isReadable(found) && found.log !== null);
  const [full] = findingsOf([{ ...found, log: { ...found.log, state: "full" } }]);
  assertEquals(full?.kind, "log-full");
  assertMatch(full!.fix, /furthest behind in it, which is consumer "last" \(process \d+\)$/);
});

Deno.test("mt status shows a damaged file with its error, which is not fatal", async () => {
  using directory = new TaskDirectory();
  using channel = createChannel("good", { directory: directory.path, sizeBytes: 8192 });
  openProducer(channel).offer(encode("a message"));
  const damaged = directory.write("damaged.ring", "no ring file");
  const { code, stdout } = await mtHere("status", "--json", "--directory", directory.path);
  assertEquals(code, 0);
  const [bad, good] = JSON.parse(stdout).channels;
  assertEquals([bad.name, bad.bufferFile], ["damaged", damaged]);
  assertStringIncludes(bad.error, "found 12 bytes");
  assertEquals([good.name, good.sizeBytes, good.messages, good.gatedBy], ["good", 8192, 1, null]);
  assertEquals([good.producers.length, good.consumers], [1, []]);
  const { stdout: text } = await mtHere("status", "--directory", directory.path);
  assertMatch(text, /^good +8 KiB /m);
  assertMatch(text, /^damaged: Cannot use .* found 12 bytes/m);
});

Deno.test("mt --json has names of others as they are, and steers no terminal by them", async () => {
  using directory = new TaskDirectory();
  const place = ["--directory", directory.path];
  using channel = createChannel("orders", { directory: directory.path, sizeBytes: 4096 });
  const name = "\x9b31mred\x7f\u202e";
  openConsumer(channel, { name });
  for (
    const args of [
      ["status", ...place],
      ["top", "--once", "--interval", "100", ...place],
      ["inspect", `${directory.path}/orders.ring`],
    ]
  ) {
    const { stdout } = await mtHere(...args, "--json");
    assertEquals(/[^\n\P{C}]/u.exec(stdout)?.[0], undefined, args[0]);
    const names: unknown[] = [];
    JSON.parse(stdout, (key, value) => {
      if (key === "name") names.push(value);
      return value;
    });
    assert(names.includes(name), args[0]);
  }
});

Deno.test("mt status says where it has looked when there are no channels", async () => {
  using directory = new TaskDirectory();
  for (const place of [directory.path, `${directory.path}/none`]) {
    const { code, stdout } = await mtHere("status", "--directory", place);
    assertEquals(code, 0);
    assertMatch(stdout, new RegExp(`^No channels in ${place}\n.*XDG_RUNTIME_DIR`, "s"));
  }
});

Deno.test("mt tells in a line why it cannot look at a directory", async () => {
  using directory = new TaskDirectory();
  const file = directory.write("file", "no directory");
  for (const command of [["status"], ["top", "--once"], ["clean"], ["metrics", "--once"]]) {
    const { code, stdout, stderr } = await mtHere(...command, "--directory", file);
    assertEquals([code, stdout], [1, ""], command[0]);
    assertMatch(stderr, /^error: Cannot list "[^\n]+\n$/, command[0]);
  }
});

Deno.test("mt remove removes a file, sound or not, and fails where there is none", async () => {
  using directory = new TaskDirectory();
  createChannel("good", { directory: directory.path, sizeBytes: 4096 }).close();
  directory.write("damaged.ring", "no ring file");
  const place = ["--directory", directory.path];
  assertEquals((await mtHere("remove", "good", ...place)).stdout, 'Removed channel "good"\n');
  assertEquals(
    (await mtHere("remove", "damaged", "--json", ...place)).stdout,
    '{"removed":"damaged"}\n',
  );
  assertEquals([...Deno.readDirSync(directory.path)], []);
  using channel = createChannel("used", { directory: directory.path, sizeBytes: 4096 });
  openConsumer(channel, { name: "reader" });
  assertEquals(
    (await mtHere("remove", "used", ...place)).stdout,
    `Removed channel "used", in use by process ${Deno.pid} (reader), who go on among ` +
      "themselves: end them\n",
  );
  const missing = await mtHere("remove", "good", ...place);
  assertEquals([missing.code, missing.stdout], [1, ""]);
  assertMatch(
    missing.stderr,
    /^error: Cannot remove ".*\/good\.ring": found no such file.*; "mt status" lists/,
  );
});

Deno.test("mt demo is the demo, with its options and exit statuses", async () => {
  using directory = new DemoDirectory();
  const trade = '{"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"10","q":"2","T":1,"m":true}';
  const feed = directory.write("feed.ndjson", `1723161253000000000 ${trade}\n`);
  const args = ["--feed", feed, "--json", "--quiet"];
  const { env } = directory;
  const byTool = await runTask("mt", ["demo", ...args], { env });
  const { tradedQuantity, top20Sha256 } = JSON.parse(byTool.stdout);
  assertEquals([byTool.code, tradedQuantity], [0, "2.00000000"]);
  assertEquals(JSON.parse((await directory.demo(args)).stdout).top20Sha256, top20Sha256);
  assertStringIncludes((await mtHere("demo", "--help")).stdout, "--pace <speed>");
  const wrong = await mtHere("demo", "--fast");
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.stderr, "Unknown option '--fast'");
});

Deno.test("each command of mt explains itself, and ends with 2 at wrong arguments", async () => {
  const { code, stdout } = await mtHere("--help");
  assertEquals(code, 0);
  const commands = [...stdout.matchAll(/^ {2}([a-z-]+)[ |].* {2}\S/gm)].map(([, name]) => name!);
  const ours = ["status", "tail", "clean", "verify", "inspect", "recover", "persist", "complete"];
  for (const name of ["demo", "bench", ...ours, "gateway", "fake-exchange"]) {
    assert(commands.includes(name), name);
  }
  // The benchmarks are a task of their own, and help has no options.
  for (const name of commands.filter((name) => name !== "bench" && name !== "help")) {
    const help = await mtHere(name, "--help");
    assertEquals([help.code, help.stderr], [0, ""], name);
    assertMatch(help.stdout, new RegExp(`^(Usage: mt ${name}\\b|Runs the pipeline)`), name);
    if (name !== "complete") assertStringIncludes(help.stdout, "--json", name);
    const wrong = await mtHere(name, "--fast");
    assertEquals([wrong.code, wrong.stdout], [2, ""], name);
    assertMatch(wrong.stderr, /^error: [^\n]+\n$/, name);
    assertStringIncludes(wrong.stderr, `(see "mt ${name} --help")`);
  }
  const version = await mtHere("--version");
  assertEquals([version.code, version.stdout], [0, `${config.version}\n`]);
});

Deno.test("mt says what is wrong in one line, and what would be right", async () => {
  const cases: [args: string[], said: string][] = [
    [["stauts"], "(Did you mean status?)"],
    [["status", "--jsn"], "(Did you mean --json?)"],
    [["status", "more"], "too many arguments"],
    [["remove"], "missing required argument 'name'"],
    [["remove", "a/b"], 'Cannot use "a/b" as the name of a channel'],
    [["complete", "tcsh"], "zsh, bash, fish"],
  ];
  for (const [args, said] of cases) {
    const { code, stdout, stderr } = await mtHere(...args);
    assertEquals([code, stdout], [2, ""], args.join(" "));
    assertMatch(stderr, /^error: [^\n]+ \(see "mt.* --help"\)\n$/);
    assertStringIncludes(stderr, said);
  }
  const { code, stderr } = await mtHere();
  assertEquals(code, 2);
  assertStringIncludes(stderr, "Usage: mt");
});

Deno.test("the task of mt has the permissions that it needs, also with --", async () => {
  using directory = new TaskDirectory();
  createChannel("orders", { directory: directory.path, sizeBytes: 4096 }).close();
  const args = ["--", "status", "--json", "--directory", directory.path];
  const { code, stdout, stderr } = await runTask("mt", args);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(JSON.parse(stdout).channels[0].name, "orders");
});

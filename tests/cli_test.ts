// The command line tool, run with the permissions of its task.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { createChannel, openConsumer, openProducer } from "../mod.ts";
import { encode } from "./_support.ts";
import { DemoDirectory } from "./_demo.ts";
import { runTask, TaskDirectory } from "./_task.ts";

async function mt(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return await runTask("mt", args);
}

Deno.test("mt status shows who takes part, how full a channel is, and who gates it", async () => {
  using directory = new TaskDirectory();
  const place = { directory: directory.path };
  using channel = createChannel("orders", { ...place, sizeBytes: 4096 });
  const producer = openProducer(channel, { name: "gateway" });
  const quick = openConsumer(channel, { name: "quick" });
  openConsumer(channel, { name: "slow" });
  openConsumer(channel, { onSlow: "drop" });
  openConsumer(channel, { name: "gone" }).close();
  for (let count = 0; count < 3; count++) producer.offer(encode("a message"));
  quick.poll(() => {}, 2);

  const { code, stdout } = await mt("status", "--directory", directory.path);
  assertEquals(code, 0);
  assertMatch(stdout, /^orders +4 KiB +4\.69 % +3 +slow$/m);
  const rows = stdout.split("\n").map((row) => row.split(/ {2,}/));
  const rowOf = (name: string) => rows.find((row) => row[2] === name);
  const pid = `${Deno.pid}`;
  assertEquals(rowOf("gateway"), ["orders", "producer", "gateway", pid, "alive", "3", "–", "–"]);
  assertEquals(rowOf("quick")?.slice(4), ["alive", "2", "blocks", "1", "0"]);
  assertEquals(rowOf("slow")?.slice(4), ["alive", "0", "blocks", "3", "0"]);
  assertEquals(rowOf("#2")?.slice(4, 7), ["alive", "0", "drops"]);
  assertEquals(rowOf("gone")?.[4], "detached");
});

Deno.test("mt status shows a damaged file with its error, which is not fatal", async () => {
  using directory = new TaskDirectory();
  using channel = createChannel("good", { directory: directory.path, sizeBytes: 8192 });
  openProducer(channel).offer(encode("a message"));
  const damaged = directory.write("damaged.ring", "no ring file");
  const { code, stdout } = await mt("status", "--json", "--directory", directory.path);
  assertEquals(code, 0);
  const [bad, good] = JSON.parse(stdout).channels;
  assertEquals([bad.name, bad.bufferFile], ["damaged", damaged]);
  assertStringIncludes(bad.error, "found 12 bytes");
  assertEquals([good.name, good.sizeBytes, good.messages, good.gatedBy], ["good", 8192, 1, null]);
  assertEquals([good.producers.length, good.consumers], [1, []]);
  const { stdout: text } = await mt("status", "--directory", directory.path);
  assertMatch(text, /^good +8 KiB /m);
  assertMatch(text, /^damaged: Cannot use .* found 12 bytes/m);
});

Deno.test("mt status says so when there are no channels", async () => {
  using directory = new TaskDirectory();
  for (const place of [directory.path, `${directory.path}/none`]) {
    const { code, stdout } = await mt("status", "--directory", place);
    assertEquals([code, stdout], [0, "No channels\n"]);
  }
});

Deno.test("mt remove removes a file, sound or not, and fails where there is none", async () => {
  using directory = new TaskDirectory();
  createChannel("good", { directory: directory.path, sizeBytes: 4096 }).close();
  directory.write("damaged.ring", "no ring file");
  const place = ["--directory", directory.path];
  assertEquals((await mt("remove", "good", ...place)).stdout, 'Removed channel "good"\n');
  assertEquals(
    (await mt("remove", "damaged", "--json", ...place)).stdout,
    '{"removed":"damaged"}\n',
  );
  assertEquals([...Deno.readDirSync(directory.path)], []);
  const missing = await mt("remove", "good", ...place);
  assertEquals([missing.code, missing.stdout], [1, ""]);
  assertMatch(missing.stderr, /^error: Cannot remove ".*\/good\.ring": found no such file/);
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
  assertStringIncludes((await mt("demo", "--help")).stdout, "--pace <speed>");
  const wrong = await mt("demo", "--fast");
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.stderr, "Unknown option '--fast'");
});

Deno.test("mt explains itself, and each command", async () => {
  const { code, stdout } = await mt("--help");
  assertEquals(code, 0);
  const looking = ["status", "remove", "verify", "inspect", "recover", "persist"];
  const services = ["gateway", "matching-engine", "market-data", "persister", "load-generator"];
  for (const command of ["demo", "bench", ...looking, ...services]) {
    assertMatch(stdout, new RegExp(`^  ${command}[ |]`, "m"));
  }
  for (const command of looking) {
    const help = await mt(command, "--help");
    assertEquals(help.code, 0);
    assertStringIncludes(help.stdout, `Usage: mt ${command}`);
    assertStringIncludes(help.stdout, "--json");
  }
  assertEquals((await mt("--version")).stdout, `${config.version}\n`);
});

Deno.test("mt refuses wrong arguments with status 2", async () => {
  const cases: [args: string[], said: string][] = [
    [[], "Usage: mt"],
    [["stauts"], "Did you mean status?"],
    [["status", "--fast"], "unknown option '--fast'"],
    [["status", "more"], "too many arguments"],
    [["remove"], "missing required argument 'name'"],
    [["remove", "a/b"], 'Cannot use "a/b" as the name of a channel'],
  ];
  for (const [args, said] of cases) {
    const { code, stdout, stderr } = await mt(...args);
    assertEquals([code, stdout], [2, ""], args.join(" "));
    assertStringIncludes(stderr, said);
  }
});

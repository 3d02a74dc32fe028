// `mt` in a shell: completion under a real bash, colours on a terminal, installed by Deno.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { createChannel, openConsumer } from "../mod.ts";
import { mtHere } from "./_cli.ts";
import { TestLog } from "./_log.ts";
import { ROOT } from "./_support.ts";
import { taskArguments, TaskDirectory } from "./_task.ts";

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

async function bash(script: string, env: Record<string, string> = {}): Promise<Ended> {
  const command = new Deno.Command("bash", { args: ["-c", script], cwd: ROOT, env });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

const MT = [Deno.execPath(), ...taskArguments("mt")].map((word) => `'${word}'`).join(" ");

Deno.test("mt complete completes under bash, and lets nobody's names be commands", async () => {
  using directory = new TaskDirectory();
  const place = { directory: directory.path };
  using orders = createChannel("orders", { ...place, sizeBytes: 4096 });
  createChannel("events", { ...place, sizeBytes: 4096 }).close();
  const trap = `${directory.path}/trap`;
  for (const name of ["book", `$(touch\t${trap})`, "`id`"]) openConsumer(orders, { name }).close();
  const there = `--directory ${directory.path}`;
  const cases: [words: string, completed: string[]][] = [
    ["mt ta", ["tail"]],
    ["mt status --j", ["--json"]],
    [`mt tail ${there} o`, ["orders"]],
    [`mt tail ${there} ''`, ["events", "orders"]],
    [`mt remove-consumer ${there} orders ''`, ["book"]],
    ["mt layouts or", ["orderBookDelta", "orderBookSnapshot", "orderRequest"]],
    ["mt tail --layout t", ["trade"]],
    ["mt gateway --wal", ["--wal-dir"]],
    ["mt persist --sync g", ["group"]],
    [`mt verify ${directory.path}/ord`, [`${directory.path}/orders.ring`]],
  ];
  const asked = cases.map(([words]) =>
    `COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMPREPLY=(); ` +
    `__mt_complete; echo "\${COMPREPLY[*]}"`
  );
  const script = `mt() { ${MT} "$@"; }; compopt() { :; }
source <(mt complete bash)
complete -p mt
${asked.join("\n")}`;
  const { stdout, stderr } = await bash(script);
  const [registered, ...lines] = stdout.trimEnd().split("\n");
  assertEquals([registered, stderr], ["complete -F __mt_complete mt", ""]);
  const found = lines.map((line) => line.split(" ").sort());
  assertEquals(found, cases.map(([, completed]) => completed));
  assert(![...Deno.readDirSync(directory.path)].some(({ name }) => name === "trap"));
  for (const shell of ["zsh", "fish"]) {
    assertStringIncludes((await mtHere("complete", shell)).stdout, "mt complete --");
  }
});

Deno.test("mt has colours on a terminal, and none with NO_COLOR", async () => {
  using directory = new TaskDirectory();
  createChannel("orders", { directory: directory.path, sizeBytes: 4096 }).close();
  const onTerminal = async (env: string) => {
    const command = `env ${env} ${MT} status --directory ${directory.path}`.replaceAll("'", "");
    const { code, stdout } = await bash(`script -qec "${command}" /dev/null < /dev/null`);
    assertEquals(code, 0);
    assertStringIncludes(stdout, "Channel");
    return stdout.includes("\x1b[1m");
  };
  assertEquals(await onTerminal("-u NO_COLOR"), true);
  assertEquals(await onTerminal("NO_COLOR=1"), false);
});

Deno.test("mt verify tells progress on stderr as lines where it is asked to", async () => {
  using log = new TestLog(2000);
  const quiet = await mtHere("verify", log.directory, "--json");
  const told = await mtHere("verify", log.directory, "--json", "--progress");
  assertEquals([told.code, told.stdout, quiet.stderr], [0, quiet.stdout, ""]);
  assertStringIncludes(told.stderr, `${log.directory}: 100.00 % of `);
});

Deno.test("mt installed as docs/mt.md says works from any directory", async () => {
  using directory = new TaskDirectory();
  const root = `${directory.path}/root`;
  const documented = /^deno install --global .*$/m.exec(
    await Deno.readTextFile(`${ROOT}docs/mt.md`),
  )![0];
  const install = documented.replaceAll(/(^|\()deno /g, `$1${Deno.execPath()} `)
    .replace("--global", `--global --root ${root}`);
  const installed = await bash(install);
  assertEquals(installed.code, 0, installed.stderr);
  createChannel("orders", { directory: directory.path, sizeBytes: 4096 }).close();
  const { code, stdout, stderr } = await bash(
    `cd ${directory.path} && ./root/bin/mt --version && ./root/bin/mt status --json --directory .`,
  );
  assertEquals([code, stderr], [0, ""]);
  const [version, status] = stdout.trimEnd().split("\n");
  assertEquals(version, config.version);
  assertEquals(JSON.parse(status!).channels[0].name, "orders");
});

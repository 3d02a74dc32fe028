/**
 * The gate: `deno task ok`. Everything that is checked besides the tests of `deno task test`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { formatSeconds, run, runScript, ScriptError } from "./_command.ts";
import { runDenoTests } from "./_deno_tests.ts";
import { buildLibrary, ROOT, runZigTests, zigExe } from "./_zig.ts";

const HELP = `Runs every check that a commit must pass, and stops at the first that fails.

Usage: deno task ok [--json]

  --json  print one JSON object: { "ok", "steps": [ { "name", "ok", "seconds", "output" } ] }
  --help  print this text

The TypeScript tests are "deno task test". Exit status: 0 all is well, 1 a check failed, 2 wrong
arguments.`;

/** What a check found: `output` explains a failure. */
interface Verdict {
  ok: boolean;
  output: string;
}

interface Step {
  name: string;
  check: () => Promise<Verdict>;
}

// Cheap checks first, so that a slip is reported within seconds.
const STEPS: Step[] = [
  { name: "fmt", check: () => deno(["fmt", "--check"]) },
  { name: "zig fmt", check: zigFmt },
  { name: "lint", check: () => deno(["lint"]) },
  { name: "types", check: () => deno(["check"]) },
  { name: "tidy", check: () => deno(["task", "tidy"]) },
  { name: "gen --check", check: () => deno(["task", "gen", "--check"]) },
  { name: "zig test Debug", check: () => zigTest("Debug") },
  { name: "zig test ReleaseSafe", check: () => zigTest("ReleaseSafe") },
  { name: "build", check: build },
  { name: "test --doc", check: docTest },
  { name: "bench smoke", check: () => deno(["task", "bench", "smoke"]) },
];

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const steps: (Verdict & { name: string; seconds: number })[] = [];
  for (const { name, check } of STEPS) {
    const start = performance.now();
    const verdict = await check().catch(verdictOf);
    const seconds = (performance.now() - start) / 1000;
    steps.push({ name, ...verdict, seconds });
    if (!values.json) report(name, verdict, seconds);
    if (!verdict.ok) break;
  }
  const ok = steps.every((step) => step.ok);
  if (values.json) console.log(JSON.stringify({ ok, steps }));
  return ok ? 0 : 1;
}

function report(name: string, { ok, output }: Verdict, seconds: number): void {
  console.log(`${ok ? "ok  " : "FAIL"}  ${name.padEnd(22)}${formatSeconds(seconds).padStart(8)}`);
  if (!ok) console.log(output.trimEnd());
}

/** Turns a check that could not run into one that failed. Defects go on. */
function verdictOf(error: unknown): Verdict {
  if (!(error instanceof ScriptError)) throw error;
  return { ok: false, output: error.message };
}

async function deno(args: string[]): Promise<Verdict> {
  const { code, stdout, stderr } = await run(Deno.execPath(), args, { cwd: ROOT });
  return { ok: code === 0, output: stdout + stderr };
}

async function zigFmt(): Promise<Verdict> {
  const args = ["fmt", "--check", "--exclude", "zig/node_modules", "build.zig", "zig"];
  const { code, stdout, stderr } = await run(await zigExe(), args, { cwd: ROOT });
  return { ok: code === 0, output: `${stdout}${stderr}run "zig fmt" on these files` };
}

async function zigTest(optimize: "Debug" | "ReleaseSafe"): Promise<Verdict> {
  const { failed, output } = await runZigTests(optimize);
  return { ok: failed === 0, output };
}

async function build(): Promise<Verdict> {
  await buildLibrary();
  return { ok: true, output: "" };
}

/** Runs the examples in the doc comments of the library. */
async function docTest(): Promise<Verdict> {
  const args = ["--doc", "--preload=testing/load_library.ts", "mod.ts", "lib/"];
  const { code, stdout, stderr } = await runDenoTests(args);
  return { ok: code === 0, output: stdout + stderr };
}

if (import.meta.main) await runScript("ok", main);

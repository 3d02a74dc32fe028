/**
 * Writes what is made of the definitions of metrics: `deno task gen:metrics`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { run, runScript, ScriptError } from "./_command.ts";
import { makeDashboard } from "./metrics/_dashboard.ts";
import { withTables } from "./metrics/_tables.ts";
import { ROOT } from "./_zig.ts";

const HELP = `Writes deploy/grafana/dashboard.json, and the tables of docs/metrics.md.

Usage: deno task gen:metrics [options]

  --check  write nothing; fail when a file is not what would be written
  --help   print this text

Exit status: 0 written or up to date, 1 failed or stale, 2 wrong arguments.`;

/** What is written, out of what is there. */
const FILES = [
  { path: "deploy/grafana/dashboard.json", make: makeDashboard },
  { path: "docs/metrics.md", make: withTables },
];

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      check: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  let stale = 0;
  for (const { path, make } of FILES) {
    const found = await readIfThere(path);
    const wanted = await format(make(found), path.slice(path.lastIndexOf(".") + 1));
    if (wanted === found) continue;
    stale++;
    if (values.check) console.error(`error: "${path}" is stale: run "deno task gen:metrics"`);
    else await Deno.writeTextFile(`${ROOT}${path}`, wanted);
  }
  return values.check && stale > 0 ? 1 : 0;
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(`${ROOT}${path}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

async function format(text: string, extension: string): Promise<string> {
  const args = ["fmt", "--ext", extension, "-"];
  const { code, stdout, stderr } = await run(Deno.execPath(), args, { cwd: ROOT, input: text });
  if (code === 0) return stdout;
  throw new ScriptError(`Cannot format what was made: found\n${stderr}`);
}

if (import.meta.main) await runScript("gen:metrics", main);

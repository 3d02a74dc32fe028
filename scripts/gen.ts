/**
 * Generates the TypeScript side of the border from the Zig structs and exports: `deno task gen`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { run, runScript, ScriptError } from "./_command.ts";
import { ROOT, zigExe } from "./_zig.ts";

const HELP =
  `Writes lib/native/_layout.ts, _symbols.ts and _messages.ts from the structs and exports of zig/.

Usage: deno task gen [options]

  --check  write nothing; fail when a file is not what would be written
  --help   print this text

Exit status: 0 written or up to date, 1 failed or stale, 2 wrong arguments.`;

/** What `zig build gen` prints by that name goes into that file. */
const FILES = [
  { name: "layout", path: "lib/native/_layout.ts" },
  { name: "symbols", path: "lib/native/_symbols.ts" },
  { name: "messages", path: "lib/native/_messages.ts" },
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
  const zig = await zigExe();
  const files = await Promise.all(FILES.map(async ({ name, path }) => {
    const [wanted, found] = await Promise.all([generate(zig, name), readIfThere(path)]);
    return { path, wanted, isFresh: wanted === found };
  }));
  const stale = files.filter(({ isFresh }) => !isFresh);
  for (const { path, wanted } of stale) {
    if (values.check) console.error(`error: "${path}" is stale: run "deno task gen"`);
    else await write(path, wanted);
  }
  return values.check && stale.length > 0 ? 1 : 0;
}

async function generate(zig: string, name: string): Promise<string> {
  const { code, stdout, stderr } = await run(zig, ["build", "gen", "--", name], { cwd: ROOT });
  if (code === 0) return await format(stdout);
  throw new ScriptError(`Cannot generate the ${name}: zig ended with ${code}\n${stderr}`);
}

async function format(source: string): Promise<string> {
  const args = ["fmt", "--ext", "ts", "-"];
  const { code, stdout, stderr } = await run(Deno.execPath(), args, { cwd: ROOT, input: source });
  if (code === 0) return stdout;
  throw new ScriptError(`Cannot format what Zig has generated: found\n${stderr}`);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(`${ROOT}${path}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Writes a file whole or not at all: others may be importing it. */
async function write(path: string, text: string): Promise<void> {
  const temporary = `${ROOT}${path}.new`;
  await Deno.writeTextFile(temporary, text);
  await Deno.rename(temporary, `${ROOT}${path}`);
  console.error(`Wrote ${path}`);
}

if (import.meta.main) await runScript("gen", main);

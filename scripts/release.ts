/**
 * Builds what is published: `deno task release`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { run, runScript, ScriptError } from "./_command.ts";
import { fileOf, RELEASE_LIST, releaseList, type TargetLibrary, writeDist } from "./_dist.ts";
import { buildLibrary, ROOT } from "./_zig.ts";

const HELP = `Builds the libraries of all machines and writes dist/, ready for any static server.

Usage: deno task release [options]

  --check  write nothing; tell whether the libraries have the committed sizes and hashes
  --json   print one JSON object: { "directory", "libraries": [ { "target", "path" } ] }
  --help   print this text

Rewrites lib/native/_release.ts, the committed list of sizes and hashes. A checkout does not use
that list: it may be stale between releases. Commit it with the release.
Exit status: 0 done or in agreement, 1 failed or stale, 2 wrong arguments.`;

/** The machines that are released for; building them elsewhere needs nothing but Zig. */
const TARGETS = ["x86_64-linux-gnu", "aarch64-linux-gnu"];

// Of 2018, in Debian 10 and RHEL 8; Deno 2.9 itself asks for 2.27.
const GLIBC = "2.28";

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      check: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const libraries: TargetLibrary[] = [];
  for (const target of TARGETS) {
    const { path } = await buildLibrary({ target: `${target}.${GLIBC}`, force: true });
    libraries.push({ target, path });
  }
  if (values.check) return await check(libraries);
  const directory = `${ROOT}dist`;
  await Deno.remove(directory, { recursive: true }).catch((error: unknown) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  const list = await writeDist(directory, libraries);
  await tryDist(directory);
  await Deno.writeTextFile(`${ROOT}${RELEASE_LIST}`, list);
  if (values.json) console.log(JSON.stringify({ directory, libraries }));
  else console.error(`Wrote ${directory}`);
  return 0;
}

async function check(libraries: TargetLibrary[]): Promise<number> {
  if (await Deno.readTextFile(`${ROOT}${RELEASE_LIST}`) === await releaseList(libraries)) return 0;
  console.error(`error: "${RELEASE_LIST}" is stale: run "deno task release"`);
  return 1;
}

/** Loads this machine's library by the released modules, which compare their fingerprints. */
async function tryDist(directory: string): Promise<void> {
  const target = TARGETS.find((name) => name.startsWith(`${Deno.build.arch}-`));
  if (target === undefined || Deno.build.os !== "linux") return;
  const library = `${directory}/native/${fileOf(target)}`;
  const code = `import { monotonicNs } from "file://${directory}/mod.ts"; monotonicNs();`;
  const env = { MT_LIB: library };
  const tried = await run(Deno.execPath(), ["eval", "--no-config", code], { env });
  if (tried.code !== 0) throw new ScriptError(`Cannot use "${library}":\n${tried.stderr}`);
}

if (import.meta.main) await runScript("release", main);

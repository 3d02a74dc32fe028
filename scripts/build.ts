/**
 * Builds the native library: `deno task build`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { runScript } from "./_command.ts";
import { buildLibrary } from "./_zig.ts";

const HELP = `Builds the native library where a Zig source is newer than it.

Usage: deno task build [options]

  --force            build although nothing has changed
  --fault-points     build the variant that fault tests use, into zig-out/faults
  --target <triple>  build for another machine (aarch64-linux-gnu.2.28), into zig-out/<triple>
  --verbose          show what Zig prints although it succeeds
  --json             print one JSON object: { "path", "built", "seconds" }
  --help             print this text

Zig 0.16 is taken from $ZIG, from zig/node_modules or from PATH; where it or LMDB's sources are
missing, npm installs both into zig/node_modules.
Exit status: 0 up to date, 1 failed, 2 wrong arguments.`;

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      "force": { type: "boolean", default: false },
      "fault-points": { type: "boolean", default: false },
      "target": { type: "string" },
      "verbose": { type: "boolean", default: false },
      "json": { type: "boolean", default: false },
      "help": { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const library = await buildLibrary({
    faultPoints: values["fault-points"],
    force: values.force,
    target: values.target,
    verbose: values.verbose,
  });
  if (values.json) console.log(JSON.stringify(library));
  else if (!library.built) console.error(`${library.path} is up to date`);
  return 0;
}

if (import.meta.main) await runScript("build", main);

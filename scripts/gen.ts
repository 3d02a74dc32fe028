/**
 * Generates the TypeScript side of the border from the Zig structs and exports: `deno task gen`.
 *
 * @module
 */

import { run, ScriptError } from "./_command.ts";
import { runGenerator } from "./_generated_files.ts";
import { ROOT, zigExe } from "./_zig.ts";

/** What `zig build gen` prints by that name goes into `lib/native/_<name>.ts`. */
const NAMES = ["layout", "symbols", "messages"];

async function print(name: string): Promise<string> {
  const args = ["build", "gen", "--", name];
  const { code, stdout, stderr } = await run(await zigExe(), args, { cwd: ROOT });
  if (code === 0) return stdout;
  throw new ScriptError(`Cannot generate the ${name}: zig ended with ${code}\n${stderr}`);
}

if (import.meta.main) {
  const files = NAMES.map((name) => ({
    path: `lib/native/_${name}.ts`,
    make: () => print(name),
  }));
  const what = "lib/native/_layout.ts, _symbols.ts and _messages.ts from zig/";
  await runGenerator("gen", what, files);
}

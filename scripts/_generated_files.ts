/**
 * What the scripts share that write files of the tree: `deno task gen` and the like.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { run, runScript, ScriptError } from "./_command.ts";
import { ROOT } from "./_zig.ts";

/** A file that is made. */
export interface GeneratedFile {
  /** From the root. */
  path: string;
  /** Returns its text, given what is there: "" where nothing is. */
  make(found: string): string | Promise<string>;
}

/**
 * Runs a task that writes files: none where one cannot be made, and each as Deno formats its kind.
 * Does not return.
 */
export async function runGenerator(
  task: string,
  what: string,
  files: readonly GeneratedFile[],
): Promise<never> {
  return await runScript(task, async (args) => {
    const { values } = parseArgs({
      args,
      options: {
        check: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      console.log(helpOf(task, what));
      return 0;
    }
    const made = await Promise.all(files.map(async ({ path, make }) => {
      const found = await readIfThere(path);
      return { path, found, wanted: await format(await make(found), path) };
    }));
    const stale = made.filter(({ found, wanted }) => found !== wanted);
    for (const { path, wanted } of stale) {
      if (values.check) console.error(`error: "${path}" is stale: run "deno task ${task}"`);
      else await write(path, wanted);
    }
    return values.check && stale.length > 0 ? 1 : 0;
  });
}

function helpOf(task: string, what: string): string {
  return `Writes ${what}.

Usage: deno task ${task} [options]

  --check  write nothing; fail when a file is not what would be written
  --help   print this text

Exit status: 0 written or up to date, 1 failed or stale, 2 wrong arguments.`;
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(`${ROOT}${path}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

async function format(text: string, path: string): Promise<string> {
  const extension = /\.(?:ts|json|md)$/.exec(path)?.[0];
  if (extension === undefined) return text;
  const args = ["fmt", "--ext", extension.slice(1), "-"];
  const { code, stdout, stderr } = await run(Deno.execPath(), args, { cwd: ROOT, input: text });
  if (code === 0) return stdout;
  throw new ScriptError(`Cannot format what was made for "${path}": found\n${stderr}`);
}

/** Writes a file whole or not at all: others may be importing it. */
async function write(path: string, text: string): Promise<void> {
  const temporary = `${ROOT}${path}.new`;
  await Deno.writeTextFile(temporary, text);
  await Deno.rename(temporary, `${ROOT}${path}`);
  console.error(`Wrote ${path}`);
}

/**
 * Checks the rules of the tree: `deno task tidy`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { runScript } from "./_command.ts";
import { type Finding, readTree } from "./_source_file.ts";
import { checkFile } from "./_tidy_files.ts";
import { checkImports } from "./_tidy_imports.ts";
import { ROOT } from "./_zig.ts";

const HELP = `Checks the rules of the tree that neither the formatter nor the linter knows.

Usage: deno task tidy [options] [folder]

  --json  print one JSON object: { "findings": [ { "path", "line", "text" } ] }
  --help  print this text

Prints one line for each finding, "path:line: what, and the mend". The rules and their reasons are
in docs/style.md. Exit status: 0 nothing found, 1 something found, 2 wrong arguments.`;

/** Returns what in a tree breaks a rule, sorted by path and line. */
export async function tidy(root: string): Promise<Finding[]> {
  const files = await readTree(root);
  const findings = [...files.flatMap(checkFile), ...checkImports(files)];
  return findings.sort((a, b) => a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1);
}

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const findings = await tidy(positionals[0] ?? ROOT);
  if (values.json) console.log(JSON.stringify({ findings }));
  else for (const { path, line, text } of findings) console.log(`${path}:${line}: ${text}`);
  return findings.length === 0 ? 0 : 1;
}

if (import.meta.main) await runScript("tidy", main);

/**
 * The folder to put on a static server, so that `mod.ts` can be imported by URL.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { run, ScriptError } from "./_command.ts";
import { ROOT } from "./_zig.ts";

/** Path of the generated list of libraries, from the root of the checkout and of a release. */
export const RELEASE_LIST = "lib/native/_release.ts";

// The licence asks that it goes along with every copy.
const NOTICES = ["LICENSE", "NOTICE"];

/** A library that was built, by the machine that it is for, such as `x86_64-linux-gnu`. */
export interface TargetLibrary {
  target: string;
  path: string;
}

/**
 * Writes a release into a new folder: the modules that `mod.ts` reaches, the list of libraries, and
 * the libraries themselves in `native/`.
 *
 * @returns The text of the list.
 * @throws {ScriptError} If the modules cannot be resolved without an import map.
 */
export async function writeDist(directory: string, libraries: TargetLibrary[]): Promise<string> {
  for (const path of [...await moduleGraph(), ...NOTICES]) {
    const copy = `${directory}/${path}`;
    await Deno.mkdir(copy.slice(0, copy.lastIndexOf("/")), { recursive: true });
    await Deno.writeFile(copy, await Deno.readFile(`${ROOT}${path}`));
  }
  await Deno.mkdir(`${directory}/native`);
  for (const { target, path } of libraries) {
    await Deno.writeFile(`${directory}/native/${fileOf(target)}`, await Deno.readFile(path));
  }
  const list = await releaseList(libraries);
  await Deno.writeTextFile(`${directory}/${RELEASE_LIST}`, list);
  return list;
}

/** Returns the text of `_release.ts` for these libraries. */
export async function releaseList(libraries: TargetLibrary[]): Promise<string> {
  const { version } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const entries = await Promise.all(libraries.map(async ({ target, path }) => {
    const bytes = await Deno.readFile(path);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return `  "${target}": {
    file: "${fileOf(target)}",
    bytes: ${bytes.length},
    sha256: "${sha256}",
  },
`;
  }));
  return `// Generated from the built libraries by "deno task release". Do not edit.

export const VERSION = "${version}";

/** The released native libraries, by the machine that they are for. */
export const LIBRARIES: Record<string, { file: string; bytes: number; sha256: string }> = {
${entries.join("")}};
`;
}

/** Returns the name that a library has in a release. */
export function fileOf(target: string): string {
  return `libmessage_transport-${target}.so`;
}

/** Returns the paths of the modules that `mod.ts` reaches, itself among them. */
async function moduleGraph(): Promise<string[]> {
  // Without the configuration, as for whoever imports it by URL.
  const { code, stdout, stderr } = await run(
    Deno.execPath(),
    ["info", "--json", "--no-config", "--no-lock", "mod.ts"],
    { cwd: ROOT },
  );
  if (code !== 0) throw new ScriptError(`Cannot list the modules of mod.ts: ${stderr}`);
  const { modules } = JSON.parse(stdout) as { modules: { specifier: string; error?: string }[] };
  const root = new URL("..", import.meta.url).href;
  return modules.filter(({ specifier }) => !specifier.startsWith("node:")).map(
    ({ specifier, error }) => {
      if (error === undefined && specifier.startsWith(root)) {
        return decodeURIComponent(specifier.slice(root.length));
      }
      throw new ScriptError(`Cannot release mod.ts: found ${specifier} in its graph, ${error}`);
    },
  );
}

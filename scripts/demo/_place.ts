/**
 * Where a run of the demo keeps its things, and their removal in any case.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { findLibrary } from "../../lib/native/binary.ts";
import { ScriptError } from "../_command.ts";
import { allow } from "../services/_permissions.ts";
import type { CleanerTask } from "./cleaner.ts";

/**
 * A directory of one run, and names of channels that no other run has: rings lie in the default
 * directory, which is memory. Both go with the scope, or with this process if it is killed.
 */
export class RunPlace implements AsyncDisposable {
  /** Below the directory of temporary files; that of `wal` and `state` is in it. */
  readonly directory: string = Deno.makeTempDirSync({ prefix: "mt-demo-" });
  /** Where the names of the run's channels begin. */
  readonly channelPrefix: string = `demo-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}.`;
  /** What every process of the run keeps locked. */
  readonly lockFile: string = `${this.directory}/alive`;
  readonly #cleaner: Deno.ChildProcess;

  /** Makes it. */
  constructor() {
    const { directory, lockFile, channelPrefix } = this;
    const task: CleanerTask = { directory, lockFile, channelPrefix };
    const script = fileURLToPath(new URL("cleaner.ts", import.meta.url));
    const permissions = [
      ...allow("ffi", [findLibrary()]),
      ...allow("read", [directory]),
      ...allow("write", [directory]),
    ];
    this.#cleaner = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-config", ...permissions, script, JSON.stringify(task)],
      stdin: "piped",
      stderr: "inherit",
      detached: true, // Ctrl-C is not for it.
    }).spawn();
    Deno.writeTextFileSync(lockFile, "");
    Deno.mkdirSync(`${directory}/wal`);
    Deno.mkdirSync(`${directory}/state`);
  }

  /** Removes everything, when the last service has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleaner.stdin.close();
    const { code, success } = await this.#cleaner.status;
    if (success) return;
    throw new ScriptError(
      `Cannot remove "${this.directory}" and what else a run leaves: found exit status ${code}`,
    );
  }
}

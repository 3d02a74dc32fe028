/**
 * Runs a script as its task in `deno.json` does, with the very permissions that stand there.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };
import { type ChildOptions, type Ended, runChild } from "./_support.ts";

/** Arguments of Deno for a task that only runs a script; its permissions are those of the task. */
export function taskArguments(task: "demo" | "mt"): string[] {
  const [program, ...args] = config.tasks[task].command
    .replace(/"\$\(.*\)"/, Deno.execPath())
    .split(" ");
  if (program !== "deno") throw new Error(`Cannot run task "${task}": found ${program}`);
  // Relative to the checkout, which is where a task runs.
  return args;
}

/** Runs a task to its end. */
export async function runTask(
  task: "demo" | "mt",
  args: string[],
  options: ChildOptions = {},
): Promise<Ended> {
  return await runChild([...taskArguments(task), ...args], options);
}

/** A temporary directory, in which also the channels of a task are that is told of no other. */
export class TaskDirectory implements Disposable {
  readonly path: string = Deno.makeTempDirSync();
  /** For the task's environment. */
  readonly env: Record<string, string> = { XDG_RUNTIME_DIR: this.path };
  /** Directory of ring files that `env` leads to. */
  readonly channels: string = `${this.path}/message_transport`;

  /** Writes a file and returns its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = `${this.path}/${name}`;
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    Deno.writeFileSync(path, bytes);
    return path;
  }

  /** Names of what is in the directory of ring files. */
  files(): string[] {
    try {
      return [...Deno.readDirSync(this.channels)].map(({ name }) => name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

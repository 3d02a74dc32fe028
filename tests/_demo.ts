/**
 * The main job under test: in a place of its own, in which nothing may be left.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { ChildOptions, Ended } from "./_support.ts";
import { runTask, TaskDirectory } from "./_task.ts";

/** A directory for a demo's channels, and one for its other files. */
export class DemoDirectory extends TaskDirectory {
  override readonly env: Record<string, string> = {
    XDG_RUNTIME_DIR: this.path,
    TMPDIR: `${this.path}/tmp`,
  };

  constructor() {
    super();
    Deno.mkdirSync(this.env.TMPDIR!);
  }

  /** What a demo has left. */
  leftovers(): string[] {
    return [...this.files(), ...Deno.readDirSync(this.env.TMPDIR!).map(({ name }) => name)];
  }

  /** Runs the demo to its end, after which nothing is left. */
  async demo(args: string[], options: ChildOptions = {}): Promise<Ended> {
    // It starts services one after the other, and some of them again.
    const watchdogMs = 300_000;
    const ended = await runTask("demo", args, { watchdogMs, ...options, env: this.env });
    assertEquals(this.leftovers(), [], `something is left; on stderr: ${ended.stderr}`);
    return ended;
  }
}

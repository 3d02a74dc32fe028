/**
 * Where benchmarks keep their logs, and what lies below.
 *
 * @module
 */

import { run, ScriptError } from "../scripts/_command.ts";
import { ROOT } from "../scripts/_zig.ts";

/** A disk, as far as figures depend on it. */
export interface Disk {
  /** Type of the file system. */
  fileSystem: string;
  /** What it is mounted from. */
  device: string;
  /** What speaks against trusting the figures. */
  warnings: string[];
}

/** File systems in memory: a sync does nothing there. */
const IN_MEMORY = ["tmpfs", "ramfs"];

/** Permissions of a peer for logs in a directory. */
export function permissionsFor(directory: string): string[] {
  return [`--allow-read=${directory}`, `--allow-write=${directory}`];
}

/** A directory for logs of one run. Goes with everything in it. */
export class BenchDirectory implements Disposable {
  readonly path: string;

  /**
   * @param parent Default: `TMPDIR`, and without that the checkout's `zig-out`, as `/tmp` may be in
   *     memory.
   */
  constructor(parent: string = Deno.env.get("TMPDIR") || `${ROOT}zig-out`) {
    try {
      this.path = Deno.makeTempDirSync({ dir: Deno.realPathSync(parent), prefix: "bench-" });
    } catch (error) { // Deno itself refuses all of /dev.
      throw new ScriptError(`Cannot keep logs in "${parent}": ${(error as Error).message}`);
    }
  }

  /** Finds out what file system it is on. */
  async readDisk(): Promise<Disk> {
    const { stdout } = await run("cat", ["/proc/self/mountinfo"]);
    // 36 35 98:0 /root /mount/point options [optional fields] - type device options
    const mounts = stdout.trim().split("\n").map((line) => {
      const [place, source] = line.split(" - ") as [string, string];
      const [fileSystem, device] = source.split(" ") as [string, string];
      return { point: place.split(" ")[4]!.replace(/\/$/, ""), fileSystem, device };
    });
    const found = mounts.filter(({ point }) => `${this.path}/`.startsWith(`${point}/`))
      .sort((a, b) => a.point.length - b.point.length).at(-1);
    const { fileSystem = "unknown", device = "unknown" } = found ?? {};
    const warnings = IN_MEMORY.includes(fileSystem)
      ? [`${fileSystem} is memory: a sync does nothing, choose a disk with --wal-dir`]
      : [];
    return { fileSystem, device, warnings };
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Returns the disk for people. */
export function formatDisk({ fileSystem, device, warnings }: Disk): string {
  return [`logs on ${fileSystem} (${device})`, ...warnings.map((text) => `warning: ${text}`)]
    .join("\n");
}

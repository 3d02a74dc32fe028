/**
 * Where benchmarks keep their logs, and what lies below.
 *
 * @module
 */

import { readMachineText } from "../lib/native/machine.ts";
import { ScriptError } from "../scripts/_command.ts";
import { ROOT } from "../scripts/_zig.ts";
import { findMount } from "../scripts/doctor/mounts.ts";

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
  readDisk(): Disk {
    const found = findMount(readMachineText("mounts"), this.path);
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

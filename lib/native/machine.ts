/**
 * The machine across the border: texts of the kernel, file systems, limits, and what the kernel can
 * do.
 *
 * Thin typed calls: arguments in, a value or an error out.
 *
 * @module
 */

import * as layout from "./_layout.ts";
import { Detail, failure, readText as decodeText } from "./failure.ts";
import { native } from "./library.ts";
import { grantedPath, toAbsolute } from "./path.ts";

const decoder = new TextDecoder();

/** Texts of the kernel that can be read, by their number across the border. */
const TEXTS = {
  memory: layout.MACHINE_TEXT_MEMORY,
  processorTime: layout.MACHINE_TEXT_PROCESSOR_TIME,
  load: layout.MACHINE_TEXT_LOAD,
  processors: layout.MACHINE_TEXT_PROCESSORS,
  process: layout.MACHINE_TEXT_PROCESS,
  kernelRelease: layout.MACHINE_TEXT_KERNEL_RELEASE,
  kernelArguments: layout.MACHINE_TEXT_KERNEL_ARGUMENTS,
  mounts: layout.MACHINE_TEXT_MOUNTS,
  clockSource: layout.MACHINE_TEXT_CLOCK_SOURCE,
  hugePages: layout.MACHINE_TEXT_HUGE_PAGES,
  hugePagesShared: layout.MACHINE_TEXT_HUGE_PAGES_SHARED,
  mappingsMax: layout.MACHINE_TEXT_MAPPINGS_MAX,
  isolatedCores: layout.MACHINE_TEXT_ISOLATED_CORES,
  ticklessCores: layout.MACHINE_TEXT_TICKLESS_CORES,
  idleDriver: layout.MACHINE_TEXT_IDLE_DRIVER,
  governor: layout.MACHINE_TEXT_GOVERNOR,
  siblings: layout.MACHINE_TEXT_SIBLINGS,
  idleName: layout.MACHINE_TEXT_IDLE_NAME,
  idleLatency: layout.MACHINE_TEXT_IDLE_LATENCY,
  idleDisabled: layout.MACHINE_TEXT_IDLE_DISABLED,
  cgroupMemoryMax: layout.MACHINE_TEXT_CGROUP_MEMORY_MAX,
  cgroupMemoryUsed: layout.MACHINE_TEXT_CGROUP_MEMORY_USED,
  cgroupProcessorMax: layout.MACHINE_TEXT_CGROUP_PROCESSOR_MAX,
} as const;

/** Name of a text of the kernel. What each holds: zig/machine.zig. */
export type MachineText = keyof typeof TEXTS;

/** More than the mounts of most machines; of a longer text the beginning is enough. */
const TEXT_BYTES_MAX = 256 * 1024;
let textBytes: Uint8Array<ArrayBuffer> | undefined;

/**
 * Returns a text of the kernel without white space around it; empty where there is none.
 *
 * @param core Of the texts that belong to a core.
 * @param level Of idle states, which; of cgroups, how many directories up.
 */
export function readMachineText(text: MachineText, core = 0, level = 0): string {
  textBytes ??= new Uint8Array(TEXT_BYTES_MAX);
  const number = TEXTS[text];
  const size = native().mt_machine_text(number, core, level, textBytes, textBytes.length);
  return size < 0 ? "" : decoder.decode(textBytes.subarray(0, size)).trim();
}

/** What a directory lies on. */
export interface FileSystem {
  /** As `mount` calls it, or its number. */
  kind: string;
  /** Whether rings, logs and stores are refused there. */
  isUnsupported: boolean;
  /** Bytes that it has. */
  bytes: number;
  /** Bytes that are free, some of them only for root. */
  freeBytes: number;
  /** Bytes that are free for this process. */
  availableBytes: number;
  /** Files that it can have; 0 if it has no such limit. */
  files: number;
  /** Of them, those that are free. */
  filesFree: number;
}

/**
 * Looks at what a file or directory lies on.
 *
 * @throws {Deno.errors.NotFound} If there is none.
 */
export function readFileSystem(path: string): FileSystem {
  const bytes = new Uint8Array(layout.FILE_SYSTEM_SIZE);
  const detail = new Detail();
  const place = grantedPath(toAbsolute(path)); // Of which only what it lies on is told.
  const status = native().mt_machine_file_system(place, bytes, detail.bytes);
  if (status === layout.NOT_FOUND) {
    throw new Deno.errors.NotFound(`Cannot look at "${path}": found no such file or directory`);
  }
  if (status < 0) throw failure(status, { action: "look at", path, channel: "" }, detail);
  const view = new DataView(bytes.buffer);
  const f64 = (offset: number) => view.getFloat64(offset, true);
  const nameBytes = view.getUint32(layout.FILE_SYSTEM_NAME_BYTES_OFFSET, true);
  const kind = view.getUint32(layout.FILE_SYSTEM_KIND_OFFSET, true);
  return {
    kind: decodeText(bytes, layout.FILE_SYSTEM_NAME_OFFSET, nameBytes) || `0x${kind.toString(16)}`,
    isUnsupported: view.getUint32(layout.FILE_SYSTEM_IS_UNSUPPORTED_OFFSET, true) === 1,
    bytes: f64(layout.FILE_SYSTEM_BYTES_OFFSET),
    freeBytes: f64(layout.FILE_SYSTEM_FREE_BYTES_OFFSET),
    availableBytes: f64(layout.FILE_SYSTEM_AVAILABLE_BYTES_OFFSET),
    files: f64(layout.FILE_SYSTEM_FILES_OFFSET),
    filesFree: f64(layout.FILE_SYSTEM_FILES_FREE_OFFSET),
  };
}

/** Limits of this process; infinite where there is none. */
export interface Limits {
  /** Bytes that may be locked into memory. */
  lockedBytes: number;
  /** Open files. */
  files: number;
  /** Open files that it may ask for. */
  filesHard: number;
  /** Highest real-time priority; 0 for none. */
  realtimePriority: number;
  /** Bytes of address space. */
  addressBytes: number;
  /** Effective user id. */
  user: number;
}

/** Reads the limits of this process. */
export function readLimits(): Limits {
  const bytes = new Uint8Array(layout.LIMITS_SIZE);
  native().mt_machine_limits(bytes);
  const view = new DataView(bytes.buffer);
  const f64 = (offset: number) => view.getFloat64(offset, true);
  return {
    lockedBytes: f64(layout.LIMITS_LOCKED_BYTES_OFFSET),
    files: f64(layout.LIMITS_FILES_OFFSET),
    filesHard: f64(layout.LIMITS_FILES_HARD_OFFSET),
    realtimePriority: f64(layout.LIMITS_REALTIME_PRIORITY_OFFSET),
    addressBytes: f64(layout.LIMITS_ADDRESS_BYTES_OFFSET),
    user: view.getUint32(layout.LIMITS_USER_OFFSET, true),
  };
}

/** What was tried of the kernel and a file system: 0 if it works, else the errno. */
export interface Probes {
  /** Fences that are run for others (`membarrier`, Linux 4.16). */
  membarrier: number;
  /** Sleeping on several words (`futex_waitv`, Linux 5.16). */
  futexWaitv: number;
  /** A file without a name (`O_TMPFILE`). */
  unnamedFile: number;
  /** Reserving room (`fallocate`). */
  allocate: number;
  /** Locks of an open file description (`F_OFD_SETLK`). */
  lock: number;
  /** Mapping shared memory to write. */
  map: number;
}

/** Tries what is needed of the kernel, and of a directory's file system. Leaves nothing there. */
export function probeKernel(directory: string): Probes {
  const bytes = new Uint8Array(layout.PROBES_SIZE);
  native().mt_machine_probe(grantedPath(toAbsolute(directory)), bytes); // Nothing of it is told.
  const view = new DataView(bytes.buffer);
  const u32 = (offset: number) => view.getUint32(offset, true);
  return {
    membarrier: u32(layout.PROBES_MEMBARRIER_OFFSET),
    futexWaitv: u32(layout.PROBES_FUTEX_WAITV_OFFSET),
    unnamedFile: u32(layout.PROBES_UNNAMED_FILE_OFFSET),
    allocate: u32(layout.PROBES_ALLOCATE_OFFSET),
    lock: u32(layout.PROBES_LOCK_OFFSET),
    map: u32(layout.PROBES_MAP_OFFSET),
  };
}

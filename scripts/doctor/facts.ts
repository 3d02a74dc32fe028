/**
 * What the doctor judges: the machine, this process and its directories, as they are.
 *
 * Texts of the kernel stay as they were read, so that the judging can be tried on those of any
 * other machine.
 *
 * @module
 */

import { checkDirectory } from "../../lib/channel/directory.ts";
import { allowedCores } from "../../lib/native/affinity.ts";
import { VERSION } from "../../lib/native/_release.ts";
import { findLibrary } from "../../lib/native/binary.ts";
import { tickClock } from "../../lib/native/clock.ts";
import {
  type FileSystem,
  type Limits,
  type MachineText,
  probeKernel,
  type Probes,
  readFileSystem,
  readLimits,
  readMachineText,
} from "../../lib/native/machine.ts";
import { defaultDirectory } from "../../lib/native/path.ts";
import { listRings } from "../../lib/native/ring.ts";
import { readPermissions } from "./permissions.ts";
import { measureSync, type SyncTimes } from "./sync_times.ts";

/** A directory, and what it lies on. */
export interface Place {
  /** Its path. */
  path: string;
  /** Whether it is there. If not, the rest is said of the nearest one above it. */
  exists: boolean;
  /** What it lies on. */
  fileSystem: FileSystem;
  /** Why it may not be used; empty if it may. */
  fault: string;
}

/** A core that threads of channels run on. */
export interface Core {
  /** Its number. */
  core: number;
  /** Threads of the same core, itself too: `0-1`. */
  siblings: string;
  /** Frequency governor; empty if the kernel does not tell. */
  governor: string;
  /** States that it may go to when idle, as the kernel tells them. */
  idleStates: { name: string; latency: string; disabled: string }[];
}

/** A cgroup's values, as its files have them; empty where there is no such file. */
export interface Cgroup {
  memoryMax: string;
  memoryUsed: string;
  processorMax: string;
}

/** What systemd's logind does about what users leave behind. */
export interface Logind {
  /** Whether systemd runs here. */
  isRunning: boolean;
  /** Its configuration files, one behind the other, the later ones counting more. */
  settings: string;
  /** Whether this user's things stay when the last session ends (`enable-linger`). */
  lingers: boolean;
}

/** Everything that is judged. */
export interface Facts {
  /** Texts of the kernel; empty where it has no such thing. */
  texts: Partial<Record<MachineText, string>>;
  /** `processorTime`, before and after a while. */
  processorTimes: [before: string, after: string];
  /** Numbers of the cores that this process may run on. */
  allowed: number[];
  /** Numbers of the cores that were chosen for threads that spin; empty if none were. */
  chosen: number[];
  /** The chosen cores, or else the allowed ones. */
  cores: Core[];
  /** Cgroups of this process: its own, and those above it. */
  cgroups: Cgroup[];
  limits: Limits;
  probes: Probes;
  /** Clock of publish times. */
  tickSource: ReturnType<typeof tickClock>["source"];
  /** Directory of ring files. */
  rings: Place;
  /** Directory of logs; undefined if none was named. */
  logs: Place | undefined;
  /** How long syncs take there; undefined if that was not measured. */
  syncTimes: SyncTimes | undefined;
  /** Why they could not be measured; empty if they were, or were not to be. */
  syncFault: string;
  logind: Logind;
  deno: string;
  libraryPath: string;
  /** Release of these modules, and of the library that they were made with. */
  release: string;
  permissions: ReturnType<typeof readPermissions>;
}

/** What to look at. */
export interface FactOptions {
  /** Directory of ring files. Default: that of all channels. */
  directory?: string | undefined;
  /** Directory of logs. Default: none. */
  walDir?: string | undefined;
  /** Cores for threads that spin. Default: none in particular. */
  cores?: readonly number[] | undefined;
}

/** Texts that belong to no core and no cgroup, and do not change while one looks. */
const TEXTS = [
  ...["memory", "processors", "process", "kernelRelease", "kernelArguments", "mounts"],
  ...["clockSource", "hugePages", "hugePagesShared", "mappingsMax", "isolatedCores"],
  ...["ticklessCores", "idleDriver"],
] as MachineText[];

/** Cores that are looked at where none are chosen: those of a large machine are alike. */
const CORES_MAX = 64;

/**
 * Looks at everything.
 *
 * Cost: a second, in which others may steal time, and up to two more where logs lie on a slow disk.
 * Given `processorTimes` of another while, milliseconds: then no sync is measured either.
 *
 * @throws {NativeLibraryError} If the library cannot be loaded.
 * @throws {Deno.errors.NotCapable} If a permission for a directory that was named is missing.
 */
export async function readFacts(
  options: FactOptions = {},
  processorTimes?: Facts["processorTimes"],
): Promise<Facts> {
  const before = readMachineText("processorTime");
  const startMs = performance.now();
  const { directory, walDir, cores: chosen = [] } = options;
  const libraryPath = findLibrary();
  const ringPath = directory === undefined ? defaultDirectory() : checkDirectory(directory);
  const logs = walDir === undefined ? undefined : readPlace(checkDirectory(walDir));
  const allowed = allowedCores();
  const limits = readLimits();
  const facts: Facts = {
    texts: Object.fromEntries(TEXTS.map((text) => [text, readMachineText(text)])),
    processorTimes: processorTimes ?? [before, before],
    allowed,
    chosen: [...chosen],
    cores: (chosen.length > 0 ? chosen : allowed.slice(0, CORES_MAX)).map(readCore),
    cgroups: readCgroups(),
    limits,
    probes: probeKernel(nearestOf(ringPath).path),
    tickSource: tickClock().source,
    rings: readPlace(ringPath),
    logs,
    ...(logs?.exists && processorTimes === undefined ? trySync(logs.path) : NOT_MEASURED),
    logind: readLogind(limits.user),
    deno: Deno.version.deno,
    libraryPath,
    release: VERSION,
    permissions: readPermissions(libraryPath, walDir ?? directory ?? Deno.cwd()),
  };
  if (processorTimes === undefined) {
    const restMs = startMs + STEAL_WINDOW_MS - performance.now();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, restMs)));
    facts.processorTimes = [before, readMachineText("processorTime")];
  }
  return facts;
}

const STEAL_WINDOW_MS = 1000;

const NOT_MEASURED = { syncTimes: undefined, syncFault: "" };

function trySync(directory: string): Pick<Facts, "syncTimes" | "syncFault"> {
  try {
    return { syncTimes: measureSync(directory), syncFault: "" };
  } catch (error) {
    if (!(error instanceof Error) || error instanceof Deno.errors.NotCapable) throw error;
    return { syncTimes: undefined, syncFault: error.message };
  }
}

function readPlace(path: string): Place {
  const { path: nearest, fileSystem } = nearestOf(path);
  return { path, exists: nearest === path, fileSystem, fault: faultOf(path) };
}

/** The directory, or the nearest one above it that is there. */
function nearestOf(path: string): { path: string; fileSystem: FileSystem } {
  for (let place = path;;) {
    try {
      return { path: place, fileSystem: readFileSystem(place) };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound) || place === "/") throw error;
      place = place.slice(0, place.lastIndexOf("/")) || "/";
    }
  }
}

function faultOf(path: string): string {
  try {
    listRings(path); // The library opens it as it does for channels, and checks its owner and mode.
    return "";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || !(error instanceof Error)) return "";
    return error.message;
  }
}

function readCore(core: number): Core {
  const idleStates: Core["idleStates"] = [];
  for (let level = 0; level < 16; level++) {
    const name = readMachineText("idleName", core, level);
    if (name === "") break;
    idleStates.push({
      name,
      latency: readMachineText("idleLatency", core, level),
      disabled: readMachineText("idleDisabled", core, level),
    });
  }
  return {
    core,
    siblings: readMachineText("siblings", core),
    governor: readMachineText("governor", core),
    idleStates,
  };
}

/** Deeper than anybody nests them. */
const CGROUP_LEVELS_MAX = 32;

function readCgroups(): Cgroup[] {
  const groups = Array.from({ length: CGROUP_LEVELS_MAX }, (_, level) => ({
    memoryMax: readMachineText("cgroupMemoryMax", 0, level),
    memoryUsed: readMachineText("cgroupMemoryUsed", 0, level),
    processorMax: readMachineText("cgroupProcessorMax", 0, level),
  }));
  return groups.filter((group) => Object.values(group).some((text) => text !== ""));
}

/** Directories of logind's settings, and the file that comes before them; later ones win. */
const LOGIND_FILE = "/etc/systemd/logind.conf";
const LOGIND_DIRECTORIES = ["/usr/lib", "/run", "/etc"].map((root) =>
  `${root}/systemd/logind.conf.d`
);

function readLogind(user: number): Logind {
  const entries = LOGIND_DIRECTORIES.flatMap((directory) =>
    orElse(() => [...Deno.readDirSync(directory)], [])
      .filter(({ name }) => name.endsWith(".conf"))
      .map(({ name }) => ({ name, path: `${directory}/${name}` }))
  ).toSorted((a, b) => a.name < b.name ? -1 : 1);
  const paths = [LOGIND_FILE, ...entries.map(({ path }) => path)];
  const users = orElse(() => Deno.readTextFileSync("/etc/passwd"), "").split("\n")
    .map((line) => line.split(":"));
  const name = users.find(([, , id]) => id === `${user}`)?.[0];
  const lingers = name !== undefined &&
    orElse(() => Deno.statSync(`/var/lib/systemd/linger/${name}`).isFile, false);
  return {
    isRunning: orElse(() => Deno.statSync("/run/systemd/system").isDirectory, false),
    settings: paths.map((path) => orElse(() => Deno.readTextFileSync(path), "")).join("\n"),
    lingers,
  };
}

/** What a file says, or something else where it is not there or may not be read. */
function orElse<Value>(read: () => Value, otherwise: Value): Value {
  try {
    return read();
  } catch (error) {
    const { NotFound, NotCapable, PermissionDenied } = Deno.errors;
    const isExpected = [NotFound, NotCapable, PermissionDenied].some((kind) =>
      error instanceof kind
    );
    if (isExpected) return otherwise;
    throw error;
  }
}

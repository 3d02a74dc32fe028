/**
 * The Zig toolchain: where the compiler is, the native library, and the Zig tests.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { formatSeconds, run, ScriptError } from "./_command.ts";

/** Root of the checkout. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

const VERSION = "0.16"; // Any patch release of it; zig/package.json pins the one we install.
const INSTALLED = `${ROOT}zig/node_modules/.bin/zig`;

/** Path of LMDB's C source from the root; what is beside it is compiled as well. */
export const LMDB_SOURCE =
  "zig/node_modules/lmdb/dependencies/lmdb-data-v1/libraries/liblmdb/mdb.c";

const LMDB = `${ROOT}${LMDB_SOURCE}`;

/**
 * Returns the path of a Zig 0.16 compiler, and installs one where there is none. LMDB's C sources,
 * which the library is compiled with, are there afterwards as well.
 *
 * Looks at `$ZIG`, at `zig/node_modules`, then along `$PATH`. Where something is missing, `npm`
 * installs what `zig/package.json` pins, which takes about 20 s and 500 MB.
 *
 * @throws {ScriptError} If `$ZIG` is another version, or something is missing and npm as well.
 */
export async function zigExe(): Promise<string> {
  const found = await findZig();
  if (found !== undefined && await exists(LMDB)) return found;
  return await withLock("install", async () => {
    const zig = await findZig(); // Another process may just have installed it.
    if (zig === undefined) await install("Zig", () => findZig(INSTALLED));
    else if (!await exists(LMDB)) await install("LMDB", () => exists(LMDB));
    return zig ?? INSTALLED;
  });
}

/** Returns the first suitable compiler. */
async function findZig(only?: string): Promise<string | undefined> {
  const chosen = Deno.env.get("ZIG");
  if (chosen && only === undefined) {
    const found = await versionOf(chosen);
    if (isSuitable(found)) return chosen;
    throw new ScriptError(
      `Cannot use $ZIG "${chosen}" as the compiler: expected Zig ${VERSION}, found ${found}`,
    );
  }
  const folders = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder !== "");
  const candidates = [INSTALLED, ...folders.map((folder) => `${folder}/zig`)];
  for (const candidate of only === undefined ? candidates : [only]) {
    if (isSuitable(await versionOf(candidate))) return candidate;
  }
  return undefined;
}

/** Returns what a compiler says to `version`, or why it says nothing. */
async function versionOf(path: string): Promise<string> {
  try {
    const { code, stdout } = await run(path, ["version"]);
    return code === 0 ? stdout.trim() : `exit status ${code}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "no such program";
    if (error instanceof Deno.errors.PermissionDenied) return "no program that may be run";
    throw error;
  }
}

function isSuitable(version: string): boolean {
  return version.startsWith(`${VERSION}.`);
}

async function exists(path: string): Promise<boolean> {
  return await modifiedMs(path) !== undefined;
}

const ADVICE = {
  Zig: `install Zig ${VERSION}.x and put it on PATH or name it in $ZIG, or install npm`,
  LMDB: `the library is compiled with LMDB's sources, which npm brings: install npm`,
};

/** Installs what `zig/package.json` pins, as `what` is missing; `check` tells whether it came. */
async function install(what: keyof typeof ADVICE, check: () => Promise<unknown>): Promise<void> {
  const [name, advice] = [what === "Zig" ? `Zig ${VERSION}` : "LMDB's sources", ADVICE[what]];
  console.error(`Installing ${what} with npm into zig/node_modules (500 MB, once)`);
  const args = ["install", "--prefix", "zig", "--ignore-scripts", "--no-package-lock"];
  const npm = await run("npm", [...args, "--no-audit", "--no-fund"], { cwd: ROOT })
    .catch((cause: unknown) => {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
      throw new ScriptError(`Cannot find ${name} nor npm to install it: ${advice}`);
    });
  if (npm.code !== 0) {
    throw new ScriptError(`Cannot install ${what} with npm: ${advice}\n${npm.stdout}${npm.stderr}`);
  }
  if (await check()) return;
  const found = what === "Zig" ? await versionOf(INSTALLED) : `no file "${LMDB}"`;
  throw new ScriptError(
    `Cannot use what npm installed: expected ${name}, found ${found}: ${advice}`,
  );
}

/** What to build, and how. */
export interface BuildOptions {
  /** With the points at which fault tests stop or kill the process; never for use. */
  faultPoints?: boolean;
  /** Without the counters of the hot path: only to measure what they cost. */
  withoutCounters?: boolean;
  /** With Zig's own checks of indices and arithmetic: only to fuzz. */
  isSafe?: boolean;
  /** The native half of the benchmarks (zig/bench) instead. */
  bench?: boolean;
  /** Builds for another machine, such as `aarch64-linux-gnu.2.28`, into a folder of that name. */
  target?: string | undefined;
  /** Builds although nothing has changed. */
  force?: boolean;
  /** Shows what Zig prints although it succeeds. */
  verbose?: boolean;
}

/** One library that is now up to date. */
export interface BuiltLibrary {
  path: string;
  /** `false` if it was up to date before. */
  built: boolean;
  seconds: number;
}

/**
 * Builds the native library where a Zig source is newer than it, ReleaseFast.
 *
 * Two that build the same wait for each other. A build that fails leaves the older library as it was.
 *
 * @throws {ScriptError} If there is no compiler or it refuses the sources, with what it printed.
 */
export async function buildLibrary(options: BuildOptions = {}): Promise<BuiltLibrary> {
  const { force = false } = options;
  const prefix = prefixOf(options);
  const name = libraryName(options);
  const path = `${ROOT}${prefix}/lib/${name}`;
  if (!force && await isFresh(path)) return { path, built: false, seconds: 0 };
  const zig = await zigExe();
  return await withLock(prefix.replaceAll("/", "."), async () => {
    if (!force && await isFresh(path)) return { path, built: false, seconds: 0 };
    const start = await fileTime();
    const optimize = options.isSafe ? "ReleaseSafe" : "ReleaseFast";
    const args = ["build", `-Doptimize=${optimize}`, "--prefix", prefix];
    if (options.bench) args.push("bench");
    if (options.faultPoints) args.push("-Dfault-points=true");
    if (options.withoutCounters) args.push("-Dcounters=false");
    if (options.target !== undefined) args.push(`-Dtarget=${options.target}`);
    console.error(`Building ${prefix}/lib/${name}`);
    const { code, stdout, stderr, seconds } = await run(zig, args, { cwd: ROOT });
    if (code !== 0) {
      throw new ScriptError(`Cannot build the library: zig ended with ${code}\n${stdout}${stderr}`);
    }
    if (options.verbose) console.error(`${stdout}${stderr}`.trimEnd());
    await stamp(path, start);
    console.error(`Built in ${formatSeconds(seconds)}`);
    return { path, built: true, seconds };
  });
}

function prefixOf({ faultPoints, withoutCounters, isSafe, target }: BuildOptions): string {
  const variants = [
    ...[target, faultPoints && "faults", withoutCounters && "uncounted", isSafe && "safe"],
  ];
  return ["zig-out", ...variants.filter((variant) => variant)].join("/");
}

function libraryName({ bench = false, target }: BuildOptions): string {
  const isMac = target === undefined ? Deno.build.os === "darwin" : target.includes("macos");
  return `libmessage_transport${bench ? "_bench" : ""}.${isMac ? "dylib" : "so"}`;
}

/** Returns the time by the clock that dates files, which runs some milliseconds behind ours. */
async function fileTime(): Promise<Date> {
  const path = `${ROOT}.zig-cache/build.start`;
  await Deno.writeTextFile(path, new Date().toISOString());
  return (await Deno.stat(path)).mtime ?? new Date(0);
}

/**
 * Dates a library to the start of its build, so that a source changed meanwhile is newer. Zig
 * itself keeps the date of the cached file, which may be older than every source.
 */
async function stamp(path: string, start: Date): Promise<void> {
  try {
    await Deno.utime(path, start, start);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new ScriptError(`Cannot find "${path}" after the build: build.zig must install it`);
  }
}

/** Tells whether a library is newer than every file that it is made from. */
async function isFresh(library: string): Promise<boolean> {
  const built = await modifiedMs(library);
  if (built === undefined) return false;
  for await (const source of sources()) {
    const modified = await modifiedMs(source);
    if (modified !== undefined && modified >= built) return false;
  }
  return true;
}

async function modifiedMs(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).mtime?.getTime();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function* sources(): AsyncGenerator<string> {
  yield* ["build.zig", "build.zig.zon"].map((name) => `${ROOT}${name}`);
  const folders = [`${ROOT}zig`];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (name === "node_modules") continue;
      if (isDirectory) folders.push(`${folder}/${name}`);
      else if (/\.(zig|zon|c|h|S|json)$/.test(name)) yield `${folder}/${name}`;
    }
  }
}

/** Runs `work` while no other process does the same in this checkout. */
async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  await Deno.mkdir(`${ROOT}.zig-cache`, { recursive: true });
  using file = await Deno.open(`${ROOT}.zig-cache/${name}.lock`, { create: true, write: true });
  await file.lock(true); // Let go by the kernel when the file is closed, by whatever end.
  return await work();
}

/** Numbers of tests, and what the run printed. */
export interface ZigTests {
  passed: number;
  failed: number;
  skipped: number;
  output: string;
  seconds: number;
}

/** Runs the Zig tests in one build mode. A test binary that does not compile is one failure. */
export async function runZigTests(optimize: "Debug" | "ReleaseSafe"): Promise<ZigTests> {
  const zig = await zigExe();
  const args = ["build", "test", "--summary", "all", `-Doptimize=${optimize}`];
  const { code, stdout, stderr, seconds } = await run(zig, args, { cwd: ROOT });
  const output = stdout + stderr;
  return { ...countZigTests(output, code), output, seconds };
}

/**
 * Counts tests in what `zig build test --summary all` prints.
 *
 * The lines after `Build Summary:` count, such as `+- run test 2 pass, 1 skip, 2 fail (5 total)`;
 * those of failing steps also stand above it, with their messages. A leak (`; 2 leaks`) does not
 * change a test's own result there: a step whose only fault it is counts as one failed test.
 */
export function countZigTests(
  output: string,
  code: number,
): Pick<ZigTests, "passed" | "failed" | "skipped"> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const start = output.lastIndexOf("Build Summary:");
  for (const line of start === -1 ? [] : output.slice(start).split("\n")) {
    if (/\+- run .*transitive failure/.test(line)) counts.failed++;
    const step = /\+- run .*?((?:\d+ \w+,? )+)\(\d+ total\)(; \d+ leaks)?/.exec(line);
    if (step === null) continue;
    const failedBefore = counts.failed;
    for (const [, count, result] of step[1]!.matchAll(/(\d+) (\w+)/g)) {
      const kind = result === "pass" ? "passed" : result === "skip" ? "skipped" : "failed";
      counts[kind] += Number(count);
    }
    if (step[2] !== undefined && counts.failed === failedBefore) {
      counts.passed--;
      counts.failed++;
    }
  }
  // Whatever else went wrong, and a run without any test, must not look like success.
  const isEmpty = counts.passed + counts.skipped === 0;
  if (counts.failed === 0 && (code !== 0 || isEmpty)) counts.failed = 1;
  return counts;
}

/**
 * Faults at chosen system calls, by strace: errors, delays, death at each call of a scenario.
 *
 * What strace 6.1 does (all tried; tests/fault/trace_test.ts holds what we lean on):
 *
 * - `when=n` counts for each thread and each system call by itself: `fdatasync,fsync:…:when=2` hits
 *   the second fdatasync and the second fsync of every thread. No expression counts jointly.
 * - `when=n` hits once, `n+` from there on, `n..m` a range, `n+step` every step-th.
 * - Of two faults for one system call only the later counts.
 * - Only calls that are traced (`-e trace=`) are hit. A name that this processor does not have is
 *   an error, unless `?` stands before it.
 * - `-P` filters what is logged, counted and hit alike. It compares whole paths: of a directory it
 *   takes calls on that directory and relative to it (`*at`), not those on its files.
 * - `signal=SIGKILL` arrives before the call, which does not happen; the log has it with `= ?`.
 *   With `--seccomp-bpf`, which would be faster, the signal is lost.
 * - With `-D` the tracer is a grandchild: pid, signals and exit status are the program's own.
 * - Writes through io_uring or a mapping are no system calls that could be hit.
 *
 * So "the k-th of any of these calls below a directory" takes two runs. The first only logs;
 * {@linkcode survey} turns its log into the points of the scenario: as many as there are calls. The
 * second has one of them hit, by {@linkcode strike}: call, file, number among that thread's calls
 * on that file. This is exact when the scenario is the same each time, names of files included, and
 * each thread does the same in each run. Calls that wander between the threads of a pool
 * (`nonblocking` FFI, asynchronous Deno) do not: there, look with {@linkcode cutShort} at what was
 * hit, and be ready for a child that nothing hits.
 *
 * @module
 */

/** System calls that change files, as far as the processor has them. */
const FILE_CALLS: readonly string[] = [
  ...["openat", "write", "writev", "pwrite64", "pwritev", "pwritev2", "copy_file_range"],
  ...["fsync", "fdatasync", "sync_file_range", "msync", "fallocate", "ftruncate", "truncate"],
  ...["open", "creat", "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat"],
  ...["mkdir", "mkdirat", "rmdir", "symlink", "symlinkat"],
];

/** How a child is traced. */
export interface Trace {
  /** File for strace's lines; whole when the child has ended. */
  log: string;
  /** What to do at which call, such as `fdatasync:error=EIO:when=2`. */
  faults?: readonly string[];
  /** Files and directories: only calls on exactly these are logged, counted and hit. */
  paths?: readonly string[];
  /** System calls that are traced; those with faults must be among them. */
  calls?: readonly string[];
}

/** Returns strace's arguments, which go before those of the program. */
export function straceArgs({ log, faults = [], paths = [], calls = FILE_CALLS }: Trace): string[] {
  return [
    ...["-D", "-f", "-y", "-s", "0", "-e", "quiet=all", "-e", "signal=none", "-o", log],
    ...["-e", `trace=${calls.map((call) => `?${call}`)}`],
    ...faults.flatMap((fault) => ["-e", `inject=${fault}`]),
    ...paths.flatMap((path) => ["-P", path]),
  ];
}

/** Why nothing can be traced here; undefined if it can. */
export async function straceObstacle(): Promise<string | undefined> {
  const args = [...straceArgs({ log: "/dev/null" }), Deno.execPath(), "--version"];
  try {
    const { success } = await new Deno.Command("strace", { args }).output();
    return success ? undefined : "needs a kernel that lets strace trace";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "needs strace";
    throw error;
  }
}

/** One system call of a scenario. */
export interface Point {
  /** Its name. */
  call: string;
  /** The file that it is about, relative to the directory, which is "" itself. */
  path: string;
  /** Its number among the calls of that name of its thread on that file, from 1. */
  when: number;
  /** The call as strace shows it, without the directory and the numbers of files. */
  text: string;
}

/** The system calls of a scenario on files below a directory. */
export interface Survey {
  /** In the order of the log. Where threads share call, file and number, it is one point. */
  points: Point[];
  /** Calls on files without a name, which strace cannot tell by their path. */
  unreachable: string[];
}

/** Takes the points at which a fault can strike out of the log of a run without faults. */
export function survey(log: string, directory: string): Survey {
  const points = new Map<string, Point>();
  const unreachable: string[] = [];
  const counts = new Map<string, number>();
  for (const { thread, call, args } of callsOf(log)) {
    const touched = new Set(pathsIn(args, directory));
    if (touched.size === 0) continue;
    const text = textOf(call, args, directory);
    if (args.includes("(deleted)")) {
      unreachable.push(text);
      continue;
    }
    for (const path of touched) {
      const counted = `${thread} ${call} ${path}`;
      counts.set(counted, (counts.get(counted) ?? 0) + 1);
    }
    if (call.startsWith("open") && !/O_CREAT|O_TRUNC/.test(args)) continue; // Changes nothing.
    const [path] = touched as Iterable<string>;
    const when = counts.get(`${thread} ${call} ${path}`)!;
    const key = `${call} ${when} ${path}`;
    if (!points.has(key)) points.set(key, { call, path: path!, when, text });
  }
  return { points: [...points.values()], unreachable };
}

/** Where a fault strikes, and what it is. */
export interface StrikeOptions {
  /** Directory of this run, in place of the one that was surveyed. */
  directory: string;
  /** File for strace's lines. */
  log: string;
  /** What happens there: death, unless told otherwise. */
  fault?: string;
}

/** Returns how to trace a further run of a scenario so that a fault strikes at a point of it. */
export function strike(
  { call, path, when }: Point,
  { directory, log, fault = "signal=SIGKILL" }: StrikeOptions,
): Trace {
  return { log, faults: [`${call}:${fault}:when=${when}`], paths: [`${directory}${path}`] };
}

/** Returns the calls that death has cut short, in the words of {@linkcode Point.text}. */
export function cutShort(log: string, directory: string): string[] {
  return [...callsOf(log)].filter(({ isCutShort }) => isCutShort)
    .map(({ call, args }) => textOf(call, args, directory));
}

interface Call {
  thread: string;
  call: string;
  args: string;
  isCutShort: boolean;
}

/** Calls in the order of their beginnings. `<unfinished ...>` ones end in a line further down. */
function callsOf(log: string): Iterable<Call> {
  const calls: Call[] = [];
  const begun = new Map<string, Call>();
  for (const line of log.split("\n")) {
    const [, thread, rest] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (thread === undefined || rest === undefined) continue;
    const isCutShort = /(= \?|<unfinished \.\.\.>)$/.test(rest);
    const resumed = begun.get(thread);
    if (rest.startsWith("<... ") && resumed !== undefined) {
      resumed.isCutShort = isCutShort;
      continue;
    }
    const [, call, after] = /^(\w+)\((.*)$/.exec(rest) ?? [];
    if (call === undefined || after === undefined) continue;
    const args = after.replace(/( <unfinished \.\.\.>)?(\) += .*)?$/, "");
    const entry = { thread, call, args, isCutShort };
    calls.push(entry);
    begun.set(thread, entry);
  }
  return calls;
}

/** Returns what stands in `<path>` of a descriptor or `"path"` of a name, if it is below. */
function pathsIn(args: string, directory: string): string[] {
  return [...args.matchAll(/<([^>]*)>|"([^"]*)"/g)].map(([, ofFile, name]) => ofFile ?? name!)
    .filter((path) => `${path}/`.startsWith(`${directory}/`))
    .map((path) => path.slice(directory.length));
}

function textOf(call: string, args: string, directory: string): string {
  return `${call}(${args.replaceAll(directory, "").replaceAll(/\d+</g, "<")})`;
}

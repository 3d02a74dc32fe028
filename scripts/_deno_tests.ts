/**
 * Runs `deno test` with narrow permissions, and with a directory of its own for temporary files
 * and channels, so that tests neither see nor leave anything outside.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { type Finished, run } from "./_command.ts";
import { ROOT } from "./_zig.ts";

/** How `deno test` ended. */
export interface FinishedTests extends Finished {
  /** The JUnit report; empty if the run ended without one, by a crash or a type error. */
  report: string;
  /** Figures that tests have noted: lines of `["name", value]`. */
  figures: string;
  /** Whether a signal to this process has ended it. */
  isStopped: boolean;
}

/** Real recordings beside the checkout; tests that need one are skipped where it is absent. */
const RECORDINGS = fileURLToPath(new URL("../../shared/data", import.meta.url));

/** Debian's browser; the tests of pages are skipped where it is absent. */
const CHROMIUM = "/usr/bin/chromium";

/** Debian's Prometheus; the tests that ask it are skipped where it is absent. */
const PROMETHEUS = ["/usr/bin/prometheus", "/usr/bin/promtool"];

const SIGNALS: Deno.Signal[] = ["SIGINT", "SIGTERM"];

/** Programs beside Deno that make disks and faults: tests/fault/_disk.ts and _trace.ts. */
const DISK_PROGRAMS = [
  ...["mount", "umount", "mkfs.ext4", "fsfreeze", "fallocate", "dd", "perl", "strace"],
];

/** Programs that give children another user, and that judge units. */
const SECURITY_PROGRAMS = ["setpriv", "systemd-analyze"];

/**
 * Also what docs/operations.md names, a shell for its completion, terminals, and what is built with
 * the fault points.
 */
const PROGRAMS = [
  ...[...DISK_PROGRAMS, ...SECURITY_PROGRAMS, ...PROMETHEUS],
  ...["cp", "mv", "bash", "script", "tmux", `${ROOT}zig-out/faults/bin/wal-faults`],
];

/**
 * Runs `deno test` with further arguments and variables of the environment. With `inherit` it
 * writes to this process's output.
 */
export async function runDenoTests(
  args: string[],
  { inherit = false, env = {} }: { inherit?: boolean; env?: Record<string, string> } = {},
): Promise<FinishedTests> {
  const temporary = await Deno.makeTempDir({ prefix: "mt-test-" });
  const channels = `${temporary}/run`; // Not /dev/shm, where Deno lets only --allow-all write.
  await Deno.mkdir(channels, { mode: 0o700 });
  const stop = new AbortController();
  // Listening keeps this process alive to remove the directory after its child has ended.
  const onSignal = () => stop.abort();
  for (const signal of SIGNALS) Deno.addSignalListener(signal, onSignal);
  try {
    const path = `${temporary}/junit.xml`;
    const figures = `${temporary}/figures`;
    const [program, ...before] = [...await mountNamespace(), Deno.execPath()];
    const finished = await run(
      program!,
      [...before, "test", ...permissions(temporary), `--junit-path=${path}`, ...args],
      {
        cwd: ROOT,
        env: { TMPDIR: temporary, XDG_RUNTIME_DIR: channels, MT_FIGURES: figures, ...env },
        inherit,
        signal: stop.signal,
      },
    );
    const read = (file: string) => Deno.readTextFile(file).catch(() => "");
    const isStopped = stop.signal.aborted;
    return { ...finished, report: await read(path), figures: await read(figures), isStopped };
  } finally {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, onSignal);
    await Deno.remove(temporary, { recursive: true });
  }
}

/** A command by which the tests' mounts end with them, even if killed; empty if not allowed. */
async function mountNamespace(): Promise<string[]> {
  const command = ["unshare", "--mount", "--"];
  const tried = await run(command[0]!, [...command.slice(1), "true"]).catch((error: unknown) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  return tried?.code === 0 ? command : [];
}

/** What the tests may do. Programs that they start have permissions of their own. */
function permissions(temporary: string): string[] {
  return [
    "--no-prompt",
    `--allow-read=${[ROOT, temporary, RECORDINGS, CHROMIUM, ...PROMETHEUS]}`,
    `--allow-write=${temporary}`,
    `--allow-run=${[Deno.execPath(), ...PROGRAMS]}`,
    `--allow-ffi=${ROOT}zig-out`,
    "--allow-net=127.0.0.1",
    "--allow-env=MT_*,TMPDIR,XDG_RUNTIME_DIR,HOME",
  ];
}

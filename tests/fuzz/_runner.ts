/**
 * Has targets run in processes, and finds out what ends them.
 *
 * @module
 */

import { readLines } from "../../scripts/services/_lines.ts";
import type { Answer, ChildTask, Finding } from "./_finding.ts";

const ROOT = decodeURIComponent(new URL("../..", import.meta.url).pathname);
const CHILD = decodeURIComponent(new URL("./_child.ts", import.meta.url).pathname);

/** Milliseconds between two looks at what a process is at. */
const LOOK_MS = 500;

/**
 * Looks that find a process at the same input, after which it hangs: some five minutes, where the
 * slowest input takes ten milliseconds, or some syncs of a slow disk. They are counted and not
 * timed, as a machine that stands still makes none.
 */
const HANG_LOOKS = 600;

/** Processes that are started to make the input smaller that ended one, and how long. Arbitrary. */
const SHRINKS_MAX = 40;
const SHRINK_MS = 60_000;

/** What to run. */
export interface FuzzTask
  extends Pick<ChildTask, "targets" | "seed" | "executions" | "milliseconds"> {
  /** The native library. Default: that which everybody uses. */
  library?: string | undefined;
}

/** What came of some targets. */
export interface FuzzAnswer {
  answers: Answer[];
  findings: Finding[];
}

/** How a process ended. */
interface ChildEnd {
  answers: Answer[];
  /** What ended it before it was done. */
  finding: Finding | undefined;
}

/**
 * Runs targets in one process, and what is left of them in a further one where it was ended.
 *
 * @param onAnswer Told of each target that is done.
 */
export async function fuzz(
  task: FuzzTask,
  onAnswer: (answer: Answer) => void = () => {},
): Promise<FuzzAnswer> {
  const directory = Deno.makeTempDirSync({ prefix: "mt-fuzz-" });
  const result: FuzzAnswer = { answers: [], findings: [] };
  try {
    for (let targets = task.targets; targets.length > 0;) {
      const { answers, finding } = await runChild({ ...task, targets, directory, findingsMax: 5 });
      for (const answer of answers) {
        result.answers.push(answer);
        result.findings.push(...answer.findings);
        onAnswer(answer);
      }
      if (finding === undefined) break;
      result.findings.push(await shrink(finding, { ...task, directory, findingsMax: 1 }));
      targets = targets.slice(targets.indexOf(finding.target) + 1);
    }
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
  return result;
}

/** What a process is started with. */
type Start = Omit<ChildTask, "journal"> & Pick<FuzzTask, "library">;

async function runChild({ library, ...task }: Start): Promise<ChildEnd> {
  const work = Deno.makeTempDirSync({ dir: task.directory });
  const journal = `${work}/.journal`;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-lock", `--allow-ffi=${ROOT}zig-out`],
      ...[`--allow-read=${ROOT},${work}`, `--allow-write=${work}`, "--allow-net=127.0.0.1"],
      ...(library === undefined ? [] : ["--allow-env=MT_LIB"]),
      ...[CHILD, JSON.stringify({ ...task, directory: work, journal } satisfies ChildTask)],
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1", TMPDIR: work, ...(library === undefined ? {} : { MT_LIB: library }) },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const answers: Answer[] = [];
  const stdout = (async () => {
    for await (const line of readLines(child.stdout)) answers.push(JSON.parse(line));
  })();
  const stderr = new Response(child.stderr).text();
  const watch = new HangWatch(journal, () => child.kill("SIGKILL"));
  const { success, code, signal } = await child.status;
  watch.stop();
  await stdout;
  if (success) return { answers, finding: undefined };
  const { index, input } = readJournal(journal);
  const finding: Finding = {
    target: task.targets[index]!,
    kind: watch.hasHung ? "hang" : "crash",
    found: watch.hasHung
      ? `no end within ${HANG_LOOKS} looks, one every ${LOOK_MS} ms`
      : `ended by ${signal ?? `status ${code}`}\n${(await stderr).slice(-2000)}`,
    input: input.toHex(),
  };
  return { answers, finding };
}

/** Makes the input smaller that ended a process: by halves, then by single bytes. */
async function shrink(finding: Finding, task: Start): Promise<Finding> {
  if (finding.kind === "hang") return finding; // Each try would take minutes.
  const end = performance.now() + SHRINK_MS;
  let [best, tries] = [Uint8Array.fromHex(finding.input), 0];
  for (let size = best.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at + size <= best.length;) {
      const isOver = ++tries > SHRINKS_MAX || performance.now() > end;
      if (isOver) return { ...finding, input: best.toHex() };
      const shorter = new Uint8Array([...best.subarray(0, at), ...best.subarray(at + size)]);
      const { finding: found } = await runChild({
        ...task,
        targets: [finding.target],
        inputs: [shorter.toHex()],
        executions: {},
        milliseconds: 0,
      });
      if (found?.kind === "crash") best = shorter;
      else at += size;
    }
  }
  return { ...finding, input: best.toHex() };
}

/** What a process was at. */
function readJournal(path: string): { executions: number; index: number; input: Uint8Array } {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Deno.readFileSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    bytes = new Uint8Array(0);
  }
  if (bytes.length < 12) return { executions: 0, index: 0, input: new Uint8Array(0) };
  const view = new DataView(bytes.buffer);
  const size = view.getUint32(8, true);
  return {
    executions: view.getUint32(0, true),
    index: view.getUint32(4, true),
    input: bytes.subarray(12, 12 + size),
  };
}

/** Ends a process that is at the same input for too long. */
class HangWatch {
  hasHung = false;
  readonly #timer: ReturnType<typeof setInterval>;
  #executions = 0;
  #looks = 0;

  constructor(journal: string, end: () => void) {
    this.#timer = setInterval(() => {
      const { executions } = readJournal(journal);
      if (executions !== this.#executions) {
        this.#executions = executions;
        this.#looks = 0;
      } else if (++this.#looks > HANG_LOOKS && !this.hasHung) {
        this.hasHung = true;
        end();
      }
    }, LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/**
 * Runs the tests: `deno task test`.
 *
 * @module
 */

import { formatSeconds, run, runScript, ScriptError } from "./_command.ts";
import { type FinishedTests, runDenoTests } from "./_deno_tests.ts";
import { countJUnit, type TestCounts } from "./_junit.ts";
import { buildLibrary, ROOT, runZigTests } from "./_zig.ts";

const HELP =
  `Builds the library where it is stale, then runs the Zig and the TypeScript tests, in several
processes side by side. What failed is printed last.

Usage: deno task test                        everything
       deno task test:zig                    only Zig, in Debug and ReleaseSafe
       deno task test [deno test arguments]  only TypeScript, such as:
       deno task test tests/ring_test.ts --filter wrap

The last line on stdout is "N passed, N failed", with ", N skipped" where some were. A step that
ends without counts is one failure. Exit status: 0 if nothing failed, else 1.`;

// Flags of `deno test` whose value is an argument of its own, which is no test file.
const FLAGS_WITH_VALUE = new Set([
  ...["--config", "-c", "--filter", "--import-map", "--repeats", "--reporter", "--retry"],
  ...["--seed", "--shard"],
]);

/**
 * Shares of the TypeScript tests, each a process. Many, so that the lanes end at about the same
 * time whatever a share costs; few, as each costs half a second to start.
 */
const SHARES = 32;

/** What runs side by side: two more than there are cores, as most tests wait for something. */
const LANES = navigator.hardwareConcurrency + 2;

/** A part of the tests. */
type Job = () => Promise<TestCounts>;

/** A signal has ended a part: there shall be no further one. */
class Stopped extends ScriptError {}

async function main(args: string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(HELP);
    return 0;
  }
  const total: TestCounts = { passed: 0, failed: 0, skipped: 0 };
  const zigJobs: Job[] = [() => zigTests("Debug"), () => zigTests("ReleaseSafe")];
  if (args[0] === "--zig") await runJobs(zigJobs, total);
  else if (await isBuilt(total)) {
    if (namesFiles(args)) {
      await runJobs([async () => count(await runDenoTests(args, { inherit: true }))], total);
    } else {
      // Types are checked once, not in each share; with arguments of its own, such as another
      // configuration, each share does.
      const isWhole = args.length === 0;
      const flags = isWhole ? ["--no-check"] : args;
      const failures: string[] = [];
      const jobs = isWhole ? [...zigJobs, checkTypes] : [];
      await runJobs([...jobs, ...shares(flags, failures)], total);
      for (const output of failures) console.log(output);
    }
  }
  const { passed, failed, skipped } = total;
  if (passed + failed === 0) console.error("error: no test ran");
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

/** Builds what the TypeScript tests load. Returns whether it is there. */
async function isBuilt(total: TestCounts): Promise<boolean> {
  try {
    await Promise.all([buildLibrary(), buildLibrary({ faultPoints: true })]);
    return true;
  } catch (error) {
    reportFailure(error, total);
    return false;
  }
}

/** Runs jobs in lanes, in their order. One that cannot run is one failure. */
async function runJobs(jobs: Job[], total: TestCounts): Promise<void> {
  const lane = async () => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      try {
        add(total, await job());
      } catch (error) {
        if (error instanceof Stopped) jobs.length = 0;
        reportFailure(error, total);
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Whatever it was, the last line must be there and must say that something failed. */
function reportFailure(error: unknown, total: TestCounts): void {
  console.error(error instanceof ScriptError ? `error: ${error.message}` : error);
  total.failed++;
}

function add(total: TestCounts, counts: TestCounts): void {
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}

async function zigTests(optimize: "Debug" | "ReleaseSafe"): Promise<TestCounts> {
  const tests = await runZigTests(optimize);
  if (tests.failed > 0) console.error(tests.output);
  const { passed, failed, skipped, seconds } = tests;
  console.log(
    `zig ${optimize}: ${passed} passed, ${failed} failed, ${skipped} skipped ` +
      `(${formatSeconds(seconds)})`,
  );
  return tests;
}

/** Checks the types of all that the tests are made of. A mistake is one failure. */
async function checkTypes(): Promise<TestCounts> {
  const { code, stderr } = await run(Deno.execPath(), ["check", "tests/"], { cwd: ROOT });
  if (code !== 0) throw new ScriptError(`Cannot use the tests' types:\n${stderr}`);
  return { passed: 0, failed: 0, skipped: 0 };
}

/** Parts of the TypeScript tests. What those print that failed goes into `failures`. */
function shares(args: string[], failures: string[]): Job[] {
  return Array.from({ length: SHARES }, (_, index) => async () => {
    const finished = await runDenoTests([...args, `--shard=${index + 1}/${SHARES}`, "tests/"]);
    const output = `${finished.stdout}${finished.stderr}`.trimEnd();
    if (finished.code === 0) console.log(output);
    else failures.push(output);
    if (finished.isStopped) throw new Stopped("Cannot finish the tests: found a signal to end");
    return count(finished);
  });
}

function count({ code, report }: FinishedTests): TestCounts {
  const counts = countJUnit(report);
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

/** Tells whether the arguments name a test file or folder, so that the default is not added. */
function namesFiles(args: string[]): boolean {
  return args.some((arg, index) =>
    !arg.startsWith("-") && !FLAGS_WITH_VALUE.has(args[index - 1] ?? "")
  );
}

if (import.meta.main) await runScript("test", main);

/**
 * Runs the tests: `deno task test`.
 *
 * @module
 */

import { formatSeconds, runScript, ScriptError } from "./_command.ts";
import { type FinishedTests, runDenoTests } from "./_deno_tests.ts";
import { countJUnit, type TestCounts } from "./_junit.ts";
import { buildLibrary, runZigTests } from "./_zig.ts";

const HELP = `Builds the library where it is stale, then runs the Zig and the TypeScript tests.

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

async function main(args: string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(HELP);
    return 0;
  }
  const total: TestCounts = { passed: 0, failed: 0, skipped: 0 };
  const isZigOnly = args[0] === "--zig";
  try {
    if (args.length === 0 || isZigOnly) {
      add(total, await zigTests("Debug"));
      add(total, await zigTests("ReleaseSafe"));
    }
    if (!isZigOnly) {
      await buildLibrary();
      await buildLibrary({ faultPoints: true });
      add(total, await denoTests(args));
    }
  } catch (error) {
    // Whatever it was, the last line must be there and must say that something failed.
    console.error(error instanceof ScriptError ? `error: ${error.message}` : error);
    total.failed++;
  }
  const { passed, failed, skipped } = total;
  if (passed + failed === 0) console.error("error: no test ran");
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  return failed === 0 && passed > 0 ? 0 : 1;
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

async function denoTests(args: string[]): Promise<TestCounts> {
  if (namesFiles(args)) return count(await runDenoTests(args, { inherit: true }));
  // Halves in processes of their own, side by side: most tests wait for something.
  const [first, second] = await Promise.all([
    runDenoTests([...args, "--shard=1/2", "tests/"], { inherit: true }),
    runDenoTests([...args, "--shard=2/2", "tests/"]),
  ]);
  console.log(`${second.stdout}${second.stderr}`);
  const counts = count(first);
  add(counts, count(second));
  return counts;
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

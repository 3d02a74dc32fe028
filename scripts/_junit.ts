/**
 * Test counts out of the JUnit report that `deno test --junit-path` writes.
 *
 * @module
 */

/** How many tests ended how. */
export interface TestCounts {
  passed: number;
  failed: number;
  skipped: number;
}

interface Case {
  name: string;
  /** `undefined` for a test that the filter left out. */
  result: keyof TestCounts | undefined;
}

/**
 * Counts the tests of a report: those without steps, and the steps that have none of their own.
 *
 * Deno names a step `test > step`. A test with steps is only a bracket around them, and counts
 * when it failed although all its steps did well.
 */
export function countJUnit(xml: string): TestCounts {
  const counts: TestCounts = { passed: 0, failed: 0, skipped: 0 };
  for (const suite of xml.split("<testsuite ").slice(1)) {
    const cases = suite.split("<testcase ").slice(1).map(parseCase);
    for (const { name, result } of cases) {
      const steps = cases.filter((other) => other.name.startsWith(`${name} &gt; `));
      const isOwnFailure = result === "failed" && steps.every((step) => step.result !== "failed");
      if (result !== undefined && (steps.length === 0 || isOwnFailure)) counts[result]++;
    }
  }
  return counts;
}

function parseCase(xml: string): Case {
  const name = /^name="([^"]*)"/.exec(xml)?.[1] ?? "";
  if (/<(failure|error)\b/.test(xml)) return { name, result: "failed" };
  if (!xml.includes("<skipped")) return { name, result: "passed" };
  // Only the time tells an ignored test from one that the filter left out.
  return { name, result: / time="/.test(xml) ? "skipped" : undefined };
}

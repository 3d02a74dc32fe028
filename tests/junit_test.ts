// The reports are shortened from what Deno 2.9.6 wrote for tests made for this purpose.

import { assertEquals } from "@std/assert";
import { countJUnit } from "../scripts/_junit.ts";

const FAILURE = `<failure message="1 test step failed">1 test step failed.</failure>`;

function report(...cases: string[]): string {
  return `<testsuites name="deno test"><testsuite name="./a_test.ts">${cases.join("\n")}
    </testsuite></testsuites>`;
}

function testCase(name: string, content = "", attributes = `classname="./a_test.ts" time="0.1"`) {
  return `<testcase name="${name}" ${attributes}>\n${content}\n</testcase>`;
}

Deno.test("countJUnit() counts tests that passed, failed and were ignored", () => {
  const xml = report(
    testCase("a"),
    testCase("b"),
    testCase("c", FAILURE),
    testCase("d", `<skipped/>`),
    testCase("e", `<error message="Cancelled"/>`),
  );
  assertEquals(countJUnit(xml), { passed: 2, failed: 2, skipped: 1 });
});

Deno.test("countJUnit() leaves out what the filter left out", () => {
  const xml = report(testCase("a"), testCase("b", `<skipped/>`, `classname="./a_test.ts"`));
  assertEquals(countJUnit(xml), { passed: 1, failed: 0, skipped: 0 });
});

Deno.test("countJUnit() counts steps in the place of the test around them", () => {
  const xml = report(
    testCase("group", FAILURE),
    testCase("group &gt; good"),
    testCase("group &gt; inner", FAILURE),
    testCase("group &gt; inner &gt; bad", FAILURE),
    testCase("group &gt; inner &gt; good"),
  );
  assertEquals(countJUnit(xml), { passed: 2, failed: 1, skipped: 0 });
});

Deno.test("countJUnit() counts a test that fails although its steps did well", () => {
  const xml = report(testCase("leaks", FAILURE), testCase("leaks &gt; step"));
  assertEquals(countJUnit(xml), { passed: 1, failed: 1, skipped: 0 });
});

Deno.test("countJUnit() keeps tests of the same name in two files apart", () => {
  const xml = report(testCase("ring")) + report(testCase("ring"), testCase("ring &gt; wraps"));
  assertEquals(countJUnit(xml), { passed: 2, failed: 0, skipped: 0 });
});

Deno.test("countJUnit() counts nothing in a report that a crash left empty", () => {
  assertEquals(countJUnit(""), { passed: 0, failed: 0, skipped: 0 });
});

// `describe` and `it` are tried on small test files in a process of their own, because what
// matters is what the test runner makes of them.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

const BDD = new URL("../testing/bdd.ts", import.meta.url).href;

// The sanitizers as in deno.json, which a file outside of the repository does not see.
const FLAGS = [
  ...["test", "--no-config", "--no-lock", "--no-check", "--allow-read"],
  ...["--sanitize-ops", "--sanitize-resources"],
];

interface Outcome {
  success: boolean;
  output: string;
}

async function runTests(body: string): Promise<Outcome> {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/sample_test.ts`;
    await Deno.writeTextFile(
      path,
      `import { after, afterAll, afterEach, before, beforeAll, beforeEach, describe, it, test }
         from "${BDD}";\n${body}`,
    );
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...FLAGS, path],
      env: { NO_COLOR: "1" },
    }).output();
    const decoder = new TextDecoder();
    return { success, output: decoder.decode(stdout) + decoder.decode(stderr) };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("describe() runs hooks around each test, the outer ones outside", async () => {
  const { success, output } = await runTests(`
    const calls = [];
    const note = (text) => () => { calls.push(text); };
    describe("outer", () => {
      before(note("beforeAll"));
      beforeEach(note("beforeEach"));
      afterEach(note("afterEach"));
      afterAll(note("afterAll"));
      it("a", note("a"));
      describe("inner", () => {
        beforeAll(note("inner beforeAll"));
        beforeEach(note("inner beforeEach"));
        afterEach(note("inner afterEach"));
        after(note("inner afterAll"));
        test("b", note("b"));
      });
    });
    it("top", () => console.log("ORDER " + calls.join(", ") + "."));`);
  assertEquals(success, true, output);
  assertStringIncludes(
    output,
    "ORDER beforeAll, beforeEach, a, afterEach, inner beforeAll, " +
      "beforeEach, inner beforeEach, b, inner afterEach, afterEach, inner afterAll, afterAll.",
  );
});

Deno.test("it() fails the run and still runs afterEach and afterAll", async () => {
  const { success, output } = await runTests(`
    describe("group", () => {
      afterEach(() => console.log("AFTER EACH"));
      afterAll(() => console.log("AFTER ALL"));
      it("good", () => {});
      it("bad", async () => { await 0; throw new Error("boom"); });
    });`);
  assertEquals(success, false, output);
  assertMatch(output, /good \.\.\.[^]*ok/);
  assertMatch(output, /bad \.\.\.[^]*FAILED/);
  assertEquals(output.split("AFTER EACH").length, 3, output);
  assertStringIncludes(output, "AFTER ALL");
});

Deno.test("describe() and it() do not run what is ignored", async () => {
  const { success, output } = await runTests(`
    const never = () => { throw new Error("ran"); };
    it.ignore("top", never);
    describe.skip("whole group", () => it("within", never));
    describe("group", () => {
      it.skip("a", never);
      it({ name: "b", ignore: true, fn: never });
      describe.ignore("inner", () => it("c", never));
    });`);
  assertEquals(success, true, output);
  assertMatch(output, /1 passed.*2 ignored \(3 steps\)/);
});

Deno.test("it() within describe() fails when it leaks, as the sanitizers are on", async () => {
  const { success, output } = await runTests(`
    describe("group", () => it("leaks", () => { Deno.openSync(new URL(import.meta.url)); }));`);
  assertEquals(success, false, output);
  assertStringIncludes(output, "Leaks detected");
});

Deno.test("bdd refuses hooks outside of describe, and an async describe", async () => {
  const hook = await runTests(`beforeEach(() => {});`);
  assertEquals(hook.success, false, hook.output);
  assertStringIncludes(hook.output, "Cannot add beforeEach outside of describe");
  const group = await runTests(`describe("group", async () => {});`);
  assertEquals(group.success, false, group.output);
  assertStringIncludes(group.output, `Cannot describe "group" asynchronously`);
});

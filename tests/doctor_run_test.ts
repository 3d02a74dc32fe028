// The doctor on this machine: as a command, and what it says of channels' cost.

import { assertAlmostEquals, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CHANNEL_COST, LOG_COST } from "../scripts/doctor/memory.ts";
import { mtHere } from "./_cli.ts";
import { runChild } from "./_support.ts";
import { runTask, TaskDirectory } from "./_task.ts";

Deno.test("mt doctor prints a table and what to do, and fails where something fails", async () => {
  using directory = new TaskDirectory();
  const args = ["doctor", "--directory", directory.path, "--cores", "8191"];
  const { code, stdout, stderr } = await runTask("mt", args);
  assertEquals([code, stderr], [1, ""]);
  assertMatch(stdout, /^Area +What +Verdict +Found$/m);
  assertMatch(stdout, /^cores +cores +fail +core 8191 may not be used: this process has core/m);
  assertMatch(stdout, /^cores: choose others with --cores/m);
  assertMatch(stdout, /^1 failure.* \(cores.*\)$/m);
  assertStringIncludes(stdout, "No disk was examined");
  assertEquals(stdout.includes("\x1b"), false, "no colours where no person looks");
  assertEquals([...Deno.readDirSync(directory.path)], []);
});

Deno.test("mt doctor refuses cores that are none, before it looks at anything", async () => {
  const { code, stdout, stderr } = await mtHere("doctor", "--cores", "2,2");
  assertEquals([code, stdout], [2, ""]);
  assertMatch(stderr, /^error: Cannot use --cores 2,2: expected numbers of different cores/);
});

Deno.test("A channel costs its process what the doctor counts with", async () => {
  using directory = new TaskDirectory();
  const script = new URL("_doctor_cost_child.ts", import.meta.url).pathname;
  const args = ["run", "--quiet", "--allow-all", script, directory.path];
  const { code, stdout, stderr } = await runChild(args);
  assertEquals(code, 0, stderr);
  const { plain, logged } = JSON.parse(stdout);
  assertAlmostEquals(plain.files, CHANNEL_COST.files, 0.1);
  assertAlmostEquals(plain.mappings, CHANNEL_COST.mappings, 1); // JavaScript's heap grows, too.
  assertAlmostEquals(logged.files, CHANNEL_COST.files + LOG_COST.files, 2);
  assertAlmostEquals(logged.mappings, CHANNEL_COST.mappings + LOG_COST.mappings, 5);
});

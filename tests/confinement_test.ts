// What `confine()` takes away, from whom, and that the library and the pipeline go on without it.

import { assert, assertEquals } from "@std/assert";
import { Scene } from "./e2e/_scene.ts";
import { ROOT, runChild, Scratch } from "./_support.ts";

const EPERM = 1;

/**
 * Tells of processes whether all their threads have a filter: /proc takes every permission. A
 * thread of a pool may end between the two looks.
 */
const FILTERS = `
const statusOf = (task) => {
  try {
    return Deno.readTextFileSync(task + "/status");
  } catch {
    return "";
  }
};
console.log(JSON.stringify(Deno.args.map((pid) => {
  const tasks = [...Deno.readDirSync("/proc/" + pid + "/task")]
    .map(({ name }) => statusOf("/proc/" + pid + "/task/" + name))
    .filter((status) => status !== "");
  return tasks.length > 1 && tasks.every((status) => /^Seccomp:\\t2$/m.test(status));
})));`;

Deno.test("confine() takes system calls away from every thread, and no more", async () => {
  using scratch = new Scratch();
  const script = `${ROOT}tests/_confined_child.ts`;
  const { code, stdout, stderr } = await runChild(
    ["run", "--no-prompt", "--no-config", "--allow-all", script, scratch.directory],
  );
  assertEquals(code, 0, stderr);
  const { before, after, text } = JSON.parse(stdout);
  for (const found of [before.main, before.worker]) {
    assert(found.execve !== EPERM && found.ptrace !== EPERM, JSON.stringify(before));
  }
  assertEquals(before.program, "started");
  const { getppid: _, ...refused } = before.main;
  const expected = Object.fromEntries(Object.keys(refused).map((name) => [name, EPERM]));
  for (const found of [after.main, after.early, after.late]) {
    assertEquals(found, { ...expected, getppid: 0 });
  }
  assertEquals([after.pool, after.program, after.status], [-1, "PermissionDenied", "2"]);
  assertEquals(text, "through, disk");
});

Deno.test("Pipeline of services with --seccomp takes orders, also after a kill", async () => {
  await using scene = await Scene.open(1, { isConfined: true });
  const { pipeline } = scene;
  const filters = async () => {
    const { stdout } = await runChild([
      "eval",
      FILTERS,
      ...pipeline.all.map(({ pid }) => `${pid}`),
    ]);
    return JSON.parse(stdout);
  };
  assertEquals(await filters(), [true, true, true, true], "all threads of all processes");
  await scene.progress();
  await scene.kill(pipeline.engine);
  await scene.progress();
  assertEquals(await filters(), [true, true, true, true]);
  const { verdict: { lost, duplicated, stateHashEqual, booksWrong }, outcome } = await scene
    .judge();
  assertEquals({ lost, duplicated, stateHashEqual, booksWrong }, {
    ...{ lost: 0, duplicated: 0, stateHashEqual: true, booksWrong: 0 },
  });
  assert(outcome.counts.acks > 0);
});

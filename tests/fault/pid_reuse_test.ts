// A process dies and an unrelated one gets its pid: liveness is the kernel's lock on the ring file,
// so nobody is fooled. Pids are chosen in a pid namespace, which needs root and util-linux.

import { assertEquals } from "@std/assert";
import {
  Child,
  FAULTY_LIBRARY,
  IS_LONG,
  note,
  ROOT,
  TestDirectory,
  testUnless,
} from "./_support.ts";

const ROUNDS = IS_LONG ? 102 : 21; // A third each: consumers, producers, claims.

function startInNamespace(directory: string, rounds: number): Child {
  const script = `${ROOT}tests/fault/children/pid_reuse.ts`;
  const config = { deno: Deno.execPath(), script, rounds, library: FAULTY_LIBRARY };
  return new Child("in_namespace", config, { directory, permissions: ["--allow-run=unshare"] });
}

/** Why this cannot run here; undefined if it can. */
async function reasonToSkip(): Promise<string | undefined> {
  using directory = new TestDirectory();
  await using child = startInNamespace(directory.path, 0);
  try {
    await child.expect("open");
    return undefined;
  } catch (error) {
    const text = String(error);
    return /unshare|NotFound/.test(text) ? "needs root and util-linux" : "needs ns_last_pid";
  }
}

const reason = await reasonToSkip();

testUnless(reason, "Pid of a dead process given to another fools nobody", async () => {
  using directory = new TestDirectory();
  await using child = startInNamespace(directory.path, ROUNDS);
  await child.expect("open");
  for (let round = 0; round < ROUNDS; round++) {
    const what = ["consumer", "producer", "claim"][round % 3]!;
    // The slot still has that pid, its owner is dead all the same, and things go on.
    assertEquals(await child.expect("round"), `${what} true dead 1`);
  }
  await child.expect("end");
  await child.succeeded();
  note("reusedPids", ROUNDS);
});

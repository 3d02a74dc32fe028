// The log on a disk in memory that loses, spoils and refuses: zig/testing/wal_faults.zig.

import { assertEquals } from "@std/assert";
import { IS_LONG, note, ROOT, seedOf } from "./_support.ts";

/** What the program prints. */
interface Result {
  tried: number;
  violations: number;
  seed: number;
  violation: string;
}

/** Runs it, `MT_PLANT` naming a fault of the log's own. */
async function walFaults(args: string[], plant?: string): Promise<Result> {
  const { code, stdout, stderr } = await new Deno.Command(`${ROOT}zig-out/faults/bin/wal-faults`, {
    args,
    env: plant === undefined ? {} : { MT_PLANT: plant },
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (code > 1 || text === "") {
    const errors = new TextDecoder().decode(stderr);
    throw new Error(`Cannot run wal-faults: found status ${code}\n${errors}`);
  }
  return JSON.parse(text);
}

Deno.test("No seed of crashes and faults loses or invents a record", async () => {
  const seeds = IS_LONG ? 100_000 : 800;
  const first = seedOf(1);
  const { tried, violations, seed, violation } = await walFaults(["seeds", `${seeds}`, `${first}`]);
  note("t4Seeds", tried);
  note("t4Violations", violations);
  assertEquals({ tried, violations, violation, seed }, {
    tried: seeds,
    violations: 0,
    violation: "",
    seed: 0,
  });
});

Deno.test("Every damage to a log is found, and named right", async () => {
  const { tried, violations, violation } = await walFaults(["damage"]);
  note("t5t6Damages", tried);
  note("t5t6Violations", violations);
  assertEquals({ violations, violation }, { violations: 0, violation: "" });
});

for (const plant of ["no_sync", "early_ack", "retried_sync", "early_group"]) {
  Deno.test(`Planted ${plant} is found by the seeds`, async () => {
    const { violations } = await walFaults(["seeds", "400"], plant);
    note("t4PlantedFound", Number(violations > 0));
    assertEquals(violations > 0, true);
  });
}

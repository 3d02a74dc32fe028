// An engine with a log and checkpoints is killed at random, or its disk loses power: its state is
// then what an undisturbed one would have, and it knows every order that was acknowledged.

import { assert, assertEquals } from "@std/assert";
import { PowerCutDisk } from "./_disk.ts";
import { expectedSum } from "./_engine.ts";
import {
  Child,
  IS_LONG,
  note,
  pause,
  Random,
  seedOf,
  TestDirectory,
  testUnless,
} from "./_support.ts";

const KILLS = IS_LONG ? 1_000 : 8;
const CUTS = IS_LONG ? 100 : 3;

/** What a life of the engine has told. */
interface Life {
  /** Sequence that its checkpoint had. */
  checkpointed: number;
  /** Orders that it knew when it had replayed. */
  recovered: number;
  /** Last one that it acknowledged, or knew at its start. */
  acked: number;
  checkpoints: number;
}

/** Reads what the child tells until it has acknowledged `batches` or has ended. */
async function live(child: Child, batches: number): Promise<Life> {
  const words = (await child.expect("recovered")).split(" ").map(Number);
  const [checkpointed = 0, count = 0, sum = -1, last = -1] = words;
  assertEquals(sum, expectedSum(count), "state and orders agree");
  assert(count >= last, `${count} orders of ${last} that the log has`);
  const life = { checkpointed, recovered: count, acked: count, checkpoints: 0 };
  for (let left = batches; left > 0;) {
    const line = await child.line();
    if (line === undefined) break;
    if (noteLine(life, line)) left--;
  }
  return life;
}

/** True for an acknowledgement. */
function noteLine(life: Life, line: string): boolean {
  if (line.startsWith("checkpoint ")) life.checkpoints++;
  if (!line.startsWith("acked ")) return false;
  life.acked = Math.max(life.acked, Number(line.slice("acked ".length)));
  return true;
}

async function drain(child: Child, life: Life): Promise<void> {
  for (let line = await child.line(); line !== undefined; line = await child.line()) {
    noteLine(life, line); // The last one may lack digits: what it says is too low then.
  }
}

Deno.test("Engine killed at random goes on with the state of an undisturbed one", async () => {
  using directory = new TestDirectory();
  const seed = seedOf(4_711);
  const random = new Random(seed);
  let acked = 0;
  let checkpoints = 0;
  let fromCheckpoint = 0;
  for (let round = 0; round < KILLS; round++) {
    const config = { disk: directory.path, batches: 1_000_000 };
    await using child = new Child("engine", config, { directory: directory.path });
    const life = await live(child, random.below(60));
    const where = `seed ${seed}, round ${round}`;
    assert(life.recovered >= acked, `${where}: ${life.recovered} orders of ${acked}`);
    await pause(random.below(5));
    child.kill();
    await drain(child, life);
    const { signal, stderr } = await child.ended();
    assertEquals(signal, "SIGKILL", stderr);
    acked = life.acked;
    checkpoints += life.checkpoints;
    if (life.checkpointed > 0) fromCheckpoint++;
    // Sometimes the ring goes with its host, too.
    if (round % 3 === 2) Deno.removeSync(`${directory.path}/orders.ring`);
  }
  assert(fromCheckpoint > 0, "no life began from a checkpoint");
  note("engine: kills", KILLS);
  note("engine: orders acknowledged and kept", acked);
  note("engine: checkpoints", checkpoints);
});

testUnless(
  await PowerCutDisk.obstacle(),
  "Engine whose disk loses power goes on with the state of an undisturbed one",
  async () => {
    using directory = new TestDirectory();
    await using disk = await PowerCutDisk.create();
    const random = new Random(seedOf(4_712));
    let acked = 0;
    for (let round = 0; round < CUTS; round++) {
      const config = { disk: disk.path, batches: 1_000_000 };
      const permissions = [`--allow-read=${disk.path}`, `--allow-write=${disk.path}`];
      await using child = new Child("engine", config, { directory: directory.path, permissions });
      const life = await live(child, 10 + random.below(60));
      assert(life.recovered >= acked, `round ${round}: ${life.recovered} orders of ${acked}`);
      await pause(random.below(5));
      await disk.cut(child.pid);
      await drain(child, life);
      await child.ended();
      acked = life.acked;
      await disk.restore();
      Deno.removeSync(`${directory.path}/orders.ring`); // As the host's memory.
    }
    note("engine: power cuts", CUTS);
  },
);

// Owners of a store that are killed (SIGKILL): at random moments, between the parts of a commit,
// and in the middle of a read. The next owner finds every acknowledged batch whole and none half.

import { assert, assertEquals } from "@std/assert";
import { openStore, type Store } from "../../mod.ts";
import { checkBatches } from "./_store.ts";
import { Child, IS_LONG, note, pause, Random, seedOf, TestDirectory } from "./_support.ts";

const ROUNDS = IS_LONG ? 2_000 : 12;

function open(directory: TestDirectory): Store {
  return openStore({ directory: `${directory.path}/store`, mapBytes: 2 ** 18 });
}

Deno.test("Store killed at random moments loses no batch that was acknowledged", async () => {
  using directory = new TestDirectory();
  const seed = seedOf(20_261);
  const random = new Random(seed);
  let acknowledged = 0;
  let unacknowledged = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await using child = new Child("store", {}, { directory: directory.path });
    const found = Number(await child.expect("open"));
    const where = `seed ${seed}, round ${round}`;
    assert(found >= acknowledged && found <= acknowledged + 1, `${where}: ${found}`);
    if (found > acknowledged) unacknowledged++;
    acknowledged = found;
    for (let left = random.below(12); left > 0; left--) {
      acknowledged = Number(await child.expect("acked"));
    }
    if (random.below(2) === 0) await pause(random.below(4));
    child.kill();
    // What it still told before it died counts as well.
    for (let line = await child.line(); line !== undefined; line = await child.line()) {
      if (line.startsWith("acked ")) acknowledged = Number(line.slice("acked ".length));
    }
    assertEquals((await child.ended()).signal, "SIGKILL");
    using store = open(directory);
    const head = await checkBatches(store);
    assert(head >= acknowledged && head <= acknowledged + 1, `${where}: ${head}, ${acknowledged}`);
  }
  assert(acknowledged > ROUNDS, `only ${acknowledged} commits were acknowledged`);
  note("store: kills", ROUNDS);
  note("store: commits acknowledged and kept", acknowledged);
  note("store: commits that were durable and not acknowledged", unacknowledged);
});

for (
  const { point, head } of [
    { point: "before_store_commit", head: 2 },
    { point: "after_store_commit", head: 3 },
  ]
) {
  Deno.test(`Store killed at ${point} has its batch whole or not at all`, async () => {
    using directory = new TestDirectory();
    await using child = new Child("store", {}, { directory: directory.path, fault: `${point}:3` });
    await child.expect("open");
    await child.expect("acked");
    await child.expect("acked");
    assertEquals((await child.ended()).signal, "SIGKILL");
    using store = open(directory);
    assertEquals(await checkBatches(store), head);
  });
}

Deno.test("Store killed in the middle of a read leaves no reader that holds pages", async () => {
  using directory = new TestDirectory();
  const place = directory.path;
  // The first read is that of the head.
  const options = { directory: place, fault: "in_store_read:4" };
  await using child = new Child("store", { reads: true }, options);
  await child.expect("open");
  await child.expect("acked");
  await child.expect("acked");
  assertEquals((await child.ended()).signal, "SIGKILL");
  await using heir = new Child("store", { count: 100 }, { directory: place });
  assertEquals(await heir.expect("open"), "3");
  for (let number = 4; number <= 103; number++) {
    assertEquals(await heir.expect("acked"), String(number));
  }
  await heir.succeeded();
  using store = open(directory);
  assertEquals(await checkBatches(store), 103);
  // Five batches of 33 KB at most, and those that the last two transactions freed.
  const { usedBytes } = store.stats();
  assert(usedBytes < 2 ** 19, `${usedBytes} bytes are in use`);
});

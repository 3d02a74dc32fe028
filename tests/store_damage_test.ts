// Stores whose file is damaged, closed or open. Each kind of damage is done in a process of its
// own, which checks every outcome; a crash of it fails the test.

import { assert, assertEquals } from "@std/assert";
import { StoreScratch } from "./_store.ts";
import { ROOT, runScript } from "./_support.ts";

const IS_LONG = Deno.env.get("MT_LONG") === "1";

/** Runs one kind of damage; how often each outcome came. */
async function damage(kind: string, step: number): Promise<Record<string, number>> {
  using scratch = new StoreScratch();
  const place = scratch.directory;
  const flags = [`--allow-ffi=${ROOT}zig-out`, `--allow-read=${place}`, `--allow-write=${place}`];
  const options = { watchdogMs: 600_000 };
  const counts = await runScript(
    "_store_damage_child.ts",
    flags,
    [kind, place, `${step}`],
    options,
  );
  return counts as Record<string, number>;
}

Deno.test("Store with a flipped byte gives right values or says what is damaged", async () => {
  const { refused = 0, value = 0, right = 0, ...others } = await damage("flip", IS_LONG ? 5 : 797);
  assertEquals(others, {});
  assert(refused > 0 && value > 0 && right > 0, `${refused} ${value} ${right}`);
});

Deno.test("Store with a truncated file is refused", async () => {
  const { refused = 0, ...others } = await damage("truncate", IS_LONG ? 64 : 2_039);
  assertEquals(others, {});
  assert(refused > 0);
});

Deno.test("Store with a zeroed, garbled or misplaced sector tells what is damaged", async () => {
  const { refused = 0, value = 0, right = 0, ...others } = await damage("sector", 512);
  assertEquals(others, {});
  assert(refused > 0 && value > 0 && right > 0, `${refused} ${value} ${right}`);
});

Deno.test("Store with a file truncated while it is open gives errors only", async () => {
  const { store = 0, ...others } = await damage("truncateOpen", IS_LONG ? 64 : 2_039);
  assertEquals(others, {});
  assert(store > 0);
});

Deno.test("Store with a page zeroed while it is open gives no wrong value", async () => {
  const counts = await damage("zeroOpen", 4096);
  const { store = 0, value = 0, right = 0, ...others } = counts;
  assertEquals(others, {});
  assert(store > 0, `${store} ${value} ${right}`);
});

Deno.test("Store with bytes changed while it is open gives no wrong value", async () => {
  const counts = await damage("flipOpen", IS_LONG ? 20_000 : 200);
  const { store = 0, value = 0, right = 0, ...others } = counts;
  assertEquals(others, {});
  assert(store > 0 && right > 0, `${store} ${value} ${right}`);
});

// The pace of what was recorded.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Pacer } from "../lib/market/pacer.ts";

Deno.test("Pacer.delayMs() follows the recorded times, from the first message on", () => {
  const pacer = new Pacer(10);
  assertEquals(pacer.delayMs(5_000_000), 0, "the first is due at once");
  const second = pacer.delayMs(1_005_000_000);
  const isTenth = second > 50_000 && second <= 100_000; // Less what the machine took since then.
  assertEquals(isTenth, true, `1,000 s later, at ten times the speed: ${second} ms`);
  assertEquals(pacer.delayMs(4_000_000), 0, "before the first");
  assert(pacer.lateMs(4_000_000) >= 100);
  assertEquals(pacer.lateMs(1_005_000_000), 0);
  assertEquals(pacer.delayMs(9e15), 3_600_000, "one sleep is an hour at most");
  const fast = new Pacer(0);
  assertEquals([fast.delayMs(9e15), fast.lateMs(0)], [0, 0]);
});

Deno.test("Pacer.wait() waits as long as it takes, unless it is told to end", async () => {
  const pacer = new Pacer(1);
  const start = performance.now();
  await pacer.wait(1_000_000);
  await pacer.wait(1_020_000);
  assert(performance.now() - start >= 20);
  const stop = new AbortController();
  const waiting = pacer.wait(9e15, stop.signal);
  stop.abort(new RangeError("enough"));
  await assertRejects(() => waiting, Error);
});

Deno.test("Pacer() refuses what is no pace", () => {
  for (const pace of [-1, NaN, Infinity]) assertThrows(() => new Pacer(pace), RangeError, "pace");
});

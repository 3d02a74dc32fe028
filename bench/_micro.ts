/**
 * What the `*_bench.ts` files share.
 *
 * @module
 */

import { OPERATIONS } from "./_context.ts";
import { nativeLoops } from "./_native.ts";

/** Set for the gate, which wants answers and no figures. */
const isSmoke = Deno.env.get("MT_BENCH_SMOKE") === "1";

/** Registers a benchmark that does {@linkcode OPERATIONS} operations in an iteration. */
export function bench(
  group: string,
  name: string,
  iterate: (context: Deno.BenchContext) => void | Promise<void>,
): void {
  Deno.bench({ group, name, fn: iterate, ...(isSmoke ? { n: 1, warmup: 0 } : {}) });
}

/** Registers the baseline of a group: as many calls of a native function that does nothing. */
export function benchNop(group: string): void {
  const { mt_bench_nop } = nativeLoops;
  const iterate = () => {
    let sum = 0;
    for (let i = 0; i < OPERATIONS; i++) sum += mt_bench_nop();
    check(sum === 0);
  };
  const name = "native call that does nothing";
  Deno.bench({ group, name, baseline: true, fn: iterate, ...(isSmoke ? { n: 1, warmup: 0 } : {}) });
}

/** A benchmark that computes a wrong answer measures nothing, so it fails. */
export function check(isRight: boolean): void {
  if (!isRight) throw new Error("Cannot trust this iteration: found a wrong answer");
}

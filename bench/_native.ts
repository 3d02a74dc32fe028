/**
 * The benchmarks' native half: floors and native loops (zig/bench/).
 *
 * @module
 */

import { fileURLToPath } from "node:url";

const symbols = {
  mt_bench_ticks: { parameters: [], result: "u32" },
  mt_bench_nop: { parameters: [], result: "u32" },
  mt_bench_floor: { parameters: ["buffer", "u32", "u32", "buffer"], result: "f64" },
  mt_bench_handoff: {
    parameters: ["buffer", "buffer", "u32", "u32", "u32", "buffer"],
    result: "f64",
  },
  mt_bench_produce: { parameters: ["buffer", "u32", "u32", "u32"], result: "f64" },
  mt_bench_consume: { parameters: ["buffer", "u32", "u32"], result: "f64" },
  mt_bench_crc: { parameters: ["u32", "buffer", "u32", "u32"], result: "u32" },
  mt_bench_crc_kind: { parameters: ["u32", "buffer"], result: "i32" },
  mt_bench_disk_create: { parameters: ["buffer", "f64"], result: "i32" },
  mt_bench_disk_close: { parameters: ["i32"], result: "void" },
  mt_bench_disk_write: {
    parameters: ["i32", "f64", "u32", "u32", "u32", "buffer"],
    result: "f64",
  },
  mt_bench_disk_sum: { parameters: ["buffer", "f64", "buffer"], result: "f64" },
} as const;

/** Path of the library that `deno task bench` builds. */
const BENCH_LIBRARY = fileURLToPath(
  new URL("../zig-out/lib/libmessage_transport_bench.so", import.meta.url),
);

/** The native loops. */
export const nativeLoops = Deno.dlopen(BENCH_LIBRARY, symbols).symbols;

/** Path as the native side takes it. */
export function zeroEnded(path: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${path}\0`);
}

/** What only `-1` of a native loop says: that it could not run, or that an answer was wrong. */
export function checkLoop(result: number): number {
  if (result < 0) throw new Error(`Cannot trust a native loop: found that it returned ${result}`);
  return result;
}

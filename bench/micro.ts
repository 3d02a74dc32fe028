/**
 * What does a single call cost, without another process? Runs the `*_bench.ts` files: `deno bench`.
 *
 * Budget: in those files. The baseline of each group is a native call that does nothing.
 *
 * JSON: `{ "benches": [ { "group", "name", "nsPerOperation", "p75NsPerOperation",
 * "minNsPerOperation" } ], machine }`.
 *
 * @module
 */

import { run as runProgram, ScriptError } from "../scripts/_command.ts";
import { ROOT } from "../scripts/_zig.ts";
import { type Benchmark, type Context, OPERATIONS } from "./_context.ts";
import { formatNs, formatTable } from "./_table.ts";

/** Cost of one operation, in nanoseconds. */
export interface MicroBench {
  group: string;
  name: string;
  /** Mean over all iterations; the others are of iterations. */
  nsPerOperation: number;
  p75NsPerOperation: number;
  minNsPerOperation: number;
}

/** The benchmark's JSON. */
export interface MicroResult {
  benches: MicroBench[];
}

const FILES = ["channel_bench.ts", "schema_bench.ts"];
/** What `deno bench --json` prints, as far as it is used. */
interface Report {
  benches: {
    group: string | null;
    name: string;
    results: { ok?: { avg: number; p75: number; min: number }; failed?: { message: string } }[];
  }[];
}

async function run(context: Context): Promise<MicroResult> {
  const permissions = [`--allow-ffi=${ROOT}zig-out`, "--allow-env=MT_LIB,MT_BENCH_SMOKE"];
  const files = FILES.map((file) => `${ROOT}bench/${file}`);
  context.progress(FILES.join(", "));
  const { code, stdout, stderr } = await runProgram(
    Deno.execPath(),
    ["bench", "--no-check", "--no-prompt", ...permissions, "--json", ...files],
    {
      cwd: ROOT,
      env: { MT_BENCH_SMOKE: context.scale === "smoke" ? "1" : "0" },
      signal: context.signal,
    },
  );
  if (stdout === "") throw new ScriptError(`Cannot run deno bench: found exit ${code}\n${stderr}`);
  const { benches }: Report = JSON.parse(stdout);
  const failed = benches.flatMap(({ name, results }) =>
    results.filter((result) => result.failed).map((result) => `${name}: ${result.failed!.message}`)
  );
  if (code !== 0 || failed.length > 0) {
    throw new ScriptError(`Cannot trust deno bench: found failures\n${failed.join("\n")}${stderr}`);
  }
  return { benches: benches.map(toBench) };
}

function toBench({ group, name, results }: Report["benches"][number]): MicroBench {
  const { avg, p75, min } = results[0]!.ok!;
  const each = (ns: number) => Math.round(10 * ns / OPERATIONS) / 10;
  return {
    group: group ?? "",
    name,
    nsPerOperation: each(avg),
    p75NsPerOperation: each(p75),
    minNsPerOperation: each(min),
  };
}

function format({ benches }: MicroResult): string {
  const rows = benches.map((bench) => [
    `${bench.group}: ${bench.name}`,
    formatNs(bench.nsPerOperation),
    formatNs(bench.p75NsPerOperation),
    formatNs(bench.minNsPerOperation),
  ]);
  return formatTable(["each operation", "mean", "p75", "best"], rows);
}

/** The benchmark. */
export const micro: Benchmark<MicroResult> = {
  summary: "cost of single calls in one process, against a native call that does nothing",
  run,
  format,
};

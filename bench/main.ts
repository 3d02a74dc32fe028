/**
 * Runs the benchmarks: `deno task bench`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { formatSeconds, runScript, ScriptError, UsageError } from "../scripts/_command.ts";
import { buildLibrary } from "../scripts/_zig.ts";
import type { Benchmark, Context, Scale } from "./_context.ts";
import { chooseCores, formatMachine, observe } from "./_machine.ts";
import { checkpoint } from "./checkpoint.ts";
import { collector } from "./collector.ts";
import { crc } from "./crc.ts";
import { durability } from "./durability.ts";
import { engine } from "./engine.ts";
import { fanout } from "./fanout.ts";
import { handoff, prepareHandoff } from "./handoff.ts";
import { many } from "./many.ts";
import { micro } from "./micro.ts";
import { pipeline } from "./pipeline.ts";
import { recovery } from "./recovery.ts";
import { throughput } from "./throughput.ts";
import { wakeup } from "./wakeup.ts";

/** By their names, in the order in which all of them run. */
const BENCHMARKS: Record<string, Benchmark<unknown>> = {
  handoff: anyResult(handoff),
  throughput: anyResult(throughput),
  wakeup: anyResult(wakeup),
  crc: anyResult(crc),
  many: anyResult(many),
  durability: anyResult(durability),
  recovery: anyResult(recovery),
  checkpoint: anyResult(checkpoint),
  collector: anyResult(collector),
  engine: anyResult(engine),
  fanout: anyResult(fanout),
  pipeline: anyResult(pipeline),
  micro: anyResult(micro),
};

/** A benchmark that formats its own results only, which is what it is given below. */
function anyResult<Result>({ summary, run, format }: Benchmark<Result>): Benchmark<unknown> {
  return { summary, run, format: (result) => format(result as Result) };
}

const SUMMARIES = Object.entries(BENCHMARKS)
  .map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`);

const HELP = `Runs the benchmarks, or those that are named. Each checks every answer.

Usage: deno task bench [name …] [options]

${SUMMARIES.join("\n")}
  smoke       all of them at tiny size: whether they run and answer rightly, no figures

  --quick          fewer and shorter runs: figures of about the right size
  --json           print one JSON object; of several benchmarks, keyed by their names
  --wal-dir=<dir>  where durability, recovery and checkpoint write (default: TMPDIR, else zig-out)
  --size=<MiB>     of the log that recovery reads (default: 64, then 1024)
  --help           print this text

Two processes that spin are pinned to the first two cores that this one may run on: choose others
with "taskset -c 2,3 deno task bench". What each measures and how to read it: bench/README.md. Exit
status: 0 done, 1 failed or a wrong answer, 2 wrong arguments.`;

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      "wal-dir": { type: "string" },
      size: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const isSmoke = positionals.length === 1 && positionals[0] === "smoke";
  const names = positionals.length === 0 || isSmoke ? Object.keys(BENCHMARKS) : positionals;
  const unknown = names.find((name) => !Object.hasOwn(BENCHMARKS, name));
  if (unknown !== undefined) {
    const known = [...Object.keys(BENCHMARKS), "smoke (by itself)"].join(", ");
    console.error(`error: Cannot run "${unknown}" as a benchmark: expected one of ${known}`);
    return 2;
  }
  const mebibytes = Number(values.size ?? 64);
  if (!(mebibytes >= 8 && mebibytes <= 1e6)) {
    throw new UsageError(`Cannot use --size=${values.size}: expected 8 to 1000000 MiB`);
  }
  await buildLibrary();
  await buildLibrary({ bench: true });
  const given = {
    scale: isSmoke ? "smoke" : values.quick ? "quick" : "full" as Scale,
    walDir: values["wal-dir"],
    logBytes: values.size === undefined ? undefined : mebibytes * 2 ** 20,
  };
  if (names.includes("handoff")) await prepareHandoff(given.scale);
  const isJson = values.json;
  return await withInterrupt((signal) => runAll(new Set(names), { ...given, signal }, isJson));
}

/** Lets Ctrl-C end the processes and remove the files of a benchmark before this process ends. */
async function withInterrupt(work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, onSignal);
  try {
    return await work(stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    throw new ScriptError("Cannot finish the benchmarks: found a signal to stop");
  }
}

async function runAll(
  names: ReadonlySet<string>,
  given: Pick<Context, "scale" | "walDir" | "logBytes" | "signal">,
  json: boolean,
): Promise<number> {
  const { scale, walDir } = given;
  const cores = chooseCores();
  const found: Record<string, unknown> = {};
  for (const name of names) {
    const { run, format } = BENCHMARKS[name]!;
    const progress = progressOf(name);
    const context: Context = { ...given, cores, progress: progress.show };
    const start = performance.now();
    const { result, machine } = await observe(
      { coresUsed: cores ?? [], walDir },
      () => run(context),
    );
    progress.end();
    const took = formatSeconds((performance.now() - start) / 1000);
    if (scale === "smoke") {
      if (!json) console.log(`${name}: every answer is right (${took})`);
      continue;
    }
    found[name] = { ...result as object, machine };
    if (json) console.error(`${name}: ${took}`);
    else console.log(`${name} (${took})\n${formatMachine(machine)}\n\n${format(result)}\n`);
  }
  if (json) {
    const only = names.size === 1 ? found[[...names][0]!] : found;
    console.log(JSON.stringify(scale === "smoke" ? { ok: true } : only));
  }
  return 0;
}

/** One line on stderr that is written over; only a person who looks at it gets it. */
function progressOf(name: string): { show: (text: string) => void; end: () => void } {
  const isTerminal = Deno.stderr.isTerminal();
  const encoder = new TextEncoder();
  const write = (text: string) => void Deno.stderr.writeSync(encoder.encode(text));
  if (!isTerminal) return { show: () => {}, end: () => {} };
  return {
    show: (text) => write(`\r\x1b[K${name}: ${text}`),
    end: () => write("\r\x1b[K"),
  };
}

if (import.meta.main) await runScript("bench", main);

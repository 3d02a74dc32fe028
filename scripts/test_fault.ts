/**
 * Runs the fault tests, in their short or long form: `deno task test:fault`.
 *
 * @module
 */

import { runScript } from "./_command.ts";
import { runDenoTests } from "./_deno_tests.ts";
import { countJUnit } from "./_junit.ts";
import { buildLibrary } from "./_zig.ts";

const HELP = `Kills, stops and cheats processes that share a channel, and looks what the others see.

Usage: deno task test:fault [--long] [deno test arguments]

  --long  the long forms: more rounds, longer stops; an hour
  --help  print this text

Some tests need root, util-linux, e2fsprogs or strace; elsewhere they are skipped and say so.
MT_SEED chooses another seed. The last line on stdout is one JSON object: { "long", "passed",
"failed", "skipped", "figures" }, where a figure that was taken several times is { "count", "sum",
"p50", "p99", "max" }. Exit status: 0 if nothing failed, else 1.`;

/** A figure that tests have noted. */
type Figure = number | { count: number; sum: number; p50: number; p99: number; max: number };

async function main(args: string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(HELP);
    return 0;
  }
  const long = args.includes("--long");
  const rest = args.filter((arg) => arg !== "--long");
  const namesFiles = rest.some((arg) => arg.endsWith(".ts"));
  await buildLibrary();
  await buildLibrary({ faultPoints: true });
  const { code, report, figures } = await runDenoTests(
    namesFiles ? rest : [...rest, "tests/fault/", "tests/e2e/"],
    { inherit: true, env: { MT_LONG: long ? "1" : "0" } },
  );
  const counts = countJUnit(report);
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  console.log(JSON.stringify({ long, ...counts, figures: summarize(figures) }));
  return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

/** Brings the lines `["name", value]` that the tests have written together. */
export function summarize(lines: string): Record<string, Figure> {
  const values = new Map<string, number[]>();
  for (const line of lines.split("\n").filter((text) => text !== "")) {
    const [name, value] = JSON.parse(line) as [string, number];
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  return Object.fromEntries([...values].map(([name, all]) => [name, summarizeOne(all)]));
}

function summarizeOne(values: number[]): Figure {
  if (values.length === 1) return values[0]!;
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]!;
  const sum = sorted.reduce((total, value) => total + value, 0);
  return { count: sorted.length, sum, p50: at(0.5), p99: at(0.99), max: at(1) };
}

if (import.meta.main) await runScript("test:fault", main);

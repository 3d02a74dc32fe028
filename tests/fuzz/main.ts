/**
 * Fuzzes everything that takes bytes of strangers: `deno task fuzz`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { runScript, UsageError } from "../../scripts/_command.ts";
import { buildLibrary } from "../../scripts/_zig.ts";
import { formatCount, formatTable } from "../../scripts/_table.ts";
import { keepCase } from "./_cases.ts";
import type { Answer, Finding } from "./_finding.ts";
import { fuzz } from "./_runner.ts";
import { TARGETS } from "./_targets.ts";

const HELP = `Gives random and mutated bytes to whatever takes bytes of strangers.

Usage: deno task fuzz [--minutes <n>] [--target <name>]... [--seed <n>] [--safe] [--json]

  --minutes <n>    how long, for all targets together (default 1)
  --target <name>  only this one, or these: ${Object.keys(TARGETS).join(", ")}
  --seed <n>       of the first round; the same bytes come again (default: by the clock)
  --safe           with a library that checks indices and arithmetic itself; built if it is stale
  --no-keep        do not write what is found into tests/fuzz/cases/
  --json           print one JSON object: { "seed", "targets", "findings" }
  --help           print this text

A finding is an error that is none of ours, the end of the process, or no end for minutes. It is
made smaller and kept: "deno task test tests/fuzz" runs it from then on. Exit status: 0 nothing was
found, 1 something was, 2 wrong arguments.`;

/** Milliseconds that a target has in a round: long ones are cut, so that all have their turns. */
const TURN_MS = 20_000;

/** What came of a target in all rounds. */
interface Total {
  executions: number;
  seconds: number;
  outcomes: Set<string>;
  findings: Finding[];
}

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: "string", default: "1" },
      target: { type: "string", multiple: true },
      seed: { type: "string" },
      safe: { type: "boolean", default: false },
      "no-keep": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const targets = values.target ?? Object.keys(TARGETS);
  const unknown = targets.find((name) => !Object.hasOwn(TARGETS, name));
  if (unknown !== undefined) throw new UsageError(`Cannot fuzz "${unknown}": found no such target`);
  const seed = values.seed === undefined ? Date.now() % 2 ** 31 : numberOf("seed", values.seed);
  const milliseconds = 60_000 * numberOf("minutes", values.minutes);
  const library = values.safe ? (await buildLibrary({ isSafe: true })).path : undefined;
  const isKept = !values["no-keep"];
  const totals = await runRounds({ targets, seed, milliseconds, isKept, library });
  const findings = [...totals.values()].flatMap((total) => total.findings);
  const rows = [...totals].map(([target, { executions, seconds, outcomes, findings }]) => ({
    ...{ target, executions, seconds, executionsPerSecond: executions / seconds },
    ...{ outcomes: outcomes.size, findings: findings.length },
  }));
  if (values.json) console.log(JSON.stringify({ seed, targets: rows, findings }));
  else {
    console.log(formatTable(
      ["Target", "Executions", "Per second", "Outcomes", "Findings"],
      rows.map(({ target, executions, executionsPerSecond, outcomes, findings }) => [
        ...[target, formatCount(executions), formatCount(Math.round(executionsPerSecond))],
        ...[`${outcomes}`, `${findings}`],
      ]),
    ));
  }
  return findings.length === 0 ? 0 : 1;
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 2 ** 31)) {
    throw new UsageError(`Cannot use --${name} "${text}": expected a number above 0`);
  }
  return value;
}

/** Gives each target its turns until the time is over, each round with another seed. */
async function runRounds(
  { targets, seed, milliseconds, isKept, library }: {
    targets: string[];
    seed: number;
    milliseconds: number;
    isKept: boolean;
    library: string | undefined;
  },
): Promise<Map<string, Total>> {
  const totals = new Map<string, Total>(
    targets.map((name) => [name, { executions: 0, seconds: 0, outcomes: new Set(), findings: [] }]),
  );
  const end = performance.now() + milliseconds;
  const turnMs = Math.min(TURN_MS, milliseconds / targets.length);
  for (let round = 0; performance.now() < end; round++) {
    for (const target of targets) {
      if (performance.now() >= end) break;
      const task = { targets: [target], seed: seed + round, executions: {}, library };
      const { answers, findings } = await fuzz({ ...task, milliseconds: turnMs });
      const total = totals.get(target)!;
      for (const answer of answers) add(total, answer);
      for (const finding of findings) {
        total.findings.push(finding);
        const told = `${target}: ${finding.kind}: ${
          finding.found.split("\n").slice(0, 4).join("\n")
        }`;
        console.error(told);
        if (isKept) console.error(await keepCase(target, { ...finding, seed: seed + round }));
      }
      const { executions, seconds } = answers[0] ?? { executions: 0, seconds: 0 };
      console.error(
        `round ${round + 1}, seed ${seed + round}: ${target} ${formatCount(executions)} in ` +
          `${seconds.toFixed(1)} s, ${findings.length} findings`,
      );
    }
  }
  return totals;
}

function add(total: Total, { executions, seconds, outcomes }: Answer): void {
  total.executions += executions;
  total.seconds += seconds;
  for (const [outcome] of outcomes) total.outcomes.add(outcome);
}

if (import.meta.main) await runScript("fuzz", main);

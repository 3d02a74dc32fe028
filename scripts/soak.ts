/**
 * The soak: `deno task soak`. The pipeline at half of what the machine takes, its services killed
 * at random, and every process watched for what it does not give back.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { runScript, UsageError } from "./_command.ts";
import { jsonText } from "./_output.ts";
import { InterruptedError } from "./demo/_interruption.ts";
import { soak } from "./soak/_soak_run.ts";
import { soakText } from "./soak/_print.ts";

const HELP =
  `Lets orders flow through the pipeline, kills its services at random (kill -9), and judges: no
acknowledged order lost or executed twice, and memory, descriptors and mappings of every process
flat. Services are killed in the first 60 % of the time; those that live on then are the ones that
tell most of flatness. The logs are kept whole for the judgement: half a MiB for 1000 orders.

Usage: deno task soak [options]

  --minutes <n>       how long (default 10)
  --rate <n>          orders a second (default: half of what a calibration of half a minute finds)
  --seed <n>          decides orders and kills (default 1)
  --kill-seconds <n>  seconds between two kills, on average (default 20)
  --smoke             20 seconds at 200 orders a second: too short to tell of flatness
  --quiet             no progress
  --json              print the report as one JSON object
  --help              print this text

Runs with --allow-all: nothing less may read /proc.
Exit status: 0 all was as promised, 1 something was not, 2 wrong arguments.`;

const SMOKE = { minutes: 1 / 3, rate: 200, killSeconds: 4 };

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: "string", default: "10" },
      rate: { type: "string" },
      seed: { type: "string", default: "1" },
      "kill-seconds": { type: "string", default: "20" },
      smoke: { type: "boolean", default: false },
      quiet: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const options = {
    minutes: toNumber("--minutes", values.minutes),
    rate: values.rate === undefined ? undefined : toNumber("--rate", values.rate),
    killSeconds: toNumber("--kill-seconds", values["kill-seconds"]),
    ...(values.smoke ? SMOKE : {}),
    ...{ seed: toNumber("--seed", values.seed), isQuiet: values.quiet },
  };
  try {
    const report = await soak(options);
    for (const problem of report.problems) console.error(`error: ${problem}`);
    console.log(values.json ? jsonText(report) : soakText(report));
    return report.problems.length === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    console.error(`error: ${error.message}`);
    return error.status;
  }
}

function toNumber(flag: string, text: string): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value > 0 && value <= 1_000_000) return value;
  throw new UsageError(`Cannot use ${flag} "${text}": expected a number above 0`);
}

if (import.meta.main) await runScript("soak", main);

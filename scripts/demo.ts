/**
 * The main job: `deno task demo`. Orders from clients over a gateway to a matching engine, and what
 * it does over market data to a page; or a feed of a real exchange.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { runScript, ScriptError, UsageError } from "./_command.ts";
import { jsonText } from "./_output.ts";
import { runFeed } from "./demo/_feed_run.ts";
import { toFeedText } from "./demo/_feed_report.ts";
import { InterruptedError } from "./demo/_interruption.ts";
import { runOrders } from "./demo/_order_run.ts";
import { toText } from "./demo/_print.ts";

const HELP =
  `Runs the pipeline: a gateway, a matching engine, market data and a persister, each a process of
its own, and a load generator that sends orders like those of a market. In the middle the engine is
killed (kill -9) and started again. Ends with a report on stdout: latencies, and the proof that no
acknowledged order was lost or executed twice. Progress is on stderr, with the address of a page.

Usage: deno task demo [options]

  --seconds <n>    how long orders flow (default 10); 0 until Ctrl-C
  --rate <n>       orders a second (default 1000)
  --seed <n>       decides the orders, 0 to 4294967295 (default 1)
  --feed <file>    instead of orders, a recording of Binance's messages: a collector publishes it,
                   market data shows its books, and an auditor checks them
  --live           the same with Binance's own stream, for --seconds
  --symbol <name>  what of it (default BTCUSDT)
  --pace <speed>   of a recording: "max" (default), "real", or a multiple such as "10x"
  --no-page        do not tell the page's address
  --quiet          no progress
  --json           print the report as one JSON object, on the last line
  --help           print this text

Files are below the directory of temporary files (TMPDIR) and in the one of all channels; nothing of
them is left, however it ends.
Exit status: 0 all was as promised, 1 something was not, 2 wrong arguments.`;

/** Its options, as `parseArgs` takes them. */
export const OPTIONS = {
  seconds: { type: "string" },
  rate: { type: "string" },
  seed: { type: "string" },
  feed: { type: "string" },
  live: { type: "boolean", default: false },
  symbol: { type: "string" },
  pace: { type: "string" },
  "no-page": { type: "boolean", default: false },
  quiet: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

const SECONDS_DEFAULT = 10;
const SECONDS_MAX = 1_000_000;
const RATE_DEFAULT = 1_000;
/** Arbitrary: more than one load generator can send. */
const RATE_MAX = 1_000_000;
const SEED_DEFAULT = 1;

/** Runs the demo with the arguments of the command line. Returns the exit status. */
export async function demo(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: OPTIONS });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  try {
    const { report, text } = await run(values);
    for (const problem of report.problems) console.error(`error: ${problem}`);
    console.log(values.json ? jsonText(report) : text);
    return report.problems.length === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    console.error(`error: ${error.message}`);
    return error.status;
  }
}

async function run(values: Values): Promise<{ report: { problems: string[] }; text: string }> {
  const { quiet, feed, live } = values;
  const seconds = toInteger("--seconds", values.seconds, SECONDS_DEFAULT, SECONDS_MAX);
  const shown = { isQuiet: quiet, showsPage: !values["no-page"] };
  if (feed === undefined && !live) {
    refuse(values, ["symbol", "pace"], "they are for feeds");
    const rate = toInteger("--rate", values.rate, RATE_DEFAULT, RATE_MAX);
    const seed = toInteger("--seed", values.seed, SEED_DEFAULT, 0xffff_ffff);
    if (rate === 0) throw new UsageError('Cannot use --rate "0": expected 1 or more');
    const report = await runOrders({ ...shown, seconds, rate, seed });
    return { report, text: toText(report) };
  }
  refuse(values, ["rate", "seed"], "they are for made-up orders");
  if (live) refuse(values, ["feed", "pace"], "they are for recordings");
  else refuse(values, ["seconds"], "a recording ends by itself");
  const symbol = values.symbol ?? "BTCUSDT";
  if (!/^[A-Z0-9]{1,20}$/.test(symbol)) {
    throw new UsageError(`Cannot use --symbol "${symbol}": expected one such as BTCUSDT`);
  }
  const pace = toPace(values.pace ?? "max");
  const source = feed === undefined
    ? { live: true as const, seconds }
    : { path: toFeedPath(feed), pace };
  const report = await runFeed({ ...shown, symbol, source });
  return { report, text: toFeedText(report) };
}

/** Refuses options that do not go with the others. */
function refuse(values: Values, names: (keyof Values)[], why: string): void {
  const given = names.find((name) => values[name] !== undefined);
  if (given !== undefined) throw new UsageError(`Cannot use --${given} here: ${why}`);
}

function toInteger(flag: string, text: string | undefined, byDefault: number, max: number): number {
  if (text === undefined) return byDefault;
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= max) return value;
  throw new UsageError(`Cannot use ${flag} "${text}": expected a whole number from 0 to ${max}`);
}

function toPace(text: string): string {
  if (text === "max" || text === "real" || /^\d+(\.\d+)?x$/.test(text)) return text;
  throw new UsageError(
    `Cannot use --pace "${text}": expected "max", "real", or a multiple such as "10x"`,
  );
}

/** Finds out before anything is started whether there is a recording. */
function toFeedPath(feed: string): string {
  const refuse = (found: string) => new ScriptError(`Cannot read "${feed}" as a feed: ${found}`);
  try {
    const path = Deno.realPathSync(feed);
    if (Deno.statSync(path).isDirectory) throw refuse("found a directory");
    Deno.openSync(path).close();
    return path;
  } catch (error) {
    if (error instanceof ScriptError) throw error;
    if (error instanceof Deno.errors.NotFound) throw refuse("found no such file");
    throw refuse(error instanceof Error ? error.message : `${error}`);
  }
}

if (import.meta.main) await runScript("demo", demo);

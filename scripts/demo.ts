/**
 * The main job: `deno task demo`. A feed goes through a channel from one process to two others.
 *
 * @module
 */

import { statSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { runScript, ScriptError, UsageError } from "./_command.ts";
import { toJson, toText } from "./demo/_print.ts";
import type { FeedSettings } from "./demo/_protocol.ts";
import { makeReport } from "./demo/_report.ts";
import { type DemoOptions, InterruptedError, runDemo } from "./demo/_run.ts";

const HELP =
  `Runs the main job: a collector process publishes a market-data feed into a channel, and two
consumer processes read it: an order-book builder that holds the collector back when it is slow,
and trade statistics that rather drop messages. Ends with a report on stdout; progress is on stderr.

Usage: deno task demo [options]

  --feed <file>      a recording, plain or gzip: lines of "<receive time in ns> <JSON>", as Binance
                     sends it; without it, a feed is made up
  --pace <speed>     "max" (default), "real", or a multiple of the recorded speed such as "10x"
  --messages <n>     messages to make up (default 200000)
  --seed <n>         decides what is made up, 0 to 4294967295 (default 1)
  --size <bytes>     size of the ring, such as 64KB: a power of two (default 8MB)
  --directory <dir>  directory of the ring file (default: that of all channels)
  --idle <seconds>   how long the waiting consumers are measured, 0 to 60 (default 2)
  --quiet            no progress
  --json             print the report as one JSON object, on the last line
  --help             print this text

In a recording of several instruments each gets its book; the figures are those of the one with
most messages. A snapshot tells no symbol: it counts for the instrument with the nearest update ids.
After updates are missing, a book stays empty until the next snapshot.

Exit status: 0 all was as promised, 1 something was not, 2 wrong arguments.`;

const OPTIONS = {
  feed: { type: "string" },
  pace: { type: "string", default: "max" },
  messages: { type: "string" },
  seed: { type: "string" },
  size: { type: "string", default: "8MB" },
  directory: { type: "string" },
  idle: { type: "string", default: "2" },
  quiet: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

const MESSAGES_DEFAULT = 200_000;
const SEED_DEFAULT = 1;
const IDLE_SECONDS_MAX = 60;

/** Runs the demo with the arguments of the command line. Returns the exit status. */
export async function demo(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: OPTIONS });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const options = toDemoOptions(values);
  try {
    const report = await makeReport(await runDemo(options), options.feed);
    for (const warning of report.warnings) console.error(`warning: ${warning}`);
    for (const problem of report.problems) console.error(`error: ${problem}`);
    console.log(values.json ? toJson(report) : toText(report));
    return report.problems.length === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    console.error(`error: ${error.message}`);
    return error.status;
  }
}

function toDemoOptions(values: Values): DemoOptions {
  const idleSeconds = Number(values.idle);
  if (!(idleSeconds >= 0 && idleSeconds <= IDLE_SECONDS_MAX) || values.idle.trim() === "") {
    throw new UsageError(
      `Cannot use --idle "${values.idle}": expected seconds from 0 to ${IDLE_SECONDS_MAX}`,
    );
  }
  return {
    feed: toFeed(values),
    size: values.size,
    idleSeconds,
    isQuiet: values.quiet,
    ...(values.directory === undefined ? {} : { directory: toDirectory(values.directory) }),
  };
}

function toDirectory(directory: string): string {
  const path = resolve(directory);
  const isThere = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (isThere) return path;
  throw new ScriptError(
    `Cannot use "${directory}" as the directory of a channel: found none there`,
  );
}

function toFeed({ feed, pace, messages, seed }: Values): FeedSettings {
  if (feed !== undefined && (messages !== undefined || seed !== undefined)) {
    throw new UsageError("Cannot use --messages or --seed with --feed: they are for made-up feeds");
  }
  if (feed !== undefined) return { pace: toPace(pace), path: toFeedPath(feed) };
  return {
    pace: toPace(pace),
    seed: toInteger("--seed", seed, SEED_DEFAULT, 0xffff_ffff),
    messages: toInteger("--messages", messages, MESSAGES_DEFAULT, Number.MAX_SAFE_INTEGER),
  };
}

function toInteger(flag: string, text: string | undefined, byDefault: number, max: number): number {
  if (text === undefined) return byDefault;
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= max) return value;
  throw new UsageError(`Cannot use ${flag} "${text}": expected a whole number from 0 to ${max}`);
}

function toPace(text: string): number {
  if (text === "max") return 0;
  if (text === "real") return 1;
  const pace = Number(/^(\d+(?:\.\d+)?)x$/.exec(text)?.[1] ?? 0);
  if (pace > 0) return pace;
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

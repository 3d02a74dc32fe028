/**
 * The command line tool: `deno task mt`.
 *
 * @module
 */

import { Command, CommanderError } from "commander";
import { resolve } from "node:path";
import config from "../deno.json" with { type: "json" };
import { run, runScript, UsageError } from "./_command.ts";
import { ROOT } from "./_zig.ts";
import { checkpointsPlanText, isCheckpoints, planCheckpoints } from "./cli/_checkpoints.ts";
import { inspectionText, inspectPath, isSound } from "./cli/_inspect.ts";
import { findLayouts, layoutsText } from "./cli/_layouts.ts";
import {
  type ReadArguments,
  readToOutput,
  type ReplayArguments,
  replayInto,
} from "./cli/_journal.ts";
import { persist, type PersistOptions } from "./cli/_persist.ts";
import { planRecovery, planText, recover, recoveryText } from "./cli/_recover.ts";
import { remove, removeConsumerOf } from "./cli/_remove.ts";
import { readStatus, statusText } from "./cli/_status.ts";
import { verifiedText, verifyPath } from "./cli/_verify.ts";
import { demo } from "./demo.ts";
import { runService } from "./services/_service.ts";
import { SERVICES } from "./services/mod.ts";

interface PlaceOptions {
  directory?: string;
  json?: boolean;
}

async function main(args: string[]): Promise<number> {
  let status = 0;
  const program = new Command("mt")
    .description("Looks after message_transport channels.")
    .version(config.version)
    .addHelpText("after", "\nExit status: 0 done, 1 failed or damaged, 2 wrong arguments.")
    .enablePositionalOptions()
    .exitOverride();
  forwardTo(program.command("demo"), async (rest) => void (status = await demo(rest)))
    .description('run the main job; "mt demo --help" has its options');
  forwardTo(program.command("bench"), async (rest) => void (status = await bench(rest)))
    .description('run a benchmark; "mt bench --help" names them');
  withPlace(program.command("status"))
    .description("show the channels: how full they are, who takes part, who gates them")
    .action(showStatus);
  withPlace(program.command("remove"))
    .description("remove a channel's file; processes that have it open go on among themselves")
    .argument("<name>", "name of the channel")
    .action(remove);
  program.command("layouts")
    .description("show the fields of messages: offset, size, alignment and type")
    .argument("[name...]", "messages to show; all without one")
    .option("--json", "print one JSON object")
    .action((names: string[], { json }: { json?: boolean }) => {
      const layouts = findLayouts(names);
      console.log(json ? JSON.stringify({ layouts }) : layoutsText(layouts));
    });
  withPlace(program.command("remove-consumer"))
    .description("remove a consumer that never comes back; its log keeps nothing for it any more")
    .argument("<channel>", "name of the channel")
    .argument("<name>", "name of the consumer, which must not be open")
    .action(removeConsumerOf);
  addLogCommands(program, (code) => status = code);
  for (const service of SERVICES) {
    const command = forwardTo(
      program.command(service.name),
      async (rest) => void (status = await runService(service, rest)),
    ).description(service.summary);
    if (service.alias !== undefined) command.alias(service.alias);
  }
  addJournalCommands(program.commands.find((command) => command.name() === "journal")!);
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2; // It has said why.
  }
  return status;
}

/** The commands for logs, and for what lies on the disk. */
function addLogCommands(program: Command, end: (status: number) => void): void {
  const json = ["--json", "print one JSON object"] as const;
  program.command("verify")
    .description(
      "verify every byte of a log, of all logs in a directory, a ring file or checkpoints",
    )
    .argument("<path>", "directory of a log, of logs, a store or checkpoints, or a ring file")
    .option("--direct", "read past the page cache, to see what is on the device")
    .option(...json)
    .action(async (path: string, options: { json?: boolean; direct?: boolean }) => {
      const results = await verifyPath(resolve(path), { direct: options.direct ?? false });
      console.log(options.json ? JSON.stringify({ results }) : verifiedText(results));
      end(results.every(({ sound }) => sound) ? 0 : 1);
    });
  program.command("inspect")
    .description("show what a file or directory of ours holds, damaged or not")
    .argument("<path>", "ring, segment, control or torn-… file, or directory")
    .option("--limit <count>", "groups of a segment, and records of each, to show", "10")
    .option(...json)
    .action(async (path: string, options: { json?: boolean; limit: string }) => {
      if (!/^\d{1,6}$/.test(options.limit)) {
        throw new UsageError(`Cannot show "${options.limit}" groups: expected a number`);
      }
      const found = await inspectPath(resolve(path), { limit: Number(options.limit) });
      console.log(options.json ? JSON.stringify(found) : inspectionText(found));
      end(isSound(found) ? 0 : 1);
    });
  program.command("recover")
    .description("open a log to write, which repairs its end, and close it")
    .argument(
      "<directory>",
      "the log's: <wal-dir>/<channel>; with --dry-run also that of checkpoints",
    )
    .option("--dry-run", "say what that would do, and write nothing")
    .option(...json)
    .action(async (path: string, options: { json?: boolean; dryRun?: boolean }) => {
      if (options.dryRun) {
        if (isCheckpoints(resolve(path))) {
          const plan = await planCheckpoints(resolve(path));
          console.log(options.json ? JSON.stringify(plan) : checkpointsPlanText(plan));
          return end(plan.states.some(({ action }) => action === "refuse") ? 1 : 0);
        }
        const plan = await planRecovery(resolve(path));
        console.log(options.json ? JSON.stringify(plan) : planText(plan));
        return end(plan.action === "refuse" ? 1 : 0);
      }
      const found = recover(resolve(path));
      console.log(options.json ? JSON.stringify(found) : recoveryText(found));
    });
  withPlace(program.command("persist"))
    .description("write the log of a channel, until SIGTERM or SIGINT")
    .argument("<channel>", "its name")
    .requiredOption("--wal-dir <dir>", "directory of logs")
    .option("--sync <when>", '"group", "none", or a number of milliseconds', "group")
    .option("--io <kind>", '"buffered" or "direct"')
    .option("--size <size>", "of the ring, if there is none")
    .option("--segment-bytes <size>", "of a segment")
    .option("--max-bytes <size>", "of the log; no cap without it")
    .option("--when-full <action>", 'at the cap: "block" producers or "cut" the oldest segments')
    .action(async (name: string, options: PersistOptions) => {
      const { directory, walDir } = options;
      const place = directory === undefined ? {} : { directory: resolve(directory) };
      end(await persist(name, { ...options, ...place, walDir: resolve(walDir) }));
    });
}

/** What is done with a journal beside writing it. */
function addJournalCommands(journal: Command): void {
  const place = ["<journal>", "directory of one feed's journal, or one of its files"] as const;
  const range = (command: Command) =>
    command
      .helpOption("--help", "print this text")
      .option("--from <first>", "first record: its sequence, or a time such as 2026-01-31T12:00Z")
      .option("--to <last>", "last record: its sequence, or a time");
  range(journal.command("read"))
    .description("print the records that verify, a line of JSON each")
    .argument(...place)
    .action((path: string, options: ReadArguments) => readToOutput(resolve(path), options));
  withPlace(range(journal.command("replay")))
    .description("publish a journal's messages again")
    .argument(...place)
    .argument("<channel>", "channel to publish into; made where there is none")
    .option("--pace <times>", "times the recorded speed; 0 for as fast as possible", "1")
    .action((path: string, channel: string, options: ReplayArguments) =>
      replayInto(resolve(path), channel, options)
    );
}

/** Makes a command hand all its arguments on, also `--help`. */
function forwardTo(command: Command, action: (args: string[]) => Promise<void>): Command {
  return command
    .usage("[options]")
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .passThroughOptions()
    .action((_options: unknown, { args }: Command) => action(args));
}

function withPlace(command: Command): Command {
  return command
    .option("--directory <dir>", "directory of the ring files (default: that of all channels)")
    .option("--json", "print one JSON object");
}

async function bench(args: string[]): Promise<number> {
  const task = ["task", "--quiet", "bench", ...args];
  return (await run(Deno.execPath(), task, { cwd: ROOT, inherit: true })).code;
}

function showStatus({ directory, json }: PlaceOptions): void {
  const channels = readStatus(directory === undefined ? undefined : resolve(directory));
  console.log(json ? JSON.stringify({ channels }) : statusText(channels));
}

if (import.meta.main) await runScript("mt", main);

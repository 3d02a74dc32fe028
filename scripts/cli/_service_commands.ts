/**
 * The commands that run something: the demo, the benchmarks, the services.
 *
 * @module
 */

import type { Command } from "commander";
import { resolve } from "node:path";
import { run } from "../_command.ts";
import { ROOT } from "../_zig.ts";
import { demo } from "../demo.ts";
import { runService } from "../services/_service.ts";
import { SERVICES } from "../services/mod.ts";
import { type End, forwardTo, withPlace } from "./_frame.ts";
import { type ReadArguments, readToOutput, type ReplayArguments, replayInto } from "./_journal.ts";

/** Adds the demo and the benchmarks. */
export function addRunCommands(program: Command, end: End): void {
  forwardTo(program.command("demo"), async (rest) => end(await demo(rest)))
    .description('run the main job; "mt demo --help" has its options');
  forwardTo(program.command("bench"), async (rest) => end(await bench(rest)))
    .description('run a benchmark; "mt bench --help" names them');
}

/** Adds the services. */
export function addServiceCommands(program: Command, end: End): void {
  for (const service of SERVICES) {
    const command = forwardTo(
      program.command(service.name),
      async (rest) => end(await runService(service, rest)),
    ).description(service.summary);
    if (service.alias !== undefined) command.alias(service.alias);
    if (service.name === "journal") addJournalCommands(command);
  }
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

async function bench(args: string[]): Promise<number> {
  const task = ["task", "--quiet", "bench", ...args];
  return (await run(Deno.execPath(), task, { cwd: ROOT, inherit: true })).code;
}

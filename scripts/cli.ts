/**
 * The command line tool: `deno task mt`.
 *
 * A command is added by an `add…` function of a file in `cli/`, which is called here once. Their
 * order, and the groups that they stand in, are those of `mt --help`.
 *
 * @module
 */

import { Command, CommanderError } from "commander";
import config from "../deno.json" with { type: "json" };
import { runScript } from "./_command.ts";
import { addChannelCommands, addLookCommands } from "./cli/_channel_commands.ts";
import { addClean } from "./cli/_clean.ts";
import { addDoctor } from "./cli/_doctor.ts";
import type { End } from "./cli/_frame.ts";
import { addLogCommands } from "./cli/_log_commands.ts";
import { addTail } from "./cli/_tail.ts";
import { addRunCommands, addServiceCommands } from "./cli/_service_commands.ts";

async function main(args: string[]): Promise<number> {
  let status = 0;
  const program = makeProgram((code) => status = code);
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2; // It has said why.
  }
  return status;
}

function makeProgram(end: End): Command {
  const program = new Command("mt")
    .description("Looks after message_transport channels.")
    .version(config.version)
    .addHelpText("after", "\nExit status: 0 done, 1 failed or damaged, 2 wrong arguments.")
    .enablePositionalOptions()
    .exitOverride();
  program.commandsGroup("Try it:");
  addRunCommands(program, end);
  program.commandsGroup("Look:");
  addLookCommands(program);
  addTail(program, end);
  addDoctor(program, end);
  program.commandsGroup("Channels:");
  addChannelCommands(program, end);
  addClean(program, end);
  program.commandsGroup("Files on the disk:");
  addLogCommands(program, end);
  program.commandsGroup("Services:");
  addServiceCommands(program, end);
  return program;
}

if (import.meta.main) await runScript("mt", main);

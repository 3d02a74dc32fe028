/**
 * The command line tool: `mt`, or `deno task mt` in the checkout.
 *
 * A command is added by an `add…` function of a file in `cli/`, which is called here once. Their
 * order, and the groups that they stand in, are those of `mt --help`.
 *
 * @module
 */

import { Command, CommanderError } from "commander";
import config from "../deno.json" with { type: "json" };
import { runScript, UsageError } from "./_command.ts";
import { HAS_COLOUR, paint, write } from "./_output.ts";
import { addChannelCommands, addLookCommands } from "./cli/_channel_commands.ts";
import { addClean } from "./cli/_clean.ts";
import { addComplete } from "./cli/_complete.ts";
import { addDoctor } from "./cli/_doctor.ts";
import type { End } from "./cli/_frame.ts";
import { addLogCommands } from "./cli/_log_commands.ts";
import { addMetricsCommand } from "./cli/_metrics.ts";
import { addRunCommands, addServiceCommands } from "./cli/_service_commands.ts";
import { addTail } from "./cli/_tail.ts";
import { addTop } from "./cli/_top.ts";

/** Runs a command. Returns the exit status. */
export async function main(args: string[]): Promise<number> {
  let status = 0;
  const program = makeProgram(args, (code) => status = code);
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof UsageError) error.command ??= helped(program, args);
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2; // It has said why.
  }
  return status;
}

/** Who has the help that wrong arguments need. */
function helped({ commands }: Command, [first = ""]: readonly string[]): string {
  const found = commands.find((one) => [one.name(), ...one.aliases()].includes(first));
  return found === undefined ? "mt" : `mt ${found.name()}`;
}

function makeProgram(args: readonly string[], end: End): Command {
  const program: Command = new Command("mt")
    .configureOutput({
      ...OUTPUT,
      outputError: (text, writeText) => {
        const line = text.trim().replaceAll("\n", " ");
        writeText(`${line} (see "${helped(program, args)} --help")\n`);
      },
    })
    .configureHelp({ styleTitle: (title) => paint("bold", title) })
    .description("Looks after message_transport channels.")
    .version(config.version)
    .addHelpText("after", HELP)
    .enablePositionalOptions()
    .exitOverride();
  program.commandsGroup("Try it:");
  addRunCommands(program, end);
  program.commandsGroup("Look:");
  addLookCommands(program);
  addTop(program);
  addTail(program, end);
  addDoctor(program, end);
  program.commandsGroup("Channels:");
  addChannelCommands(program, end);
  addClean(program, end);
  program.commandsGroup("Files on the disk:");
  addLogCommands(program, end);
  program.commandsGroup("Services:");
  addServiceCommands(program, end);
  addMetricsCommand(program, end);
  program.commandsGroup("This tool:");
  addComplete(program, args);
  program.helpCommand("help [command]", "tell about a command");
  return program;
}

/** How commander writes; all commands of `mt` inherit this. */
const OUTPUT = {
  writeOut: (text: string) => void write(text),
  writeErr: (text: string) => void Deno.stderr.writeSync(new TextEncoder().encode(text)),
  getOutHasColors: () => HAS_COLOUR,
  getErrHasColors: () => false,
};

const HELP = `
With --json a command prints one JSON object on stdout and nothing else; those
that go on (tail, persist, the services) one for each thing they tell, a line
each. Colours are for terminals only, and not with NO_COLOR set.
Exit status: 0 done, 1 failed or damaged, 2 wrong arguments.`;

if (import.meta.main) await runScript("mt", main);

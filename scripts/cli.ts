/**
 * The command line tool: `deno task mt`.
 *
 * @module
 */

import { Command, CommanderError } from "commander";
import { resolve } from "node:path";
import config from "../deno.json" with { type: "json" };
import { removeChannel } from "../mod.ts";
import { run, runScript, ScriptError, UsageError } from "./_command.ts";
import { ROOT } from "./_zig.ts";
import { readStatus, statusText } from "./cli/_status.ts";
import { demo } from "./demo.ts";

interface PlaceOptions {
  directory?: string;
  json?: boolean;
}

async function main(args: string[]): Promise<number> {
  let status = 0;
  const program = new Command("mt")
    .description("Looks after message_transport channels.")
    .version(config.version)
    .addHelpText("after", "\nExit status: 0 done, 1 failed, 2 wrong arguments.")
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
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2; // It has said why.
  }
  return status;
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

function remove(name: string, { directory, json }: PlaceOptions): void {
  try {
    removeChannel(name, directory === undefined ? {} : { directory: resolve(directory) });
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      throw new ScriptError(error.message);
    }
    throw error;
  }
  console.log(json ? JSON.stringify({ removed: name }) : `Removed channel "${name}"`);
}

if (import.meta.main) await runScript("mt", main);

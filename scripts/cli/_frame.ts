/**
 * What the commands of `mt` have in common.
 *
 * @module
 */

import type { Command } from "commander";
import { resolve } from "node:path";

/** Sets the exit status that `mt` ends with: 0 done, 1 failed or damaged, 2 wrong arguments. */
export type End = (status: number) => void;

/** Options that most commands have. */
export interface PlaceOptions {
  directory?: string;
  json?: boolean;
}

/** Gives a command `--directory` and `--json`. */
export function withPlace(command: Command): Command {
  return command
    .option("--directory <dir>", "directory of the ring files (default: that of all channels)")
    .option(...JSON_OPTION);
}

/** The flag and the description of `--json`. */
export const JSON_OPTION = ["--json", "print one JSON object"] as const;

/** The directory that a command was given, as the library takes it. */
export function placeOf({ directory }: PlaceOptions): { directory?: string } {
  return directory === undefined ? {} : { directory: resolve(directory) };
}

/** The text of an error; where something was not found, also how to find it. */
export function withHint(error: Error): string {
  const isMissing = error instanceof Deno.errors.NotFound;
  return error.message + (isMissing ? '; "mt status" lists those there are' : "");
}

/** Makes a command hand all its arguments on, also `--help`. */
export function forwardTo(command: Command, action: (args: string[]) => Promise<void>): Command {
  return command
    .usage("[options]")
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .passThroughOptions()
    .action((_options: unknown, { args }: Command) => action(args));
}

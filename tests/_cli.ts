/**
 * The command line tool in this process: cheaper than a process for each call, with the same code
 * from the arguments on.
 *
 * @module
 */

import { runMain } from "../scripts/_command.ts";
import { main } from "../scripts/cli.ts";

/** How a command ended, and what it wrote. */
export interface Told {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command of `mt` to its end. One at a time: it takes over what is written meanwhile. */
export async function mtHere(...args: string[]): Promise<Told> {
  const told = { stdout: "", stderr: "" };
  const decoder = new TextDecoder();
  const { log, error } = console;
  const { stdout, stderr } = Deno;
  const [writeOut, writeErr] = [stdout.writeSync, stderr.writeSync];
  try {
    console.log = (text: string) => void (told.stdout += `${text}\n`);
    console.error = (text: string) => void (told.stderr += `${text}\n`);
    stdout.writeSync = (bytes) => {
      told.stdout += decoder.decode(bytes);
      return bytes.length;
    };
    stderr.writeSync = (bytes) => {
      told.stderr += decoder.decode(bytes);
      return bytes.length;
    };
    const code = await runMain("mt", args, main);
    return { code, ...told };
  } finally {
    Object.assign(console, { log, error });
    stdout.writeSync = writeOut;
    stderr.writeSync = writeErr;
  }
}

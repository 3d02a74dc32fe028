/**
 * What the scripts share: running another program, and telling a person what went wrong.
 *
 * @module
 */

/** A failure to report in one line, without a stack: the text says what to do. */
export class ScriptError extends Error {
  override name = "ScriptError";
}

/** A wrong argument, to report in one line: `parseArgs` knows names and types, not values. */
export class UsageError extends Error {
  override name = "UsageError";
  /** The command whose `--help` tells more, where that is not the script's own. */
  command?: string;
}

/** How a program ended, and what it wrote. */
export interface Finished {
  /** Exit status; 128 + n when signal n ended it. */
  code: number;
  stdout: string;
  stderr: string;
  seconds: number;
}

/** How to run a program. */
export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Text for its stdin, which is empty otherwise. */
  input?: string;
  /** Lets the program write to this process's own output; `stdout` and `stderr` stay empty. */
  inherit?: boolean;
  /** Ends the program with SIGTERM when aborted. */
  signal?: AbortSignal;
}

/**
 * Runs a program to its end.
 *
 * @throws {Deno.errors.NotFound} If there is no such program.
 */
export async function run(
  program: string,
  args: string[],
  { cwd, env, input, inherit = false, signal }: RunOptions = {},
): Promise<Finished> {
  const start = performance.now();
  const output = inherit ? "inherit" : "piped";
  const child = new Deno.Command(program, {
    args,
    stdin: input === undefined ? "null" : "piped",
    stdout: output,
    stderr: output,
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    ...(signal === undefined ? {} : { signal }),
  }).spawn();
  const written = input === undefined ? undefined : writeAll(child.stdin, input);
  const seconds = () => (performance.now() - start) / 1000;
  if (inherit) {
    return { code: (await child.status).code, stdout: "", stderr: "", seconds: seconds() };
  }
  const [{ code, stdout, stderr }] = await Promise.all([child.output(), written]);
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
    seconds: seconds(),
  };
}

async function writeAll(stream: WritableStream<Uint8Array>, text: string): Promise<void> {
  const bytes = new Blob([text]).stream();
  // A program that ends before it has read everything says why by other means.
  await bytes.pipeTo(stream).catch(() => {});
}

/**
 * Runs a script's `main` and exits with the status that it returns.
 *
 * Exit statuses: 0 done, 1 failed, 2 called in a wrong way. A {@linkcode ScriptError} and a wrong
 * argument are one line on stderr; anything else is a defect and keeps its stack.
 */
export async function runScript(
  name: string,
  main: (args: string[]) => Promise<number>,
): Promise<never> {
  // `deno task` hands the `--` on that stands before a script's own arguments.
  const args = Deno.args[0] === "--" ? Deno.args.slice(1) : Deno.args;
  Deno.exit(await runMain(name, args, main));
}

/** The same without the exit: returns the status. */
export async function runMain(
  name: string,
  args: string[],
  main: (args: string[]) => Promise<number>,
): Promise<number> {
  try {
    return await main(args);
  } catch (error) {
    if (error instanceof ScriptError) {
      console.error(`error: ${error.message}`);
      return 1;
    }
    if (error instanceof UsageError || isWrongArgument(error)) {
      const own = /^mt\b/.test(name) ? name : `deno task ${name}`;
      const command = error instanceof UsageError ? error.command ?? own : own;
      console.error(`error: ${error.message.replaceAll("\n", " ")} (see "${command} --help")`);
      return 2;
    }
    throw error;
  }
}

/**
 * Tells whether an error is a failure of the world, by its name: one of Deno's or of ours, whose
 * text says what to mend. The others are defects, and keep their stack.
 */
export function isFailure(error: unknown): error is Error {
  return error instanceof Error && !DEFECTS.includes(error.name);
}

const DEFECTS = ["Error", "TypeError", "RangeError", "ReferenceError", "AssertionError"];

/** Tells whether `parseArgs` of node:util refused the arguments. */
export function isWrongArgument(error: unknown): error is TypeError {
  return error instanceof TypeError && "code" in error &&
    String(error.code).startsWith("ERR_PARSE_ARGS");
}

/** Seconds as people read them: `0.4 s`. */
export function formatSeconds(seconds: number): string {
  return `${seconds.toFixed(1)} s`;
}

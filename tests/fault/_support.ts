/**
 * What fault tests share: child processes that cannot hang a test, waiting for a condition, seeded
 * random numbers, and figures for the long form's report.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { type Channel, monotonicNs } from "../../mod.ts";
import { IDENTITY_SIZE, LINE_BYTES } from "../../lib/native/_layout.ts";
import { straceArgs, type Trace } from "./_trace.ts";

export { Random } from "../_random.ts";

monotonicNs(); // Loads the library, which stays: no single test is to blame for that.

/** Root of the checkout. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The library with fault points: `MT_FAULT` makes a process die at one of them. */
export const FAULTY_LIBRARY = `${ROOT}zig-out/faults/lib/libmessage_transport.so`;

/** Whether the long form was asked for: `MT_LONG=1 deno task test tests/fault`. */
export const IS_LONG = Deno.env.get("MT_LONG") === "1";

/**
 * A child that lives for so long hangs, and so does a test that waits for so long. Generous: some
 * children live as long as a test that kills dozens of others, and machines may be slow.
 */
const WATCHDOG_MS = IS_LONG ? 3_600_000 : 600_000;

/** How a child process is started. */
export interface ChildOptions {
  /** Directory of the ring files; the only one that the child may use. */
  directory: string;
  /** `MT_FAULT`: where it dies. Takes the library with fault points. */
  fault?: string;
  /** `MT_PLANT`: what is wrong on purpose. Takes the same library. */
  plant?: string;
  /** Whether `--allow-ffi` is for everything rather than for the library: how it waits. */
  isUnscoped?: boolean;
  /** Further permissions. */
  permissions?: string[];
  /** Runs it under strace, with faults at system calls. */
  trace?: Trace;
}

/** How a child process ended. */
export interface Ended {
  code: number;
  signal: Deno.Signal | null;
  stderr: string;
}

/** A script of `children/` in a process of its own, which tells its state in lines. */
export class Child implements AsyncDisposable {
  readonly #script: string;
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #lines: AsyncGenerator<string, void, void>;
  readonly #stderr: Promise<string>;
  readonly #watchdog: ReturnType<typeof setTimeout>;
  #isOverdue = false;
  #hasEnded = false;

  /** Starts it. `config` is handed over as JSON. */
  constructor(script: string, config: object, options: ChildOptions) {
    const { directory, fault, plant, isUnscoped = false, permissions = [], trace } = options;
    this.#script = script;
    const deno = Deno.execPath();
    this.#process = new Deno.Command(trace === undefined ? deno : "strace", {
      args: [
        ...(trace === undefined ? [] : [...straceArgs(trace), deno]),
        ...["run", "--no-prompt", "--no-config", "--allow-env=MT_LIB"],
        ...[`--allow-read=${directory}`, `--allow-write=${directory}`],
        isUnscoped ? "--allow-ffi" : `--allow-ffi=${ROOT}zig-out`,
        ...permissions,
        `${ROOT}tests/fault/children/${script}.ts`,
        JSON.stringify({ directory, ...config }),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: {
        ...(fault ?? plant) === undefined ? {} : { MT_LIB: FAULTY_LIBRARY },
        ...fault === undefined ? {} : { MT_FAULT: fault },
        ...plant === undefined ? {} : { MT_PLANT: plant },
      },
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#lines = readLines(this.#process.stdout);
    this.#stderr = new Response(this.#process.stderr).text();
    this.#watchdog = setTimeout(() => {
      this.#isOverdue = true;
      this.kill();
    }, WATCHDOG_MS);
  }

  /** The process's id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Returns the next line, or undefined when the child has closed its output. */
  async line(): Promise<string | undefined> {
    const { value, done } = await this.#lines.next();
    return done ? undefined : value;
  }

  /** Returns what follows `word` in the next line, which must begin with it. */
  async expect(word: string): Promise<string> {
    const line = await this.line();
    if (line !== undefined && `${line} `.startsWith(`${word} `)) return line.slice(word.length + 1);
    const found = line === undefined ? await this.#describeEnd() : `"${line}"`;
    if (line !== undefined) this.kill();
    throw new Error(`Cannot read "${word}" from child "${this.#script}": found ${found}`);
  }

  /** Writes a line to it. */
  async send(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Sends a signal, if the child is still there. */
  kill(signal: Deno.Signal = "SIGKILL"): void {
    try {
      this.#process.kill(signal);
    } catch (error) {
      if (!this.#hasEnded && !(error instanceof TypeError)) throw error;
    }
  }

  /**
   * Waits for its end; what it still prints is lost.
   *
   * @throws {Error} If it hangs.
   */
  async ended(): Promise<Ended> {
    while (await this.line() !== undefined);
    const { code, signal } = await this.#process.status;
    const stderr = await this.#stderr;
    this.#hasEnded = true;
    clearTimeout(this.#watchdog);
    await this.#input.close().catch(() => {}); // A dead child's pipe is broken.
    if (this.#isOverdue) throw new Error(`Cannot end child "${this.#script}": found it hanging`);
    return { code, signal, stderr };
  }

  /** Waits for its end, which must be one of its own with status 0. */
  async succeeded(): Promise<void> {
    const { code, signal, stderr } = await this.ended();
    if (code === 0) return;
    throw new Error(
      `Cannot use child "${this.#script}": found status ${code}, ${signal}\n${stderr}`,
    );
  }

  async #describeEnd(): Promise<string> {
    const { code, signal, stderr } = await this.ended();
    return `its end with status ${code} (${signal})\n${stderr}`;
  }

  /** Kills it if it is still there. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#hasEnded) return;
    this.kill();
    await this.ended();
  }
}

async function* readLines(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string, void, void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

/** A temporary directory of one test. */
export class TestDirectory implements Disposable {
  /** Its path. */
  readonly path: string = Deno.makeTempDirSync();

  /** Removes it. */
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** A test that is skipped where there is an obstacle, and names it. */
export function testUnless(
  obstacle: string | undefined,
  name: string,
  fn: () => Promise<void>,
): void {
  const ignore = obstacle !== undefined;
  Deno.test({ name: ignore ? `${name} (${obstacle})` : name, ignore, fn });
}

/** Lets the event loop run for a millisecond. */
export function pause(ms = 1): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Waits until something has become true.
 *
 * @throws {Error} If it never does.
 */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + WATCHDOG_MS;
  while (!condition()) {
    if (performance.now() > end) {
      throw new Error(`Cannot wait until ${what}: found that it never is`);
    }
    await pause();
  }
}

/** Places of the lines that sleepers are counted in, behind that of claims: docs/format.md. */
const WAIT_LINES = { data: 1, space: 2, commit: 5 };

/** Reads in a ring file whether somebody sleeps: for a message, for room, or for the disk. */
export function isSomebodyAsleep(channel: Channel, what: keyof typeof WAIT_LINES): boolean {
  const lines = WAIT_LINES[what];
  using file = Deno.openSync(channel.bufferFile);
  file.seekSync(IDENTITY_SIZE + lines * LINE_BYTES, Deno.SeekMode.Start);
  const words = new Uint32Array(2);
  file.readSync(new Uint8Array(words.buffer));
  return words[0] !== words[1]; // Sleeps that have begun, and those that were served.
}

/** Returns the seed of a test: `MT_SEED`, or one that is always the same. */
export function seedOf(usual: number): number {
  const chosen = Deno.env.get("MT_SEED");
  return chosen === undefined ? usual : Number(chosen);
}

/** Appends a figure to the file that `MT_FIGURES` names, if it does. */
export function note(figure: string, value: number): void {
  const path = Deno.env.get("MT_FIGURES");
  if (path === undefined) return;
  Deno.writeTextFileSync(path, `${JSON.stringify([figure, value])}\n`, { append: true });
}

/**
 * What the tests of channels share: a directory and channels that end with the test, messages as
 * text, and child processes under a watchdog.
 *
 * @module
 */

import {
  type Channel,
  type ChannelOptions,
  type Consumer,
  createChannel,
  monotonicNs,
  openChannel,
  type OpenChannelOptions,
  type WaitStrategy,
} from "../mod.ts";

monotonicNs(); // Loads the library, for good: in a test that would be taken for a leak.

/** The checkout, with a slash at its end. */
export const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname);

/** Whether `--allow-ffi` is unscoped here: views and the notifier thread need that. */
export const IS_UNSCOPED = Deno.permissions.querySync({ name: "ffi" }).state === "granted";

/** A kind of channel and the way in which its memory is reached. */
export interface Mode {
  producers: "single" | "many";
  view: boolean;
}

const MODES: Mode[] = [
  { producers: "single", view: false },
  { producers: "many", view: false },
  { producers: "single", view: true },
  { producers: "many", view: true },
];

/** Adds a test for both kinds of channel, with copies, and where that is allowed with views. */
export function testModes(
  name: string,
  body: (mode: Mode, scratch: Scratch) => void | Promise<void>,
): void {
  for (const mode of MODES.filter(({ view }) => IS_UNSCOPED || !view)) {
    Deno.test(`${name} (${mode.producers}, ${mode.view ? "view" : "copy"})`, async () => {
      using scratch = new Scratch();
      await body(mode, scratch);
    });
  }
}

/** Whoever is silent for longer has failed. Generous: a busy machine starts a process in 20 s. */
const WATCHDOG_MS = 300_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** UTF-8 bytes of a text. */
export function encode(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Bytes that tell one message from the next. */
export function pattern(length: number, seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => seed * 31 + i * 7 + (i >> 8));
}

/** A temporary directory and the channels made in it. All end with the scope that has it. */
export class Scratch implements Disposable {
  readonly directory: string = Deno.makeTempDirSync();
  readonly #channels: Channel[] = [];

  /** Makes a channel: a ring of 4 KiB for 4 consumers, unless told otherwise. */
  create(options: ChannelOptions = {}, name = "test"): Channel {
    const { directory } = this;
    return this.#keep(
      createChannel(name, { sizeBytes: 4096, maxConsumers: 4, directory, ...options }),
    );
  }

  /** Opens a channel another time, as another process would. */
  open(options: OpenChannelOptions = {}, name = "test"): Channel {
    return this.#keep(openChannel(name, { directory: this.directory, ...options }));
  }

  /** Path of a channel's file. */
  path(name = "test"): string {
    return `${this.directory}/${name}.ring`;
  }

  #keep(channel: Channel): Channel {
    this.#channels.push(channel);
    return channel;
  }

  [Symbol.dispose](): void {
    for (const channel of this.#channels) channel.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** Polls once; the messages as text. */
export function pollTexts(consumer: Consumer, limit?: number): string[] {
  const texts: string[] = [];
  consumer.poll((message) => void texts.push(message.text), limit);
  return texts;
}

/** Polls once; the messages' sequences. */
export function pollSequences(consumer: Consumer, limit?: number): number[] {
  const sequences: number[] = [];
  consumer.poll((message) => void sequences.push(message.sequence), limit);
  return sequences;
}

/** Polls until nothing comes; the messages' sequences. */
export function drain(consumer: Consumer): number[] {
  const sequences: number[] = [];
  while (consumer.poll((message) => void sequences.push(message.sequence)) > 0);
  return sequences;
}

/** Whole numbers from `first` to `last`. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}

/** What `_consumer_worker.ts` is to do. */
export interface ConsumerTask {
  directory: string;
  /** Messages to receive. */
  total: number;
  wait?: WaitStrategy;
}

/** A worker that runs a script of the tests' folder and is over with its scope. */
export class TestWorker implements Disposable {
  readonly #worker: Worker;
  readonly #replies: unknown[] = [];
  #settle: (() => void) | undefined;
  #error: Error | undefined;

  constructor(script: string, task: unknown) {
    this.#worker = new Worker(new URL(script, import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }) => {
      this.#replies.push(data);
      this.#settle?.();
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#error = new Error(`${script}: ${event.message}`);
      this.#settle?.();
    };
    this.#worker.postMessage(task);
  }

  /** The next message that the worker posts. Fails where it ends by an error or is silent. */
  async next(): Promise<unknown> {
    if (this.#replies.length === 0 && this.#error === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const watchdog = setTimeout(() => {
        this.#error = new Error("the worker is silent");
        resolve();
      }, WATCHDOG_MS);
      this.#settle = resolve;
      await promise;
      clearTimeout(watchdog);
    }
    if (this.#replies.length > 0) return this.#replies.shift();
    throw this.#error;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}

/** How a child process ended. */
export interface Ended {
  code: number;
  signal: Deno.Signal | null;
  stdout: string;
  stderr: string;
}

/** How a child process is started. */
export interface ChildOptions {
  env?: Record<string, string>;
  /** After this it is killed, and the test fails. Default: five minutes. */
  watchdogMs?: number;
}

/** Starts another Deno with these arguments and waits for its end. */
export function runChild(args: string[], options: ChildOptions = {}): Promise<Ended> {
  return runProgram(Deno.execPath(), args, options);
}

/** Starts a program and waits for its end. */
export async function runProgram(
  program: string,
  args: string[],
  { env = {}, watchdogMs = WATCHDOG_MS }: ChildOptions = {},
): Promise<Ended> {
  const child = new Deno.Command(program, {
    args,
    env: { ...env, NO_COLOR: "1" },
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let isOverdue = false;
  const watchdog = setTimeout(() => {
    isOverdue = true;
    child.kill("SIGKILL");
  }, watchdogMs);
  const output = await child.output();
  clearTimeout(watchdog);
  const stdout = decoder.decode(output.stdout);
  const stderr = decoder.decode(output.stderr);
  if (isOverdue) throw new Error(`${args.join(" ")} hung\n${stdout}${stderr}`);
  return { code: output.code, signal: output.signal, stdout, stderr };
}

/** Runs a script of the tests' folder; the JSON on the last line of its output. */
export async function runScript(
  script: string,
  flags: string[],
  args: string[],
  options?: ChildOptions,
): Promise<unknown> {
  const path = `${ROOT}tests/${script}`;
  const ended = await runChild(
    ["run", "--no-prompt", "--no-lock", ...flags, path, ...args],
    options,
  );
  if (ended.code !== 0) {
    const how = ended.signal ?? `status ${ended.code}`;
    throw new Error(`${script} ended by ${how}\n${ended.stdout}${ended.stderr}`);
  }
  return JSON.parse(ended.stdout.trimEnd().split("\n").at(-1) ?? "");
}

/** Kills a child process that may have ended, and waits until it has. */
export async function killChild(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // It has ended already.
  }
  await child.status;
}

const givenPorts = new Set<number>();

/**
 * A port of loopback that nobody listens at, and that nobody gets who asks for any: the kernel's
 * choice is from 32768 on. So it stays free for who has to be told of one before it listens, or
 * listens there again after its death. Each call gives another one.
 */
export function freePort(): number {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    if (givenPorts.has(port)) continue;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      givenPorts.add(port);
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** Whether there is a file of that path. */
export function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

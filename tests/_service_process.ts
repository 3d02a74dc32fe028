/**
 * A program that tells what happens in lines of JSON, as services do, in a process of its own.
 *
 * @module
 */

import { readLines } from "../scripts/services/_lines.ts";
import { killChild } from "./_support.ts";

/** After this it is killed, and the test fails. Generous, as machines may be slow. */
const WATCHDOG_MS = 300_000;

/** The process, which ends with its scope. */
export class ServiceProcess implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #watchdog: ReturnType<typeof setTimeout>;

  /** Takes a process whose standard input and output are pipes. */
  constructor(child: Deno.ChildProcess) {
    this.child = child;
    this.#lines = readLines(child.stdout);
    this.#watchdog = setTimeout(() => killChild(child), WATCHDOG_MS);
  }

  /** What it tells next. */
  async event<T = Record<string, unknown>>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`It has ended: ${JSON.stringify(await this.child.status)}`);
    return JSON.parse(value);
  }

  /** Sends a signal and waits for its end. What it has told until then can be read afterwards. */
  async end(signal: Deno.Signal): Promise<Deno.CommandStatus> {
    this.child.kill(signal);
    return await this.child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#watchdog);
    await killChild(this.child);
    await this.child.stdin.abort().catch(() => {}); // Its other end has gone.
    while (!(await this.#lines.next()).done);
  }
}

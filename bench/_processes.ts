/**
 * The processes that a benchmark lets work together; their inside is `_peer.ts`.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { ScriptError } from "../scripts/_command.ts";
import { ROOT } from "../scripts/_zig.ts";

/** One process. */
export interface PeerJob {
  /** Its program, in this folder. */
  file: string;
  /** What it is to do: its one argument. */
  job: Record<string, unknown>;
  /** Permissions that it needs besides those for the native libraries. */
  permissions?: string[];
  /** Native library that it takes instead of the usual one; below zig-out. */
  library?: string | undefined;
  /** Whether it may use views of the ring's memory, which needs FFI without a scope. */
  isUnscoped?: boolean;
}

/** Seconds after which peers that have not ended are killed: many times what the longest take. */
const PEERS_SECONDS_MAX = 120;

/**
 * Runs peers to their end. All of them begin to work when the last one is ready.
 *
 * @returns What each has answered; undefined for one that answered nothing.
 * @throws {ScriptError} If one fails, which ends the others, or if they do not end in time.
 */
export async function runPeers(jobs: PeerJob[], signal: AbortSignal): Promise<unknown[]> {
  const stop = new AbortController();
  const timeout = AbortSignal.timeout(PEERS_SECONDS_MAX * 1000);
  const isOver = AbortSignal.any([signal, timeout, stop.signal]);
  const peers = jobs.map((job) => new Peer(job));
  const onOver = () => peers.forEach((peer) => peer.kill());
  isOver.addEventListener("abort", onOver);
  const onFailure = (error: unknown) => {
    stop.abort();
    throw error;
  };
  try {
    await Promise.all(peers.map((peer) => peer.isReady().catch(onFailure)));
    for (const peer of peers) peer.go();
    return await Promise.all(peers.map((peer) => peer.finish().catch(onFailure)));
  } catch (error) {
    await Promise.allSettled(peers.map((peer) => peer.ended));
    if (timeout.aborted) {
      throw new ScriptError(`Cannot finish a run: found it busy after ${PEERS_SECONDS_MAX} s`);
    }
    throw error;
  } finally {
    isOver.removeEventListener("abort", onOver);
  }
}

class Peer {
  readonly #file: string;
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #rest = "";

  constructor({ file, job, permissions = [], library, isUnscoped = false }: PeerJob) {
    this.#file = file;
    const program = fileURLToPath(new URL(file, import.meta.url));
    const ffi = isUnscoped ? "--allow-ffi" : `--allow-ffi=${ROOT}zig-out`;
    const needed = [ffi, "--allow-env=MT_LIB", ...permissions];
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", ...needed, program, JSON.stringify(job)],
      env: library === undefined ? {} : { MT_LIB: library },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  get ended(): Promise<Deno.CommandStatus> {
    return this.#child.status;
  }

  async isReady(): Promise<void> {
    while (!this.#rest.startsWith("ready\n")) {
      const { value } = await this.#lines.read();
      if (value === undefined) return await this.#fail();
      this.#rest += value;
    }
    this.#rest = this.#rest.slice("ready\n".length);
  }

  go(): void {
    this.#child.stdin.close().catch(() => {}); // It has ended: `finish` says how.
  }

  async finish(): Promise<unknown> {
    for (;;) {
      const { value } = await this.#lines.read();
      if (value === undefined) break;
      this.#rest += value;
    }
    if (!(await this.ended).success) await this.#fail();
    return this.#rest === "" ? undefined : JSON.parse(this.#rest);
  }

  kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended by itself.
    }
  }

  async #fail(): Promise<never> {
    const { code, signal } = await this.ended;
    throw new ScriptError(
      `Cannot use bench/${this.#file}: found that it ended with ${signal ?? code}`,
    );
  }
}

/**
 * The inside of a process that a benchmark starts; the outside is `_processes.ts`.
 *
 * A peer takes one JSON argument, opens what it needs, calls {@linkcode ready} and, when all have,
 * does its work, and prints one line of JSON.
 *
 * @module
 */

import { pinThread } from "../mod.ts";

/** Returns the argument. Pins this process to its `core`, if it has one. */
export function takeJob<Job extends { core?: number | undefined }>(): Job {
  const job: Job = JSON.parse(Deno.args[0]!);
  if (job.core !== undefined) pinThread(job.core);
  return job;
}

/** Tells that everything is open, and waits until all peers have told so. */
export function ready(): void {
  Deno.stdout.writeSync(new TextEncoder().encode("ready\n"));
  while (Deno.stdin.readSync(new Uint8Array(16)) !== null); // It is closed as a signal to go.
}

/** Hands the result over. */
export function answer(result: unknown): void {
  console.log(JSON.stringify(result));
}

/** Fails the benchmark if any answer was wrong: fast and wrong is no result. */
export function checkAnswers(wrong: number): void {
  if (wrong > 0) throw new Error(`Cannot trust this run: found ${wrong} wrong messages`);
}

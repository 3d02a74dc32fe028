/**
 * The demo's cleaner: a process that waits for the demo's end, whatever that is, and for that of
 * every service, and removes what they have left.
 *
 * @module
 */

import { readCounters, removeCounters } from "../../lib/observability/mod.ts";
import { listChannels, removeChannel } from "../../mod.ts";

/** What it is told, as JSON in its only argument. */
export interface CleanerTask {
  /** What is removed with everything in it. */
  directory: string;
  /** What every process of the run keeps locked. */
  lockFile: string;
  /** Where the names of the run's channels begin. */
  channelPrefix: string;
}

async function main({ directory, lockFile, channelPrefix }: CleanerTask): Promise<void> {
  // Its input is a pipe from the demo, which the kernel closes at the latest.
  const buffer = new Uint8Array(64);
  while (await Deno.stdin.read(buffer) !== null);
  // The demo may have been killed before it has made the file.
  using file = await Deno.open(lockFile, { write: true, create: true });
  await file.lock(true); // When no service has it any more: the kernel gives it up for the dead.
  for (const { name } of listChannels()) if (name.startsWith(channelPrefix)) removeChannel(name);
  for (const { instance } of readCounters()) {
    if (instance.startsWith(channelPrefix)) removeCounters(instance);
  }
  await Deno.remove(directory, { recursive: true });
}

if (import.meta.main) await main(JSON.parse(Deno.args[0]!));

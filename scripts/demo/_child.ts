/**
 * A child's side of the conversation with the demo, and its end in any case.
 *
 * @module
 */

import { removeChannel } from "../../mod.ts";
import { readLines } from "../services/_lines.ts";
import type { ChildSettings, Command, Event } from "./_protocol.ts";

const encoder = new TextEncoder();

/** Where the child's channel is, as the functions of `mod.ts` take it. */
export function placeOf({ directory }: ChildSettings): { directory?: string } {
  return directory === undefined ? {} : { directory };
}

/** Tells the demo something. */
export function tell(event: Event): void {
  const line = encoder.encode(`${JSON.stringify(event)}\n`);
  for (let at = 0; at < line.length;) at += Deno.stdout.writeSync(line.subarray(at));
}

/** The demo was killed: its input ended without a word, or nobody reads what is told. */
class OrphanedError extends Error {
  override name = "OrphanedError";
}

/** Hands each command to the child, until the demo wants it to end. */
export async function obey(handler: (command: Command) => void): Promise<void> {
  for await (const line of readLines(Deno.stdin.readable)) {
    const command = JSON.parse(line) as Command;
    if (command.do === "end") return;
    handler(command);
  }
  throw new OrphanedError();
}

/**
 * Runs a child's `main`, and tells the demo if it fails.
 *
 * A child whose demo was killed removes the ring file, as there is nobody else to do so.
 */
export async function runChild(main: (settings: ChildSettings) => Promise<void>): Promise<never> {
  // Ctrl+C reaches the whole group: the demo hears it too, and ends its children itself.
  Deno.addSignalListener("SIGINT", () => {});
  const settings = JSON.parse(Deno.args[0] ?? "") as ChildSettings;
  try {
    await main(settings);
  } catch (error) {
    if (!isOrphaned(error) && tellFailure(error)) Deno.exit(1);
    removeIfThere(settings);
    Deno.exit(1);
  }
  Deno.exit(0);
}

function isOrphaned(error: unknown): boolean {
  return error instanceof OrphanedError || error instanceof Deno.errors.BrokenPipe;
}

/** Returns whether there was somebody to tell. */
function tellFailure(failure: unknown): boolean {
  try {
    tell({ event: "failed", message: failure instanceof Error ? failure.message : `${failure}` });
    return true;
  } catch (error) {
    if (!isOrphaned(error)) throw error;
    return false;
  }
}

function removeIfThere(settings: ChildSettings): void {
  try {
    removeChannel(settings.channel, placeOf(settings));
  } catch (error) {
    // Another child was faster.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

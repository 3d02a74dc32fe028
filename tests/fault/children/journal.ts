/**
 * A journal of a channel.
 *
 * Prints `open <last sequence> <repeated so far>`, `full` and `free` as its disk gets full and has
 * room again, and when it was told to `stop`, `end <stats as JSON>`; or `failed <name of the error>
 * <errno>` when it fails.
 */

import { openJournal } from "../../../lib/market/journal/open_journal.ts";
import { DurabilityError, openChannel } from "../../../mod.ts";
import { commands, print } from "./_lines.ts";

interface Config {
  directory: string;
  channel: string;
  /** Directory of the journals. */
  journals: string;
  sync: "batch" | "none" | { intervalMs: number };
  rotateBytes?: number;
}

const config: Config = JSON.parse(Deno.args[0]!);
const { directory, journals, sync, rotateBytes } = config;

using channel = openChannel(config.channel, { directory });
using control = commands();
const journal = openJournal(channel, {
  directory: journals,
  sync,
  onFull: (error) => print(error === undefined ? "free" : "full"),
  ...(rotateBytes === undefined ? {} : { rotateBytes }),
});
print(`open ${journal.stats.lastSequence}`);
try {
  await Promise.race([journal.ended, untilTold()]);
  print(`end ${JSON.stringify(await journal.stop())}`);
} catch (error) {
  if (!(error instanceof Error)) throw error;
  print(`failed ${error.name} ${error instanceof DurabilityError ? error.errno : 0}`);
}

async function untilTold(): Promise<void> {
  while (await control.next() !== undefined);
}

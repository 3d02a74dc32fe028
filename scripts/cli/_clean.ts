/**
 * `mt clean`: removes ring files that no living process uses.
 *
 * @module
 */

import type { Command } from "commander";
import { listChannels, openChannel, removeUnusedChannel } from "../../mod.ts";
import { formatBytes, formatCount } from "../_table.ts";
import { printable } from "../_output.ts";
import { type End, placeOf, type PlaceOptions, withPlace } from "./_frame.ts";

/** A file, and what became of it. */
interface Cleaned {
  name: string;
  path: string;
  /** Of what remains: why. */
  kept: string | null;
  /** Bytes that its removal gives back; 0 of what remains. */
  bytes: number;
  /** Messages that consumers have left unread, and which are gone with it. */
  unread: { consumer: string; messages: number }[];
}

/** Adds the command. */
export function addClean(program: Command, end: End): void {
  withPlace(program.command("clean"))
    .description("remove the files of channels that no living process has open")
    .option("--dry-run", "say what that would do, and remove nothing")
    .addHelpText("after", HELP)
    .action((options: PlaceOptions & { dryRun?: boolean }) => {
      const { json, dryRun = false } = options;
      const place = placeOf(options);
      const all = listChannels(place).map(({ name, bufferFile }) => {
        return cleanChannel(name, bufferFile, { ...place, dryRun });
      });
      const removed = all.filter(({ kept }) => kept === null);
      const kept = all.filter(({ kept }) => kept !== null);
      console.log(json ? JSON.stringify({ dryRun, removed, kept }) : cleanText(all, dryRun));
      end(0);
    });
}

const HELP = `
Kept: what a living process has open, also only to look (mt tail, mt top); a
channel whose log lacks messages that are in the ring alone; what is no sound
ring. Never touched: logs, checkpoints, journals. What was unread in a channel
without a log is gone with it, and is told.`;

function cleanChannel(
  name: string,
  path: string,
  { dryRun, ...place }: { directory?: string; dryRun: boolean },
): Cleaned {
  const remains = (kept: string) => ({ name, path, kept, bytes: 0, unread: [] });
  try {
    const { users, ...before } = look(name, place);
    const { verdict, unloggedBytes } = removeUnusedChannel(name, { ...place, onlyLook: dryRun });
    switch (verdict) {
      case "removed":
        return { name, path, kept: null, ...before };
      case "in use":
        return remains(users === "" ? "a living process has it open" : users);
      case "unlogged":
        return remains(
          `its log lacks ${formatBytes(unloggedBytes)} that are in the ring alone; start a ` +
            `process that writes it, such as "mt persist", then clean again`,
        );
    }
  } catch (error) {
    if (!(error instanceof Error) || error.name === "Error") throw error;
    return remains(error.message);
  }
}

/** What a channel has, as far as it can be seen: who uses it, and what nobody has read. */
function look(
  name: string,
  place: { directory?: string },
): Pick<Cleaned, "bytes" | "unread"> & { users: string } {
  try {
    using channel = openChannel(name, { ...place, readOnly: true, prefault: false });
    const { producers, consumers } = channel.stats();
    const alive = [...producers, ...consumers].filter(({ state }) => state === "alive");
    const users = new Map(alive.map(({ pid, name }) => [pid, name]));
    const isKept = channel.logDirectory !== undefined;
    return {
      bytes: channel.identity.headerBytes + channel.sizeBytes,
      unread: consumers
        .filter(({ name, lagMessages }) => !isKept && name !== "" && lagMessages > 0)
        .map(({ name, lagMessages }) => ({ consumer: name, messages: lagMessages })),
      users: alive.length === 0 ? "" : `in use by ${[...users].map(userText).join(", ")}`,
    };
  } catch (error) {
    if (!(error instanceof Error) || error.name === "Error") throw error;
    return { bytes: 0, unread: [], users: "" };
  }
}

function userText([pid, name]: [number, string]): string {
  return name === "" ? `process ${pid}` : `process ${pid} (${printable(name)})`;
}

function cleanText(all: readonly Cleaned[], isDry: boolean): string {
  if (all.length === 0) return "No channels, nothing to clean";
  const [removes, keeps] = isDry ? ["Would remove", "Would keep"] : ["Removed", "Kept"];
  const lines = all.map(({ path, kept, bytes, unread }) => {
    if (kept !== null) return `${keeps} ${path}: ${printable(kept)}`;
    const lost = unread.map(({ consumer, messages }) =>
      `${formatCount(messages)} messages that "${printable(consumer)}" had not read`
    );
    return `${removes} ${path} (${[formatBytes(bytes), ...lost].join(", ")})`;
  });
  const removed = all.filter(({ kept }) => kept === null);
  const bytes = removed.reduce((sum, { bytes }) => sum + bytes, 0);
  const total = `${removes} ${removed.length} of ${all.length} files, ${formatBytes(bytes)}`;
  return [...lines, total].join("\n");
}

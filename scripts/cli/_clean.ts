/**
 * `mt clean`: removes ring files that no living process uses.
 *
 * @module
 */

import type { Command } from "commander";
import { listChannels, openChannel, removeUnusedChannel } from "../../mod.ts";
import type { Peer } from "../../lib/native/peers.ts";
import { readCounters, removeCounters, type ServiceCounters } from "../../lib/observability/mod.ts";
import { formatBytes, formatCount } from "../_table.ts";
import { jsonText, printable } from "../_output.ts";
import { readControl } from "../records/place.ts";
import { type End, placeOf, type PlaceOptions, withPlace } from "./_frame.ts";

/** A file, and what became of it. */
interface Cleaned {
  what: "channel" | "counters";
  name: string;
  path: string;
  /** Of what remains: why. */
  kept: string | null;
  /** Bytes that its removal gives back; 0 of what remains. */
  bytes: number;
  /** Messages that consumers have left unread, and which are gone with it. */
  unread: MessagesOf[];
  /** Messages that consumers have acknowledged, which only the ring knows: they come again. */
  repeated: MessagesOf[];
}

interface MessagesOf {
  consumer: string;
  messages: number;
}

const NOTHING = { bytes: 0, unread: [], repeated: [] };

/** Adds the command. */
export function addClean(program: Command, end: End): void {
  withPlace(program.command("clean"))
    .description("remove the files of channels and counters that no living process has open")
    .option("--dry-run", "say what that would do, and remove nothing")
    .addHelpText("after", HELP)
    .action((options: PlaceOptions & { dryRun?: boolean }) => {
      const { json, dryRun = false } = options;
      const place = placeOf(options);
      const all = [
        ...listChannels(place).map(({ name, bufferFile }) =>
          cleanChannel(name, bufferFile, { ...place, dryRun })
        ),
        ...readCounters(place).map((counters) => cleanCounters(counters, { ...place, dryRun })),
      ];
      const removed = all.filter(({ kept }) => kept === null);
      const kept = all.filter(({ kept }) => kept !== null);
      console.log(json ? jsonText({ dryRun, removed, kept }) : cleanText(all, dryRun));
      end(0);
    });
}

/** Where, and whether only to look. */
interface CleanPlace {
  directory?: string;
  dryRun: boolean;
}

const HELP = `
Kept: what a living process has open, also only to look (mt tail, mt top); a
channel whose log lacks messages that are in the ring alone; what is no sound
ring. Never touched: logs, checkpoints, journals. Told: what was unread in a
channel without a log, and is gone with it; what consumers have acknowledged
and the log was not yet told, so that it comes to them again.`;

function cleanChannel(
  name: string,
  path: string,
  { dryRun, ...place }: CleanPlace,
): Cleaned {
  const what = "channel";
  const remains = (kept: string): Cleaned => ({ what, name, path, kept, ...NOTHING });
  try {
    const { users, ...before } = useOf(name, place);
    const { verdict, unloggedBytes } = removeUnusedChannel(name, { ...place, onlyLook: dryRun });
    switch (verdict) {
      case "removed":
        return { what, name, path, kept: null, ...before };
      case "in use":
        return remains(users === "" ? "a living process has it open" : users);
      case "unlogged":
        return remains(
          `its log lacks ${formatBytes(unloggedBytes)} that are in the ring alone; start a ` +
            `process that writes it ("mt status" says how), then clean again`,
        );
    }
  } catch (error) {
    if (!(error instanceof Error) || error.name === "Error") throw error;
    return remains(error.message);
  }
}

/** Counters stay when their service has ended, for who reads them: until somebody tidies up. */
function cleanCounters(
  { instance, file, state, pid }: ServiceCounters,
  { dryRun, ...place }: CleanPlace,
): Cleaned {
  const bytes = sizeOf(file);
  const cleaned = { ...NOTHING, what: "counters", name: instance, path: file } as const;
  const remains = (kept: string) => ({ ...cleaned, kept });
  if (state === "alive") return remains(`in use by process ${pid}`);
  if (state === "unreadable") {
    return remains("it is no sound file of counters, or another version's");
  }
  try {
    if (!dryRun) removeCounters(instance, place);
    return { ...cleaned, kept: null, bytes };
  } catch (error) {
    if (!(error instanceof Error) || error.name === "Error") throw error;
    return remains(error.message);
  }
}

/** 0 where this process may not ask, as below /dev/shm. */
function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}

/** What a channel has, as far as it can be seen: who uses it, and what is lost with its ring. */
export function useOf(
  name: string,
  place: { directory?: string },
): Pick<Cleaned, "bytes" | "unread" | "repeated"> & { users: string } {
  try {
    using channel = openChannel(name, { ...place, readOnly: true, prefault: false });
    const { producers, consumers } = channel.stats();
    const alive = [...producers, ...consumers].filter(({ state }) => state === "alive");
    const users = new Map(alive.map(({ pid, name }) => [pid, name]));
    const { logDirectory } = channel;
    return {
      bytes: channel.identity.headerBytes + channel.sizeBytes,
      unread: consumers
        .filter(({ name, lagMessages }) =>
          logDirectory === undefined && name !== "" && lagMessages > 0
        )
        .map(({ name, lagMessages }) => ({ consumer: name, messages: lagMessages })),
      repeated: logDirectory === undefined ? [] : repeatedOf(logDirectory, consumers),
      users: alive.length === 0 ? "" : `in use by ${[...users].map(userText).join(", ")}`,
    };
  } catch (error) {
    if (!(error instanceof Error) || error.name === "Error") throw error;
    return { ...NOTHING, users: "" };
  }
}

/** A log is told now and then, by its writer, where named consumers are. */
function repeatedOf(logDirectory: string, consumers: readonly Peer[]): MessagesOf[] {
  const control = readControl(logDirectory);
  if (control === undefined) return []; // It is gone, or not ours to read.
  const next = new Map(control.cursors.map(({ name, sequence }) => [name, sequence]));
  return consumers
    .filter(({ name, onSlow }) => name !== "" && onSlow !== "hold")
    .map(({ name, cursor }) => ({
      consumer: name,
      messages: cursor + 1 - (next.get(name) ?? control.oldestSequence),
    }))
    .filter(({ messages }) => messages > 0);
}

function userText([pid, name]: [number, string]): string {
  return name === "" ? `process ${pid}` : `process ${pid} (${printable(name)})`;
}

function cleanText(all: readonly Cleaned[], isDry: boolean): string {
  if (all.length === 0) return "Nothing to clean: found no channels and no counters";
  const [removes, keeps] = isDry ? ["Would remove", "Would keep"] : ["Removed", "Kept"];
  const lines = all.map(({ path, kept, bytes, unread, repeated }) => {
    if (kept !== null) return `${keeps} ${path}: ${printable(kept)}`;
    const lost = unread.map(({ consumer, messages }) =>
      `${formatCount(messages)} messages that "${printable(consumer)}" had not read`
    );
    const again = repeated.map(({ consumer, messages }) =>
      `${formatCount(messages)} messages that "${printable(consumer)}" has acknowledged come again`
    );
    const size = bytes === 0 ? [] : [formatBytes(bytes)];
    const content = [...size, ...lost, ...again].join(", ");
    return `${removes} ${path}${content === "" ? "" : ` (${content})`}`;
  });
  const removed = all.filter(({ kept }) => kept === null);
  const bytes = removed.reduce((sum, { bytes }) => sum + bytes, 0);
  const size = bytes === 0 ? "" : `, ${formatBytes(bytes)}`; // Of counters it is not always known.
  return [...lines, `${removes} ${removed.length} of ${all.length} files${size}`].join("\n");
}

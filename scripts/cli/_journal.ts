/**
 * `mt journal read` and `mt journal replay`.
 *
 * @module
 */

import {
  type JournalCounts,
  type JournalRecord,
  newJournalCounts,
  readJournal,
  type ReadJournalOptions,
  replayJournal,
} from "../../lib/market/mod.ts";
import { createChannel, openProducer } from "../../mod.ts";
import { ScriptError, UsageError } from "../_command.ts";
import { jsonText, write } from "../_output.ts";
import { placeOf, type PlaceOptions } from "./_frame.ts";

/** Options of reading, as they were typed. */
export interface ReadArguments {
  from?: string;
  to?: string;
}

/** Options of publishing again, as they were typed. */
export interface ReplayArguments extends ReadArguments, PlaceOptions {
  pace: string;
}

/** Prints records, and on the standard error what was wrong. */
export async function readToOutput(path: string, options: ReadArguments): Promise<void> {
  const counts = newJournalCounts();
  for await (const record of records(path, options, counts)) {
    if (!write(`${jsonText(toJson(record))}\n`)) return;
  }
  console.error(jsonText(counts));
}

function toJson({ payload, ...record }: JournalRecord): Record<string, unknown> {
  return record.fields === undefined ? { ...record, bytes: payload.toBase64() } : record;
}

/** Publishes records into a channel, until SIGTERM or SIGINT at most. */
export async function replayInto(
  path: string,
  channelName: string,
  options: ReplayArguments,
): Promise<void> {
  const pace = Number(options.pace);
  if (options.pace.trim() === "" || !(pace >= 0 && pace < Infinity)) {
    throw new UsageError(`Cannot replay at pace "${options.pace}": expected 0 or more`);
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  const counts = newJournalCounts();
  using channel = createChannel(channelName, placeOf(options));
  using producer = openProducer(channel, { name: "replay" });
  const found = records(path, options, counts);
  const stats = await replayJournal(found, producer, { pace, signal: stop.signal });
  console.log(
    options.json
      ? jsonText({ ...stats, counts })
      : `Published ${stats.published} messages into channel "${channelName}" ` +
        `(${counts.damaged} damaged, ${counts.torn} torn, ${counts.missing} missing)`,
  );
}

/** Reads a journal, and says in a line what is wrong with its place. */
async function* records(
  path: string,
  { from, to }: ReadArguments,
  counts: JournalCounts,
): AsyncGenerator<JournalRecord> {
  const options: ReadJournalOptions = {
    ...(from === undefined ? {} : { from: toPlace("from", from) }),
    ...(to === undefined ? {} : { to: toPlace("to", to) }),
    counts,
  };
  try {
    yield* readJournal(path, options);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new ScriptError(`Cannot read "${path}" as a journal: found nothing there`);
  }
}

/** A sequence or a time, as it was typed. */
export function toPlace(option: string, text: string): number | Date {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time;
  throw new UsageError(
    `Cannot use --${option} "${text}": expected a sequence, or a time such as 2026-01-31T12:00Z`,
  );
}

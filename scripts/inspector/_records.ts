/**
 * The newest records of a channel, decoded where their layout is known. Looks only.
 *
 * @module
 */

import { toHex } from "../../lib/native/log_files.ts";
import { type Message, openChannel } from "../../mod.ts";
import { Decoder } from "../records/decoder.ts";
import { ChannelSource } from "../records/channel_source.ts";

/** A record as the page shows it. */
export interface InspectedRecord {
  sequence: number;
  /** Bytes of its payload. */
  bytes: number;
  /** When it was published, in milliseconds since 1970; null where the channel does not say. */
  timeMs: number | null;
  /** Name of its layout; null where none is known. */
  layout: string | null;
  /** Its fields by their names, as text; null where no layout is known. */
  fields: [name: string, value: string][] | null;
  /** Its beginning, where no layout is known: as text if it is some, else in hexadecimal. */
  head: { text: string } | { hex: string } | null;
}

/** The newest records, and what was found on the way to them. */
export interface NewestRecords {
  /** The newest first. */
  records: InspectedRecord[];
  /** Gaps and damage, as sentences. */
  notes: string[];
  /** Why there are none; null if they could be read. */
  error: string | null;
}

/** Records that are shown, and what of each: a page has room for no more. */
const RECORDS_MAX = 20;
const HEAD_BYTES = 96;
const FIELDS_MAX = 40;
const VALUE_CHARACTERS_MAX = 120;
const NOTES_MAX = 5;

/** Reads the newest records of a channel. Cost: those records, and opening the ring. */
export function newestRecords(name: string, place: { directory?: string }): NewestRecords {
  const records: InspectedRecord[] = [];
  const notes: string[] = [];
  try {
    using channel = openChannel(name, { ...place, readOnly: true, prefault: false });
    const { nextSequence } = channel.stats();
    const decoder = new Decoder(channel.schemaText);
    using source = new ChannelSource(channel);
    source.seek(Math.max(1, nextSequence - RECORDS_MAX));
    let looked = 0;
    source.read((item) => {
      if (item.kind === "message") {
        records.push(toRecord(item.message, item.publishTimeUs, decoder));
      } else if (notes.length < NOTES_MAX) notes.push(noteOf(item));
      return ++looked < 2 * RECORDS_MAX; // Producers go on: there is no end to wait for.
    });
    return { records: records.reverse().slice(0, RECORDS_MAX), notes, error: null };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { records: records.reverse(), notes, error: error.message };
  }
}

function noteOf(
  item: { kind: "gap"; gap: { from: number; to: number } } | { kind: "damage"; what: string },
): string {
  if (item.kind === "damage") return item.what;
  return `${item.gap.from} to ${item.gap.to} are not there any more`;
}

function toRecord(message: Message, publishTimeUs: number, decoder: Decoder): InspectedRecord {
  const { sequence, length, view, offset } = message;
  const decoded = decoder.decode(view, offset, length);
  return {
    sequence,
    bytes: length,
    timeMs: publishTimeUs === 0 ? null : publishTimeUs / 1000,
    layout: decoded?.layout ?? null,
    fields: decoded === undefined ? null : Object.entries(decoded.fields).slice(0, FIELDS_MAX).map(
      ([name, value]) => [name, JSON.stringify(value).slice(0, VALUE_CHARACTERS_MAX)],
    ),
    head: decoded === undefined ? headOf(message) : null,
  };
}

function headOf({ payload }: Message): { text: string } | { hex: string } {
  const head = payload.subarray(0, HEAD_BYTES);
  const cut = payload.length > HEAD_BYTES ? "…" : "";
  try {
    // The last character may be cut in two.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: cut !== "" });
    if (!/[\p{Cc}\p{Cs}]/u.test(text)) return { text: text + cut };
  } catch {
    // No text: then as it is.
  }
  return { hex: toHex(head) + cut };
}

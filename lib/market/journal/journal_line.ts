/**
 * The lines of a journal: a JSON object each, whose last member is a checksum of all before it.
 *
 * ```json
 * {"sequence":7,"journalTimeUs":1722988800000000,"layout":"trade:5f3a9c10","fields":{…},"crc":"…"}
 * ```
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { MESSAGE_FLAGS } from "../../channel/record.ts";
import type { JsonLayout } from "./json_layout.ts";

/** Version of the format: docs/format.md. */
const VERSION = 1;

/** Longest line in bytes. Arbitrary; ends a file that has no newlines. */
export const LINE_BYTES_MAX: number = 32 * 1024 * 1024;

/** Longest message in bytes: its line fits, whatever is in it. */
export const MESSAGE_BYTES_MAX: number = 16 * 1024 * 1024;

/** Longest message that is written as its fields: one byte of it takes six characters at most. */
const FIELDS_BYTES_MAX = 1024 * 1024;

/** Layouts that a header may name: so many fit no channel. Bounds what a hostile file costs. */
const LAYOUTS_MAX = 64;

/** Bits that a message may have: others are the channel's own. */
const FLAGS = MESSAGE_FLAGS.critical | MESSAGE_FLAGS.user;

const CRC_DIGITS = 8;
const CRC_BEGIN = ',"crc":"';
const CRC_END = '"}';
const CRC_BYTES = CRC_BEGIN.length + CRC_DIGITS + CRC_END.length;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true });

/** What the first line of a file says. */
export interface JournalHeader {
  /** Name of the channel. */
  readonly channel: string;
  /** Where its sequences come from; another one where the channel was made anew. */
  readonly origin: string;
  /** Texts of the layouts that its records may have. */
  readonly layouts: readonly string[];
}

/** A message out of a journal. */
export interface JournalRecord {
  /** Its number in the channel. */
  readonly sequence: number;
  /** When its batch went to the disk: wall clock, µs since 1970. */
  readonly journalTimeUs: number;
  /** When it was published: wall clock, µs since 1970; 0 if the channel has no timestamps. */
  readonly publishTimeUs: number;
  /** Its {@linkcode MESSAGE_FLAGS}. */
  readonly flags: number;
  /** Name of its layout, such as `trade`; "" if it is of none that the journal knows. */
  readonly layout: string;
  /** Its fields by name, as the line has them; undefined without a layout. */
  readonly fields: Readonly<Record<string, unknown>> | undefined;
  /** The very bytes that were published. */
  readonly payload: Uint8Array<ArrayBuffer>;
}

/** What stands in a line beside the message. */
export type LineHead = Pick<
  JournalRecord,
  "sequence" | "journalTimeUs" | "publishTimeUs" | "flags"
>;

/** Lines that are written together. Grows to what a batch needs, and is used again. */
export class LineBuffer {
  #bytes: Uint8Array<ArrayBuffer>;
  #size = 0;

  /** Has room for so many bytes at first. */
  constructor(sizeBytes: number) {
    this.#bytes = new Uint8Array(sizeBytes);
  }

  /** The lines. Good until the next one is added. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Forgets all lines. */
  clear(): void {
    this.#size = 0;
  }

  /** Adds the first line of a file. */
  addHeader({ channel, origin, layouts }: JournalHeader): void {
    const text = JSON.stringify({ journal: VERSION, channel, origin, layouts });
    this.#add(text.slice(0, -1));
  }

  /** Adds a message as its fields, or as its bytes where it has no layout. */
  addRecord(head: LineHead, layout: JsonLayout | undefined, message: MessageBytes): void {
    const { view, offset, length } = message;
    const { sequence, journalTimeUs, publishTimeUs, flags } = head;
    const published = publishTimeUs === 0 ? "" : `,"publishTimeUs":${publishTimeUs}`;
    const flagged = flags === 0 ? "" : `,"flags":${flags}`;
    const fields = length > FIELDS_BYTES_MAX ? undefined : layout?.encode(view, offset, length);
    const content = fields === undefined
      ? `"bytes":"${new Uint8Array(view.buffer, view.byteOffset + offset, length).toBase64()}"`
      : `"layout":"${layout!.id}","fields":${fields}`;
    this.#add(
      `{"sequence":${sequence},"journalTimeUs":${journalTimeUs}${published}${flagged},${content}`,
    );
  }

  #add(text: string): void {
    // UTF-16 to UTF-8: three bytes for a character at most.
    this.#reserve(3 * text.length + CRC_BYTES + 1);
    const start = this.#size;
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(start));
    const crc = crc32(this.#bytes.subarray(start, start + written));
    const end = `${CRC_BEGIN}${crc.toString(16).padStart(CRC_DIGITS, "0")}${CRC_END}\n`;
    encoder.encodeInto(end, this.#bytes.subarray(start + written));
    this.#size = start + written + end.length;
  }

  #reserve(sizeBytes: number): void {
    if (this.#size + sizeBytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#size + sizeBytes));
    larger.set(this.bytes);
    this.#bytes = larger;
  }
}

/** Where a message lies. */
export interface MessageBytes {
  readonly view: DataView<ArrayBuffer>;
  readonly offset: number;
  readonly length: number;
}

/**
 * Verifies a line and returns its object.
 *
 * @param line Without its newline; it may be anything.
 * @returns undefined if it is not, to the bit, what a journal wrote.
 */
export function openLine(line: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  const size = line.length - CRC_BYTES;
  if (size < 1) return undefined;
  const end = decoder.decode(line.subarray(size));
  const crc = crc32(line.subarray(0, size)).toString(16).padStart(CRC_DIGITS, "0");
  if (end !== `${CRC_BEGIN}${crc}${CRC_END}`) return undefined;
  try {
    const value: unknown = JSON.parse(strictDecoder.decode(line));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? value as Record<string, unknown>
      : undefined;
  } catch {
    return undefined; // Somebody wrote a checksum on what is no line.
  }
}

/** Returns what a verified line says as a header; undefined if it is none of this version. */
export function toHeader(line: Readonly<Record<string, unknown>>): JournalHeader | undefined {
  const { journal, channel, origin, layouts } = line;
  if (journal !== VERSION || typeof channel !== "string" || typeof origin !== "string") {
    return undefined;
  }
  if (!Array.isArray(layouts) || layouts.length > LAYOUTS_MAX) return undefined;
  return layouts.every((text) => typeof text === "string")
    ? { channel, origin, layouts }
    : undefined;
}

/**
 * Returns what a verified line says as a record.
 *
 * @param layoutOf Finds a layout by its id.
 * @returns undefined if it is none, or none that is understood.
 */
export function toRecord(
  line: Readonly<Record<string, unknown>>,
  layoutOf: (id: string) => JsonLayout | undefined,
): JournalRecord | undefined {
  const { sequence, journalTimeUs, publishTimeUs = 0, flags = 0, layout, fields, bytes } = line;
  if (!isCount(sequence) || sequence === 0 || !isCount(journalTimeUs)) return undefined;
  if (!isCount(publishTimeUs) || !isCount(flags) || (flags | FLAGS) !== FLAGS) {
    return undefined;
  }
  const head = { sequence, journalTimeUs, publishTimeUs, flags };
  if (typeof bytes === "string") {
    const payload = fromBase64(bytes);
    return payload && { ...head, layout: "", fields: undefined, payload };
  }
  if (typeof layout !== "string") return undefined;
  const payload = layoutOf(layout)?.decode(fields);
  if (payload === undefined) return undefined;
  const name = layout.slice(0, layout.lastIndexOf(":"));
  return { ...head, layout: name, fields: fields as Record<string, unknown>, payload };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    return undefined;
  }
}

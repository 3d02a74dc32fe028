/**
 * Reading a journal: its records in order, across its files, whatever state they are in.
 *
 * @module
 */

import { jsonLayoutOf } from "./json_layout.ts";
import { journalNames, LineSplitter, READ_BYTES } from "./journal_files.ts";
import {
  type JournalHeader,
  type JournalRecord,
  openLine,
  toHeader,
  toRecord,
} from "./journal_line.ts";
import { knownLayouts } from "./known_layouts.ts";

/** What was read, and what was wrong. Give one to {@linkcode readJournal} to see it. */
export interface JournalCounts {
  /** Files read, or begun. */
  files: number;
  /** Records handed out. */
  records: number;
  /** Lines left out because they are damaged, or of a layout that no header tells. */
  damaged: number;
  /** Files whose last line has no end: it was being written, or its writer was killed. */
  torn: number;
  /** Records left out because they came before: of a file that was copied, for instance. */
  duplicates: number;
  /**
   * Sequences that no record came with, between two of one origin: damaged lines, messages that the
   * journal's consumer has lost, and the channel's own aborted claims and parts of split messages.
   */
  missing: number;
}

/** Which records are read. Times tell more where a channel was made anew and sequences repeat. */
export interface ReadJournalOptions {
  /** The first: a sequence, or a time of writing. Default: the oldest. */
  from?: number | Date;
  /** The last: a sequence, or a time of writing. Default: the newest. */
  to?: number | Date;
  /** Receives what was read and what was wrong. */
  counts?: JournalCounts;
}

/** Zeroed counts for {@linkcode readJournal}. */
export function newJournalCounts(): JournalCounts {
  return { files: 0, records: 0, damaged: 0, torn: 0, duplicates: 0, missing: 0 };
}

/**
 * Reads a journal record by record, in the order in which they were published.
 *
 * What is damaged is left out and counted: never an error, and never a wrong record. A journal that
 * is being written may be read; records that come later may be missed.
 *
 * Cost: memory for the longest line; a few microseconds for a record. Reads files from their
 * beginning, also for a late `from`.
 *
 * @param place Directory of one feed's journal, or one of its files.
 * @throws {Deno.errors.NotFound} If there is no such place, when the first record is asked for;
 * other errors of reading likewise.
 */
export async function* readJournal(
  place: string,
  { from = 1, to = Infinity, counts = newJournalCounts() }: ReadJournalOptions = {},
): AsyncGenerator<JournalRecord, void, void> {
  const paths = Deno.statSync(place).isDirectory
    ? journalNames(place).map((name) => `${place}/${name}`)
    : [place];
  const journal = new JournalLines(counts);
  for (const path of paths) {
    journal.begin();
    for await (const line of linesOf(path, counts)) {
      const record = journal.take(line);
      if (record === undefined || isBefore(record, from)) continue;
      if (isBehind(record, to)) {
        if (typeof to === "number") return; // A clock may go back.
        continue;
      }
      counts.records++;
      yield record;
    }
  }
}

function isBefore({ sequence, journalTimeUs }: JournalRecord, from: number | Date): boolean {
  return typeof from === "number" ? sequence < from : journalTimeUs < 1000 * from.getTime();
}

function isBehind({ sequence, journalTimeUs }: JournalRecord, to: number | Date): boolean {
  return typeof to === "number" ? sequence > to : journalTimeUs > 1000 * to.getTime();
}

async function* linesOf(
  path: string,
  counts: JournalCounts,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  using file = await Deno.open(path);
  counts.files++;
  const lines = new LineSplitter();
  const buffer = new Uint8Array(READ_BYTES);
  for (let count = await file.read(buffer); count !== null; count = await file.read(buffer)) {
    yield* lines.split(buffer.subarray(0, count));
  }
  counts.damaged += lines.tooLong;
  if (lines.restBytes > 0) counts.torn++;
}

/** The lines of a journal, in order. */
class JournalLines {
  readonly #counts: JournalCounts;
  /** Those of this program need no header. */
  readonly #layouts = new Map(knownLayouts.map((layout) => [layout.id, layout]));
  #isFirst = true;
  #origin: string | undefined;
  #lastSequence = 0;

  constructor(counts: JournalCounts) {
    this.#counts = counts;
  }

  /** A file begins. */
  begin(): void {
    this.#isFirst = true;
  }

  /** Returns the record of a line; undefined if it has none to hand out. */
  take(line: Uint8Array): JournalRecord | undefined {
    const content = openLine(line);
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    const header = content && toHeader(content);
    if (isFirst) this.#setOrigin(header?.origin);
    if (header !== undefined) return void this.#learn(header);
    const record = content && toRecord(content, (id) => this.#layouts.get(id));
    if (record === undefined) return void this.#counts.damaged++;
    const gap = record.sequence - this.#lastSequence - 1;
    if (gap < 0) return void this.#counts.duplicates++;
    if (this.#lastSequence > 0) this.#counts.missing += gap;
    this.#lastSequence = record.sequence;
    return record;
  }

  /** Sequences begin anew where their origin is another one, or unknown. */
  #setOrigin(origin: string | undefined): void {
    if (origin === undefined || origin !== this.#origin) this.#lastSequence = 0;
    this.#origin = origin;
  }

  #learn({ layouts }: JournalHeader): void {
    for (const text of layouts) {
      const layout = jsonLayoutOf(text);
      if (layout !== undefined) this.#layouts.set(layout.id, layout);
    }
  }
}

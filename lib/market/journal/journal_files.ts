/**
 * The files of a journal: their names, which sort as they were written, and their lines.
 *
 * @module
 */

import { LINE_BYTES_MAX } from "./journal_line.ts";

const NAME = /^.+-(\d{8}-\d{6})-\d{16}\.ndjson$/;

const NEWLINE = 10;

/** Bytes that are read of a file at once. */
export const READ_BYTES: number = 256 * 1024;

/** The names of a journal's files, in the order in which they were written. */
export function journalNames(directory: string): string[] {
  const names = [...Deno.readDirSync(directory)].filter(({ isFile, name }) =>
    isFile && NAME.test(name)
  );
  return names.map(({ name }) => name).sort();
}

/**
 * Returns the name of the file behind the newest: feed, time of its first record in UTC, its
 * sequence. Where the clock went back, or the channel begins anew, it is a second after the
 * newest, so that names sort in any case.
 */
export function nextJournalName(
  feed: string,
  { timeUs, sequence, newest }: { timeUs: number; sequence: number; newest: string | undefined },
): string {
  const name = (us: number) => `${feed}-${stampOf(us)}-${`${sequence}`.padStart(16, "0")}.ndjson`;
  const usual = name(timeUs);
  if (newest === undefined || usual > newest) return usual;
  const [, day = "", time = ""] = /(\d{8})-(\d{6})$/.exec(NAME.exec(newest)?.[1] ?? "") ?? [];
  const parts = [...day.matchAll(/^\d{4}|\d{2}/g), ...time.matchAll(/\d{2}/g)].map(Number);
  const [year = 1970, month = 1, date = 1, hour, minute, second] = parts;
  return name(1000 * Date.UTC(year, month - 1, date, hour, minute, (second ?? 0) + 1));
}

/** Day of a file by its name, such as `20260131`; "" if it is no name of a journal's file. */
export function dayOfName(name: string): string {
  return NAME.exec(name)?.[1]?.slice(0, 8) ?? "";
}

/** Day of a time in UTC, such as `20260131`. */
export function dayOf(timeUs: number): string {
  return stampOf(timeUs).slice(0, 8);
}

function stampOf(timeUs: number): string {
  const [date, time] = new Date(timeUs / 1000).toISOString().split("T");
  return `${date!.replaceAll("-", "")}-${time!.slice(0, 8).replaceAll(":", "")}`;
}

/** Cuts bytes into lines, and keeps what has no end yet for the next piece. */
export class LineSplitter {
  /** Lines that were left out because of their length. */
  tooLong = 0;
  /** Bytes up to the end of the newest line, its newline included. */
  endBytes = 0;
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #restBytes = 0;
  #isSkipping = false;
  #seenBytes = 0;

  /** Bytes of the line that has no end yet. */
  get restBytes(): number {
    return this.#restBytes;
  }

  /** The lines that end in a piece, without their newlines. Each is good until the next. */
  *split(piece: Uint8Array<ArrayBuffer>): Generator<Uint8Array<ArrayBuffer>> {
    const before = this.#seenBytes;
    this.#seenBytes += piece.length;
    let start = 0;
    for (;;) {
      const end = piece.indexOf(NEWLINE, start);
      if (end < 0) return this.#keep(piece.subarray(start));
      const line = piece.subarray(start, end);
      start = end + 1;
      this.endBytes = before + start;
      if (this.#isSkipping) this.#isSkipping = false;
      else if (this.#restBytes === 0) yield line;
      else {
        this.#keep(line);
        const whole = this.#rest.subarray(0, this.#restBytes);
        this.#restBytes = 0;
        if (!this.#isSkipping) yield whole;
        this.#isSkipping = false;
      }
    }
  }

  #keep(bytes: Uint8Array): void {
    if (this.#isSkipping) return;
    const size = this.#restBytes + bytes.length;
    if (size > LINE_BYTES_MAX) {
      this.tooLong++;
      this.#isSkipping = true;
      this.#restBytes = 0;
      return;
    }
    if (size > this.#rest.length) {
      const larger = new Uint8Array(Math.max(2 * this.#rest.length, size));
      larger.set(this.#rest.subarray(0, this.#restBytes));
      this.#rest = larger;
    }
    this.#rest.set(bytes, this.#restBytes);
    this.#restBytes = size;
  }
}

/**
 * The writing side of a journal's files: whole batches, into a file of their day and not too large.
 *
 * @module
 */

import { JournalFile } from "./journal_file.ts";
import { dayOf, nextJournalName } from "./journal_files.ts";
import { type JournalHeader, LineBuffer } from "./journal_line.ts";
import type { JournalTail } from "./journal_tail.ts";

/** Bytes that a header has room for at first: the layouts of one channel. */
const HEADER_BYTES = 8 * 1024;

/** What a batch begins with. */
export interface BatchStart {
  /** When it goes to the disk: wall clock, µs since 1970. */
  readonly timeUs: number;
  /** Sequence of its first record. */
  readonly sequence: number;
}

/** What is written where. */
export interface JournalPlan {
  /** Directory of the files. */
  readonly directory: string;
  /** What their names begin with. */
  readonly feed: string;
  /** What each of them begins with. */
  readonly header: JournalHeader;
  /** Size at which another one is begun, in bytes. */
  readonly rotateBytes: number;
}

/** Appends batches to the newest file of a journal, and begins another where one is due. */
export class JournalWriter {
  /** Files begun. */
  files = 0;
  /** Bytes written. */
  bytes = 0;
  readonly #plan: JournalPlan;
  readonly #header = new LineBuffer(HEADER_BYTES);
  #newest: string | undefined;
  #file: JournalFile | undefined;

  /** Goes on at that end. */
  constructor(plan: JournalPlan, { newest, isOpenEnded }: JournalTail) {
    this.#plan = plan;
    this.#newest = newest;
    if (isOpenEnded) this.#file = JournalFile.open(`${plan.directory}/${newest}`);
  }

  /**
   * Appends a batch: all of it, or nothing.
   *
   * @throws {NoSpaceError} If there is no room. It may be tried again.
   * @throws {DurabilityError} If something else failed.
   */
  async append(lines: Uint8Array, start: BatchStart): Promise<void> {
    const file = this.#file;
    if (file !== undefined && this.#isDone(file, lines.length, start.timeUs)) {
      await file.sync();
      this.#file = undefined;
      file.close();
    }
    if (this.#file === undefined) this.#begin(lines, start);
    else this.#file.append(lines);
    this.bytes += lines.length;
  }

  /** A day that is before the file's is a clock that went back. */
  #isDone(file: JournalFile, sizeBytes: number, timeUs: number): boolean {
    return file.size + sizeBytes > this.#plan.rotateBytes || dayOf(timeUs) > file.day;
  }

  #begin(lines: Uint8Array, start: BatchStart): void {
    const { directory, feed, header } = this.#plan;
    const name = nextJournalName(feed, { ...start, newest: this.#newest });
    this.#header.clear();
    this.#header.addHeader(header);
    const head = this.#header.bytes;
    const content = new Uint8Array(head.length + lines.length);
    content.set(head);
    content.set(lines, head.length);
    this.#file = JournalFile.create(`${directory}/${name}`, content);
    this.#newest = name;
    this.files++;
    this.bytes += head.length;
  }

  /**
   * Makes durable what was appended.
   *
   * @throws {DurabilityError} If that failed.
   */
  async sync(): Promise<void> {
    if (this.#file?.isSynced === false) await this.#file.sync();
  }

  /** Closes the file. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

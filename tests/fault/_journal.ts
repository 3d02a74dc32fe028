/**
 * The files of a journal whose messages tell on themselves.
 *
 * @module
 */

import { newJournalCounts, readJournal } from "../../lib/market/journal/journal_reader.ts";
import { tradeOf } from "../_journal.ts";
import { encode } from "./_content.ts";
import type { Random } from "./_support.ts";

/** Files that are looked at after each kill: an older one is never touched again. */
const FILES_CHECKED = 3;

/** The journal of one feed, whose message `n` is `messageAt(n)` with sequence `n`. */
export class JournalFolder {
  readonly #directory: string;
  readonly #random: Random;

  constructor(directory: string, random: Random) {
    this.#directory = directory;
    this.#random = random;
  }

  /** Trades, and bytes that are none. */
  static messageAt(sequence: number): Uint8Array {
    return sequence % 4 === 0 ? encode(1, sequence, 8 + sequence % 100) : tradeOf(sequence);
  }

  #files(): string[] {
    return [...Deno.readDirSync(this.#directory)].map(({ name }) => name)
      .filter((name) => name.endsWith(".ndjson")).sort().map((name) =>
        `${this.#directory}/${name}`
      );
  }

  /** Fails if a message up to the cursor is missing in the newest files, or one is wrong. */
  async checkAcknowledged(cursor: number, what: string): Promise<void> {
    let next: number | undefined;
    for (const file of this.#files().slice(-FILES_CHECKED)) {
      for await (const { sequence, payload } of readJournal(file)) {
        if (next !== undefined && sequence !== next) {
          throw new Error(`${what}: sequence ${sequence} came after ${next - 1}`);
        }
        checkPayload(sequence, payload, what);
        next = sequence + 1;
      }
    }
    if (cursor >= (next ?? 1)) {
      throw new Error(`${what}: acknowledged up to ${cursor}, found ${next} missing`);
    }
  }

  /** Fails unless there is every message up to the last once, and nothing else. */
  async checkWhole(last: number): Promise<{ records: number; torn: number }> {
    const counts = newJournalCounts();
    let next = 1;
    for await (const { sequence, payload } of readJournal(this.#directory, { counts })) {
      if (sequence !== next) throw new Error(`sequence ${sequence} came after ${next - 1}`);
      checkPayload(sequence, payload, "at the end");
      next++;
    }
    if (next !== last + 1) throw new Error(`${last} were sent, found ${next} missing`);
    const { damaged, duplicates, torn } = counts;
    if (damaged + duplicates + torn > 0) throw new Error(`found ${JSON.stringify(counts)}`);
    const aside = [...Deno.readDirSync(this.#directory)].filter(({ name }) => /\.torn/.test(name));
    return { records: counts.records, torn: aside.length };
  }

  /**
   * Does to the newest file what a lost power may do to what was not synced: cuts it, leaves holes
   * of zeros, or bytes of something else.
   */
  losePower(cursor: number): void {
    const path = this.#files().at(-1);
    if (path === undefined) return;
    const bytes = Deno.readFileSync(path);
    const kept = acknowledgedBytes(bytes, cursor);
    const lost = bytes.length - kept;
    if (lost === 0) return;
    const from = kept + this.#random.below(lost + 1);
    const to = Math.min(bytes.length, from + this.#random.below(lost + 1));
    const kind = this.#random.below(3);
    if (kind === 0) return Deno.truncateSync(path, from);
    bytes.fill(kind === 1 ? 0 : 0xa5, from, to);
    Deno.writeFileSync(path, bytes);
  }
}

function checkPayload(sequence: number, payload: Uint8Array, what: string): void {
  const expected = JournalFolder.messageAt(sequence);
  const isSame = payload.length === expected.length && payload.every((b, i) => b === expected[i]);
  if (!isSame) throw new Error(`${what}: message ${sequence} is wrong`);
}

/** Bytes of a file up to the end of the last line that is acknowledged. */
function acknowledgedBytes(bytes: Uint8Array, cursor: number): number {
  const decoder = new TextDecoder();
  let kept = 0;
  for (let start = 0, end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    const sequence = /^\{"sequence":(\d+),/.exec(decoder.decode(bytes.subarray(start, start + 40)));
    start = end + 1;
    if (sequence !== null && Number(sequence[1]) <= cursor) kept = start;
  }
  return kept;
}

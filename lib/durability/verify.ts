/**
 * Verifying logs and rings: every byte, without disturbing anybody.
 *
 * @module
 */

import { Channel } from "../channel/channel.ts";
import { Consumer } from "../channel/consumer.ts";
import { openConsumerHandle } from "../channel/consumer_options.ts";
import { CorruptRecordError, type LogDamage } from "../errors.ts";
import { toAbsolute } from "../native/path.ts";
import { closeHandle, openRing } from "../native/ring.ts";
import {
  type LogOverview,
  type LogVerdict,
  openVerifier,
  readFindings,
  type SegmentReport,
  verifyNext,
} from "../native/verify.ts";
import { hasLog, noLog } from "./log_reader.ts";

/** What a log is found to be. */
export interface LogVerification extends LogOverview {
  /** `whole`; `torn`, with a tail that nobody was told of; or `corrupt`. */
  verdict: LogVerdict;
  /** Everything that does not verify, in order. */
  findings: LogDamage[];
  /** Groups that verify. */
  groups: number;
  /** Records that verify. */
  records: number;
  /** Bytes of the segments, all of which were read. */
  bytes: number;
  /**
   * Last sequence that verifies; one less than the first where there is none. Segments that a
   * writer cuts before they are read are passed over, the last one that was there at first too.
   */
  lastSequence: number;
  /** Where in the last segment the tail begins that nobody was told of. */
  tornOffset: number;
  /** Its bytes. */
  tornBytes: number;
  /** Bytes at the end that a live writer has not finished. */
  unfinishedBytes: number;
}

/** How far verifying a log is. */
export interface VerifyProgress {
  /** Segments that were verified. */
  done: number;
  /** Segments of the log. */
  total: number;
  /** Bytes that were verified. */
  bytes: number;
}

/** How a log is verified. */
export interface VerifyOptions {
  /** Called after each segment. */
  onProgress?: (progress: VerifyProgress) => void;
  /** Read past the page cache, to see what is on the device. Default: false. */
  direct?: boolean;
}

/**
 * Verifies every byte of a log, read-only. Its writer may go on: what it has not finished is no
 * damage. Goes on behind damage, so that each lost interval of sequences is named: in
 * `findings`, from `expectedSequence` up to, but without, `nextSequence`.
 *
 * Reads segment by segment on another thread, with a few MiB of memory.
 *
 * @param directory The log's: `<walDir>/<channel>`.
 * @throws {Deno.errors.NotFound} If there is no log in it.
 */
export async function verifyLog(
  directory: string,
  { onProgress, direct = false }: VerifyOptions = {},
): Promise<LogVerification> {
  const path = toAbsolute(directory);
  const { handle, overview } = openVerifier(path, direct);
  try {
    if (!hasLog(overview)) throw noLog(path);
    const segments: SegmentReport[] = [];
    let [last, bytes] = [await verifyNext(handle), 0];
    for (; !last.isEnd; last = await verifyNext(handle)) {
      segments.push(last);
      bytes += last.bytes;
      onProgress?.({ done: segments.length, total: overview.segments, bytes });
    }
    const sum = (of: (segment: SegmentReport) => number) =>
      segments.reduce((total, segment) => total + of(segment), 0);
    const torn = segments.find(({ tornBytes }) => tornBytes > 0);
    const behind = Math.max(
      overview.firstSequence,
      ...segments.map(({ nextSequence }) => nextSequence),
    );
    return {
      ...overview,
      verdict: last.verdict,
      findings: readFindings(handle),
      groups: sum(({ groups }) => groups),
      records: sum(({ records }) => records),
      bytes,
      lastSequence: behind - 1,
      tornOffset: torn?.tornOffset ?? 0,
      tornBytes: torn?.tornBytes ?? 0,
      unfinishedBytes: sum(({ unfinishedBytes }) => unfinishedBytes),
    };
  } finally {
    closeHandle(handle);
  }
}

/** What a ring file is found to be. */
export interface RingVerification {
  /** Name of its channel. */
  channel: string;
  /** Bytes of the ring. */
  sizeBytes: number;
  /** Messages from the oldest that could be found to the first damage, or to the end. */
  messages: number;
  /** Sequence of the first of them; 0 if there is none. */
  firstSequence: number;
  /** Sequence of the last of them; 0 if there is none. */
  lastSequence: number;
  /** Messages that producers overwrote while they were to be read. */
  overwritten: number;
  /** The first record that does not verify; undefined if all do. */
  damage: CorruptRecordError | undefined;
}

/**
 * Verifies a ring file: its header, and every record from the oldest that can be found to the end.
 * Takes no part in the channel: nobody is held back, and nobody notices.
 *
 * @throws {CorruptHeaderError} If the header does not verify.
 * @throws {LayoutMismatchError} If it was made by another version.
 */
export function verifyRing(bufferFile: string): RingVerification {
  const path = toAbsolute(bufferFile);
  const settings = { prefault: false, lock: false, readOnly: true };
  using channel = new Channel(openRing(path, "", settings), path, true);
  // In the ring only, whatever a log may have.
  const handle = openConsumerHandle(channel, {
    name: "",
    from: "earliest",
    onSlow: "drop",
    view: true,
    observes: true,
  });
  const observer = new Consumer(channel, handle, { onSlow: "drop" });
  channel.adopt(observer);
  let [messages, firstSequence, lastSequence] = [0, 0, 0];
  const { nextSequence } = channel.stats(); // No further, while producers go on.
  let damage: CorruptRecordError | undefined;
  try {
    while (lastSequence < nextSequence - 1) {
      const count = observer.poll(({ sequence }) => {
        messages++;
        if (firstSequence === 0) firstSequence = sequence;
        lastSequence = sequence;
      });
      if (count === 0) break;
    }
  } catch (error) {
    if (!(error instanceof CorruptRecordError)) throw error;
    damage = error;
  }
  const { name, sizeBytes } = channel;
  const overwritten = observer.lostCount;
  return { channel: name, sizeBytes, messages, firstSequence, lastSequence, overwritten, damage };
}

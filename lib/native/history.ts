/**
 * The history of a channel: what went wrong in it and was put right, as any process reads it.
 *
 * @module
 */

import * as layout from "./_layout.ts";
import { readText } from "./failure.ts";
import { native } from "./library.ts";

const HISTORY_KINDS = {
  [layout.HISTORY_CLAIM_ENDED]: "claim-ended",
  [layout.HISTORY_CONSUMER_DETACHED]: "consumer-detached",
  [layout.HISTORY_PRODUCER_REPLACED]: "producer-replaced",
  [layout.HISTORY_CONSUMER_REPLACED]: "consumer-replaced",
  [layout.HISTORY_CONSUMER_REMOVED]: "consumer-removed",
  [layout.HISTORY_RECORD_DAMAGED]: "record-damaged",
  [layout.HISTORY_LOG_REPAIRED]: "log-repaired",
  [layout.HISTORY_LOG_FULL]: "log-full",
  [layout.HISTORY_LOG_RESUMED]: "log-resumed",
  [layout.HISTORY_LOG_FAILED]: "log-failed",
  [layout.HISTORY_LOG_DAMAGED]: "log-damaged",
  [layout.HISTORY_SEGMENTS_CUT]: "segments-cut",
} as const;

/**
 * What has happened.
 *
 * - `claim-ended`: a claim that a dead producer had left open was ended.
 * - `consumer-detached`: a dead consumer does not hold producers back any more.
 * - `producer-replaced`, `consumer-replaced`: somebody took the slot of one that had died.
 * - `consumer-removed`: it was removed for good; `pid` is of who did that.
 * - `record-damaged`: a consumer has met a record that does not verify.
 * - `log-repaired`: the log's torn tail was saved aside when it was opened.
 * - `log-full`, `log-resumed`: the log has no room; it goes on again.
 * - `log-failed`, `log-damaged`: it is not written any more.
 * - `segments-cut`: segments were cut that a consumer still needed; once for each opening.
 */
export type HistoryKind = typeof HISTORY_KINDS[keyof typeof HISTORY_KINDS];

/** Something that went wrong in a channel, or was put right. */
export interface HistoryEntry {
  /** When, in milliseconds since 1970. */
  timeMs: number;
  /** What. */
  kind: HistoryKind;
  /** Whom it is about; empty for an anonymous one. */
  name: string;
  /** Its process; that of the persister where it is about the log. */
  pid: number;
  /** Where: the claim, the record, the last message acknowledged, published or on the disk. */
  sequence: number;
  /** The operating system's error; 0 where there was none. */
  errno: number;
}

/** Reads the history of an open channel: its newest entries, the oldest of them first. */
export function readHistory(handle: number): HistoryEntry[] {
  const size = layout.HISTORY_REPORT_SIZE;
  const bytes = new Uint8Array(layout.HISTORY_ENTRIES_MAX * size);
  const count = Math.max(0, native().mt_channel_history(handle, bytes));
  return Array.from({ length: count }, (_, i) => {
    const entry = bytes.subarray(i * size, (i + 1) * size);
    const view = new DataView(bytes.buffer, i * size, size);
    const kind = view.getUint32(layout.HISTORY_REPORT_KIND_OFFSET, true);
    const nameBytes = view.getUint32(layout.HISTORY_REPORT_NAME_BYTES_OFFSET, true);
    return {
      timeMs: view.getFloat64(layout.HISTORY_REPORT_TIME_MS_OFFSET, true),
      kind: HISTORY_KINDS[kind as keyof typeof HISTORY_KINDS],
      name: readText(entry, layout.HISTORY_REPORT_NAME_OFFSET, nameBytes),
      pid: view.getUint32(layout.HISTORY_REPORT_PID_OFFSET, true),
      sequence: view.getFloat64(layout.HISTORY_REPORT_SEQUENCE_OFFSET, true),
      errno: view.getUint32(layout.HISTORY_REPORT_ERRNO_OFFSET, true),
    };
  });
}

/**
 * What journals count.
 *
 * @module
 */

import { counter, type DefinitionsOf, gauge } from "../../observability/counters.ts";

/** Those of {@linkcode JOURNAL_COUNTERS}. */
export type JournalDefinitions = DefinitionsOf<
  "records" | "batches" | "bytes" | "files" | "lost",
  "lag"
>;

/** What the journals of a process count together, for `openCounters`. */
export const JOURNAL_COUNTERS: JournalDefinitions = {
  records: counter("journal_records_total", "Records written."),
  batches: counter("journal_batches_total", "Batches written: the unit of a write."),
  bytes: counter("journal_bytes_total", "Bytes written."),
  files: counter("journal_files_total", "Files begun."),
  lost: counter(
    "journal_lost_total",
    "Messages that were overrun before they were written. Use on_slow = block or spill.",
  ),
  lag: gauge(
    "journal_lag_messages",
    "Messages in the channels that are not in the journals yet. Rising: the disk is slow or full.",
  ),
};

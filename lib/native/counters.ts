/**
 * Files of counters across the border.
 *
 * Thin typed calls: arguments in, a value or an error out. The hot calls (`add`, `set`, `record`)
 * are made by `lib/observability` on {@linkcode native} itself.
 *
 * @module
 */

import { CorruptCountersError, LayoutMismatchError, NoSpaceError } from "../errors.ts";
import * as layout from "./_layout.ts";
import { Detail, fileFailure, readText } from "./failure.ts";
import { type HistogramCounts, REPORT_WORDS, toCounts } from "./histogram.ts";
import { native } from "./library.ts";
import { readNames } from "./names.ts";
import { grantedSharedPath } from "./path.ts";

/** What a value is. */
export type CounterKind = "counter" | "gauge" | "histogram";

/** A value of a file: what it is called, and what it means. */
export interface CounterEntry {
  name: string;
  kind: CounterKind;
  help: string;
}

const KINDS: Record<CounterKind, number> = {
  counter: layout.COUNTER_COUNTER,
  gauge: layout.COUNTER_GAUGE,
  histogram: layout.COUNTER_HISTOGRAM,
};

const KIND_NAMES: Record<number, CounterKind> = {
  [layout.COUNTER_COUNTER]: "counter",
  [layout.COUNTER_GAUGE]: "gauge",
  [layout.COUNTER_HISTOGRAM]: "histogram",
};

const encoder = new TextEncoder();

function failure(status: number, action: string, path: string, detail: Detail): Error {
  const { expected, actual } = detail;
  const cannot = `Cannot ${action} "${path}"`;
  const advice = "start the service anew with this version";
  switch (status) {
    case layout.BUSY:
      return new Deno.errors.Busy(
        action === "remove"
          ? `${cannot}: found that process ${detail.pid} counts in it`
          : `${cannot}: found ${layout.COUNTER_INSTANCES_MAX} services of that name`,
      );
    case layout.NOT_FOUND:
      return new Deno.errors.NotFound(`${cannot}: found no such file`);
    case layout.NO_SPACE:
      return new NoSpaceError(path, detail.needed, detail.available);
    case layout.OTHER_BOOT:
      return new CorruptCountersError(path, "counters of before this host's last start");
    case layout.OTHER_CHANNEL:
      return new CorruptCountersError(path, `the counters of "${detail.name}"`);
    case layout.SIZE_MISMATCH:
      return new CorruptCountersError(path, `${actual} bytes where ${expected} belong`);
    case layout.INVALID_MAGIC:
      return new CorruptCountersError(path, "no file of counters");
    case layout.INVALID_IDENTITY:
      return new CorruptCountersError(path, "an identity page or a table that does not verify");
    case layout.VERSION_MISMATCH:
      return new LayoutMismatchError(path, "format version", `${expected}`, `${actual}`, advice);
    case layout.FINGERPRINT_MISMATCH:
      return new LayoutMismatchError(path, "fingerprint", `${expected}`, `${actual}`, advice);
    default:
      return fileFailure(status, cannot, path, detail) ??
        new Error(`${cannot}: found unexpected status ${status}`);
  }
}

function writeEntry(bytes: Uint8Array<ArrayBuffer>, at: number, entry: CounterEntry): void {
  const view = new DataView(bytes.buffer, at);
  const name = encoder.encode(entry.name);
  const help = encoder.encode(entry.help);
  view.setUint32(layout.COUNTERS_ENTRY_KIND_OFFSET, KINDS[entry.kind], true);
  view.setUint16(layout.COUNTERS_ENTRY_NAME_BYTES_OFFSET, name.length, true);
  view.setUint16(layout.COUNTERS_ENTRY_HELP_BYTES_OFFSET, help.length, true);
  bytes.set(name, at + layout.COUNTERS_ENTRY_NAME_OFFSET);
  bytes.set(help, at + layout.COUNTERS_ENTRY_HELP_OFFSET);
}

/** Whose counters to open, and where. */
export interface CounterFileSettings {
  directory: string;
  instance: string;
  /** Id of a group that shares the file. */
  group: number | undefined;
}

/**
 * Opens the counters of an instance, and makes what is missing. Assumes entries within the limits.
 * Returns a handle, and the name that the instance got.
 */
export function openCounterFile(
  { directory, instance, group }: CounterFileSettings,
  entries: readonly CounterEntry[],
): { handle: number; instance: string } {
  const bytes = new Uint8Array(layout.COUNTERS_PARAMETERS_SIZE);
  const view = new DataView(bytes.buffer);
  const name = encoder.encode(instance);
  view.setUint32(layout.COUNTERS_PARAMETERS_ENTRIES_OFFSET, entries.length, true);
  view.setUint32(layout.COUNTERS_PARAMETERS_HAS_GROUP_OFFSET, Number(group !== undefined), true);
  view.setUint32(layout.COUNTERS_PARAMETERS_GROUP_OFFSET, group ?? 0, true);
  view.setUint32(layout.COUNTERS_PARAMETERS_INSTANCE_BYTES_OFFSET, name.length, true);
  bytes.set(name, layout.COUNTERS_PARAMETERS_INSTANCE_OFFSET);
  const table = new Uint8Array(entries.length * layout.COUNTERS_ENTRY_SIZE);
  entries.forEach((entry, at) => writeEntry(table, at * layout.COUNTERS_ENTRY_SIZE, entry));
  const detail = new Detail();
  const path = grantedSharedPath(directory, "read", "write");
  const handle = native().mt_counters_open(path, bytes, table, detail.bytes);
  if (handle < 0) throw failure(handle, "open", `${directory}/${instance}.counters`, detail);
  return { handle, instance: detail.name };
}

/** Returns the names of the instances in a directory, sorted. An absent directory has none. */
export function listCounterFiles(directory: string): string[] {
  const detail = new Detail();
  const path = grantedSharedPath(directory, "read");
  return readNames(
    (bytes, size) => native().mt_counters_list(path, bytes, size, detail.bytes),
    (status) => failure(status, "list", directory, detail),
  );
}

/** What a file of counters holds. */
export interface CounterFile {
  /** Whether whoever counts lives. */
  isAlive: boolean;
  /** Whether the last one to count has ended in good order. */
  hasEnded: boolean;
  /** Process that counts, or counted last. */
  pid: number;
  /** How many processes have counted in the file, one after the other. */
  openings: number;
  /** When the last of them began, in milliseconds since 1970. */
  startedMs: number;
  entries: CounterEntry[];
  /** The value of each entry; of a histogram 0. */
  values: Float64Array<ArrayBuffer>;
  /** Those of the entries that are one, in order. */
  histograms: HistogramCounts[];
}

/** Bytes that one call reads; a larger file takes two. */
const FIRST_READ_BYTES = 64 * 1024;

/** Reads a file of counters. Takes no part in anything, and touches nothing. */
export function readCounterFile(path: string): CounterFile {
  const report = new Uint8Array(layout.COUNTERS_REPORT_SIZE);
  const view = new DataView(report.buffer);
  const detail = new Detail();
  const place = grantedSharedPath(path, "read");
  for (let size = FIRST_READ_BYTES;;) {
    const bytes = new Uint8Array(size);
    const status = native().mt_counters_read(place, bytes, size, report, detail.bytes);
    if (status < 0) throw failure(status, "read", path, detail);
    const needed = view.getUint32(layout.COUNTERS_REPORT_SIZE_OFFSET, true);
    if (needed <= size) return decode(view, bytes, needed);
    size = needed; // Another file may have that name by the next call.
  }
}

function decode(view: DataView, bytes: Uint8Array<ArrayBuffer>, size: number): CounterFile {
  const count = view.getUint32(layout.COUNTERS_REPORT_ENTRIES_OFFSET, true);
  const entries = Array.from(
    { length: count },
    (_, at) => readEntry(bytes, at * layout.COUNTERS_ENTRY_SIZE),
  );
  const valuesAt = count * layout.COUNTERS_ENTRY_SIZE;
  const histograms: HistogramCounts[] = [];
  for (let at = valuesAt + count * 8; at < size; at += layout.HISTOGRAM_REPORT_SIZE) {
    histograms.push(toCounts(new Float64Array(bytes.buffer, at, REPORT_WORDS)));
  }
  return {
    isAlive: view.getUint32(layout.COUNTERS_REPORT_IS_ALIVE_OFFSET, true) !== 0,
    hasEnded: view.getUint32(layout.COUNTERS_REPORT_HAS_ENDED_OFFSET, true) !== 0,
    pid: view.getUint32(layout.COUNTERS_REPORT_PID_OFFSET, true),
    openings: view.getUint32(layout.COUNTERS_REPORT_OPENINGS_OFFSET, true),
    startedMs: view.getFloat64(layout.COUNTERS_REPORT_STARTED_MS_OFFSET, true),
    entries,
    values: new Float64Array(bytes.buffer, valuesAt, count),
    histograms,
  };
}

function readEntry(bytes: Uint8Array<ArrayBuffer>, at: number): CounterEntry {
  const view = new DataView(bytes.buffer, at);
  const text = (offset: number, size: number) => readText(bytes, at + offset, size);
  return {
    kind: KIND_NAMES[view.getUint32(layout.COUNTERS_ENTRY_KIND_OFFSET, true)]!,
    name: text(
      layout.COUNTERS_ENTRY_NAME_OFFSET,
      view.getUint16(layout.COUNTERS_ENTRY_NAME_BYTES_OFFSET, true),
    ),
    help: text(
      layout.COUNTERS_ENTRY_HELP_OFFSET,
      view.getUint16(layout.COUNTERS_ENTRY_HELP_BYTES_OFFSET, true),
    ),
  };
}

/** Removes the file of an instance that does not live, whatever it holds. */
export function removeCounterFile(path: string): void {
  const detail = new Detail();
  const status = native().mt_counters_remove(grantedSharedPath(path, "write"), detail.bytes);
  if (status < 0) throw failure(status, "remove", path, detail);
}

/**
 * Logs across the border: their persister, how far they are, and what opening one has found.
 *
 * Thin typed calls: arguments in, a value or an error out.
 *
 * @module
 */

import { LayoutMismatchError, type LogFaultKind } from "../errors.ts";
import * as layout from "./_layout.ts";
import { type Context, Detail, failure, LOG_FAULTS } from "./failure.ts";
import { native } from "./library.ts";
import { grantedPath, grantedSharedPath } from "./path.ts";

const encoder = new TextEncoder();

/** How a log is written. */
export interface PersisterSettings {
  name: string;
  alignment: number;
  timestamps: boolean;
  schemaHash: number;
  schemaText: string;
  segmentBytes: number;
  /** Milliseconds between two syncs; 0 for a sync with every group, Infinity for none. */
  syncIntervalMs: number;
  snapshotIntervalMs: number;
  direct: boolean;
  /** Bytes of all segments at most; 0 for no cap. */
  logBytesMax: number;
  /** At the cap the oldest segments go, needed or not; else producers are refused. */
  cutsWhenFull: boolean;
}

/** Opens a log's directory to write in it. Returns a persister handle, which does nothing yet. */
export function openPersister(directory: string, settings: PersisterSettings): number {
  const bytes = new Uint8Array(layout.PERSISTER_PARAMETERS_SIZE);
  const view = new DataView(bytes.buffer);
  const name = encoder.encode(settings.name);
  const schema = encoder.encode(settings.schemaText);
  const f64 = (offset: number, value: number) => view.setFloat64(offset, value, true);
  const u32 = (offset: number, value: number) => view.setUint32(offset, value, true);
  const { syncIntervalMs } = settings;
  const sync = syncIntervalMs === 0
    ? layout.SYNC_GROUP
    : syncIntervalMs === Infinity
    ? layout.SYNC_NONE
    : layout.SYNC_INTERVAL;
  const intervalMs = sync === layout.SYNC_INTERVAL ? syncIntervalMs : 0;
  f64(layout.PERSISTER_PARAMETERS_SYNC_INTERVAL_MS_OFFSET, intervalMs);
  f64(layout.PERSISTER_PARAMETERS_SNAPSHOT_INTERVAL_MS_OFFSET, settings.snapshotIntervalMs);
  f64(layout.PERSISTER_PARAMETERS_SEGMENT_BYTES_OFFSET, settings.segmentBytes);
  f64(layout.PERSISTER_PARAMETERS_LOG_BYTES_MAX_OFFSET, settings.logBytesMax);
  u32(layout.PERSISTER_PARAMETERS_SYNC_OFFSET, sync);
  const whenFull = settings.cutsWhenFull ? layout.WHEN_FULL_CUT : layout.WHEN_FULL_BLOCK;
  u32(layout.PERSISTER_PARAMETERS_WHEN_FULL_OFFSET, whenFull);
  u32(layout.PERSISTER_PARAMETERS_IS_DIRECT_OFFSET, Number(settings.direct));
  u32(layout.PERSISTER_PARAMETERS_ALIGNMENT_OFFSET, settings.alignment);
  const flags = settings.timestamps ? layout.CHANNEL_TIMESTAMPED : 0;
  u32(layout.PERSISTER_PARAMETERS_FLAGS_OFFSET, flags);
  u32(layout.PERSISTER_PARAMETERS_SCHEMA_HASH_OFFSET, settings.schemaHash);
  u32(layout.PERSISTER_PARAMETERS_SCHEMA_BYTES_OFFSET, schema.length);
  u32(layout.PERSISTER_PARAMETERS_NAME_BYTES_OFFSET, name.length);
  bytes.set(name, layout.PERSISTER_PARAMETERS_NAME_OFFSET);
  bytes.set(schema, layout.PERSISTER_PARAMETERS_SCHEMA_OFFSET);
  const detail = new Detail();
  const path = grantedPath(directory, "read", "write");
  const handle = native().mt_persister_open(path, bytes, detail.bytes);
  if (handle < 0) throw failure(handle, contextOf(directory, settings.name), detail);
  return handle;
}

function contextOf(path: string, channel: string): Context {
  return { action: "open the log", path, channel };
}

/** How the end of a log was found when it was opened. */
export interface LogReport {
  /** `created`, `whole`, or `torn`: a tail that nobody was told of was saved aside. */
  verdict: "created" | "whole" | "torn";
  /** Whether its last writer had closed it. */
  clean: boolean;
  /** First sequence that it has. */
  firstSequence: number;
  /** Last sequence that it has; one less than the first where it has none. */
  lastSequence: number;
  /** Segments. */
  segments: number;
  /** Times that the log has been opened to write. */
  epoch: number;
  /** Bytes of its last segment that were verified. */
  verifiedBytes: number;
  /** Groups in them. */
  verifiedGroups: number;
  /** Where in the last segment the tail began. */
  tornOffset: number;
  /** Its bytes. */
  tornBytes: number;
}

/** What a ring has to know of its log. */
export interface LogFacts {
  nextSequence: number;
  salt: number;
  logId: Uint8Array<ArrayBuffer>;
  report: LogReport;
}

/** Opens the log, and repairs its end. Undefined while another persister has it. */
export function acquireLog(
  handle: number,
  directory: string,
  channel: string,
): { facts?: LogFacts; ownerPid: number } {
  const bytes = new Uint8Array(layout.LOG_FACTS_SIZE);
  const detail = new Detail();
  const status = native().mt_persister_acquire(handle, bytes, detail.bytes);
  if (status < 0) throw failure(status, contextOf(directory, channel), detail);
  if (status === 0) return { ownerPid: detail.pid };
  const view = new DataView(bytes.buffer);
  const idOffset = layout.LOG_FACTS_LOG_ID_OFFSET;
  return {
    ownerPid: 0,
    facts: {
      nextSequence: view.getFloat64(layout.LOG_FACTS_NEXT_SEQUENCE_OFFSET, true),
      salt: view.getUint32(layout.LOG_FACTS_SALT_OFFSET, true),
      logId: bytes.slice(idOffset, idOffset + layout.LOG_ID_BYTES),
      report: decodeReport(view, layout.LOG_FACTS_REPORT_OFFSET),
    },
  };
}

const VERDICTS = {
  [layout.LOG_VERDICT_CREATED]: "created",
  [layout.LOG_VERDICT_WHOLE]: "whole",
  [layout.LOG_VERDICT_TORN]: "torn",
} as const;

function decodeReport(view: DataView, start: number): LogReport {
  const f64 = (offset: number) => view.getFloat64(start + offset, true);
  const u32 = (offset: number) => view.getUint32(start + offset, true);
  return {
    verdict: VERDICTS[u32(layout.LOG_REPORT_VERDICT_OFFSET) as keyof typeof VERDICTS],
    clean: u32(layout.LOG_REPORT_IS_CLEAN_OFFSET) === 1,
    firstSequence: f64(layout.LOG_REPORT_FIRST_SEQUENCE_OFFSET),
    lastSequence: f64(layout.LOG_REPORT_LAST_SEQUENCE_OFFSET),
    segments: u32(layout.LOG_REPORT_SEGMENTS_OFFSET),
    epoch: u32(layout.LOG_REPORT_EPOCH_OFFSET),
    verifiedBytes: f64(layout.LOG_REPORT_VERIFIED_BYTES_OFFSET),
    verifiedGroups: f64(layout.LOG_REPORT_VERIFIED_GROUPS_OFFSET),
    tornOffset: f64(layout.LOG_REPORT_TORN_OFFSET_OFFSET),
    tornBytes: f64(layout.LOG_REPORT_TORN_BYTES_OFFSET),
  };
}

/** Starts writing what comes through a ring file. */
export function startPersister(
  handle: number,
  ringPath: string,
  directory: string,
  channel: string,
): void {
  const name = encoder.encode(channel);
  const detail = new Detail();
  const path = grantedSharedPath(ringPath, "read", "write");
  const { mt_persister_start } = native();
  const status = mt_persister_start(handle, path, name, name.length, detail.bytes);
  if (status === layout.OTHER_LOG) {
    throw new LayoutMismatchError(
      ringPath,
      "the ring of this log",
      `the log "${directory}"`,
      "a log that was there before",
      "put that one back, or remove the channel with removeChannel() and begin anew",
    );
  }
  if (status < 0) throw failure(status, contextOf(directory, channel), detail);
}

/** How a channel's log stands. */
export interface Durability {
  /** `absent`: nobody writes the log now. */
  state: "absent" | "running" | "full" | "failed";
  /** Last sequence that is on the disk. */
  durable: number;
  /** Last sequence that is in the log's files. */
  logged: number;
  /** First sequence that the log has. */
  oldest: number;
  /** Times that the log has been opened to write. */
  epoch: number;
  /** Groups written since the log began. */
  groups: number;
  /** Syncs since the ring was made. */
  syncs: number;
  /** Nanoseconds that they took together. */
  syncNs: number;
  /** Nanoseconds of the longest. */
  syncNsMax: number;
  /** Segments. */
  segments: number;
  /** Their bytes. */
  logBytes: number;
  /** Times that segments were cut that a consumer still needed, because of the cap. */
  forcedCuts: number;
  /** Times that the log had no room, since the ring was made. */
  fullTimes: number;
  /** Times that it was told how far the log is, since the ring was made. */
  publishes: number;
  /** Wake-ups sent to those who wait for the disk. */
  wakeups: number;
  /** Times that nobody slept for it, so that no system call was made. */
  wakeupsSkipped: number;
  /** Of a failure: the operating system's error; 0 if it was damage. */
  errno: number;
  /** Of damage: what was found. */
  fault: LogFaultKind | undefined;
}

const STATES = {
  [layout.LOG_STATE_ABSENT]: "absent",
  [layout.LOG_STATE_RUNNING]: "running",
  [layout.LOG_STATE_FULL]: "full",
  [layout.LOG_STATE_FAILED]: "failed",
} as const;

/** Returns how an open channel's log stands. */
export function readDurability(channelHandle: number): Durability {
  const bytes = new Uint8Array(layout.DURABILITY_REPORT_SIZE);
  const view = new DataView(bytes.buffer);
  native().mt_channel_durability(channelHandle, bytes);
  const f64 = (offset: number) => view.getFloat64(offset, true);
  const u32 = (offset: number) => view.getUint32(offset, true);
  const state = u32(layout.DURABILITY_REPORT_STATE_OFFSET);
  const publishes = f64(layout.DURABILITY_REPORT_PUBLISHES_OFFSET);
  const wakeups = f64(layout.DURABILITY_REPORT_WAKEUPS_OFFSET);
  return {
    state: STATES[state as keyof typeof STATES] ?? "failed",
    durable: f64(layout.DURABILITY_REPORT_DURABLE_OFFSET),
    logged: f64(layout.DURABILITY_REPORT_LOGGED_OFFSET),
    oldest: f64(layout.DURABILITY_REPORT_OLDEST_OFFSET),
    epoch: u32(layout.DURABILITY_REPORT_EPOCH_OFFSET),
    groups: f64(layout.DURABILITY_REPORT_GROUPS_OFFSET),
    syncs: f64(layout.DURABILITY_REPORT_SYNCS_OFFSET),
    syncNs: f64(layout.DURABILITY_REPORT_SYNC_NS_OFFSET),
    syncNsMax: f64(layout.DURABILITY_REPORT_SYNC_NS_MAX_OFFSET),
    segments: u32(layout.DURABILITY_REPORT_SEGMENTS_OFFSET),
    logBytes: f64(layout.DURABILITY_REPORT_LOG_BYTES_OFFSET),
    forcedCuts: u32(layout.DURABILITY_REPORT_FORCED_CUTS_OFFSET),
    fullTimes: f64(layout.DURABILITY_REPORT_FULL_TIMES_OFFSET),
    publishes,
    wakeups,
    wakeupsSkipped: Math.max(0, publishes - wakeups),
    errno: u32(layout.DURABILITY_REPORT_ERRNO_OFFSET),
    fault: LOG_FAULTS[u32(layout.DURABILITY_REPORT_FAULT_OFFSET)],
  };
}

/**
 * Producers and consumers of a ring, as any process that has it open sees them.
 *
 * @module
 */

import * as layout from "./_layout.ts";
import { Detail, failure, readText } from "./failure.ts";
import { native } from "./library.ts";
import { checkPermitted } from "./path.ts";

/** A producer or consumer of a channel, as any process sees it. Counts are since it joined. */
export interface Peer {
  /** Its name; empty for an anonymous one. */
  name: string;
  /** Its slot. */
  index: number;
  /** `dead`: its lock is gone. `detached`: it has left, and its cursor is kept. */
  state: "alive" | "dead" | "detached";
  /**
   * Whether it is gone without a goodbye and has not come back. So is a `detached` consumer that
   * has died, and that producers have let go of.
   */
  hasDied: boolean;
  /** What a consumer does to producers when it is slow; the persister holds them also when dead. */
  onSlow: "block" | "drop" | "spill" | "hold";
  /** Its process, as that process sees itself. */
  pid: number;
  /** Messages published, or acknowledged. */
  messages: number;
  /** Bytes of them. */
  bytes: number;
  /** How far a consumer is behind, in messages. */
  lagMessages: number;
  /** How far a consumer is behind, in bytes. */
  lagBytes: number;
  /** Last sequence that a consumer has acknowledged. */
  cursor: number;
  /** Times that a producer found no room. */
  backPressured: number;
  /** Claims of a producer that were refused because the log was full or had failed. */
  logRefused: number;
  /** Times that a producer has made something visible: a message, a batch, an aborted claim. */
  publishes: number;
  /** Times that a consumer has acknowledged. */
  acks: number;
  /** Wake-ups sent to sleepers. */
  wakeups: number;
  /** Publishes or acknowledgements after which nobody slept, so that no system call was made. */
  wakeupsSkipped: number;
  /** Times that it slept: a producer for room, a consumer for a message. */
  waits: number;
  /** Those of them that ended by their time. The persister's do, while nothing comes. */
  waitsTimedOut: number;
  /** Waits that ended by time although something was there: a defect of this library. */
  lateWakeups: number;
  /** Times that a consumer was overrun. */
  laps: number;
  /** Messages lost by that. */
  lost: number;
  /** Records that did not verify. */
  damaged: number;
  /** Claims given back (producer) or skipped (consumer). */
  aborted: number;
  /** Dead consumers and claims that this one has cleared away. */
  repaired: number;
  /** Times that the counters of its slot began with 0, as another one took it. */
  resets: number;
}

const STATES = {
  [layout.PEER_ALIVE]: "alive",
  [layout.PEER_DEAD]: "dead",
  [layout.PEER_DETACHED]: "detached",
  [layout.PEER_RELEASED]: "detached",
} as const;

const POLICIES = {
  [layout.POLICY_BLOCK]: "block",
  [layout.POLICY_DROP]: "drop",
  [layout.POLICY_SPILL]: "spill",
  [layout.POLICY_HOLD]: "hold",
} as const;

function decodePeer(bytes: Uint8Array<ArrayBuffer>): Peer {
  const view = new DataView(bytes.buffer);
  const f64 = (offset: number) => view.getFloat64(offset, true);
  const u32 = (offset: number) => view.getUint32(offset, true);
  const nameBytes = u32(layout.PEER_REPORT_NAME_BYTES_OFFSET);
  const policy = u32(layout.PEER_REPORT_POLICY_OFFSET);
  const state = u32(layout.PEER_REPORT_STATE_OFFSET);
  const publishes = f64(layout.PEER_REPORT_PUBLISHES_OFFSET);
  const acks = f64(layout.PEER_REPORT_ACKS_OFFSET);
  const wakeups = f64(layout.PEER_REPORT_WAKEUPS_OFFSET);
  return {
    name: readText(bytes, layout.PEER_REPORT_NAME_OFFSET, nameBytes),
    index: u32(layout.PEER_REPORT_INDEX_OFFSET),
    state: STATES[state as keyof typeof STATES],
    hasDied: state === layout.PEER_DEAD || state === layout.PEER_RELEASED,
    onSlow: POLICIES[policy as keyof typeof POLICIES] ?? "block",
    pid: u32(layout.PEER_REPORT_PID_OFFSET),
    messages: f64(layout.PEER_REPORT_MESSAGES_OFFSET),
    bytes: f64(layout.PEER_REPORT_BYTES_OFFSET),
    lagMessages: f64(layout.PEER_REPORT_LAG_MESSAGES_OFFSET),
    lagBytes: f64(layout.PEER_REPORT_LAG_BYTES_OFFSET),
    cursor: f64(layout.PEER_REPORT_CURSOR_OFFSET),
    backPressured: f64(layout.PEER_REPORT_BACK_PRESSURED_OFFSET),
    logRefused: f64(layout.PEER_REPORT_LOG_REFUSED_OFFSET),
    publishes,
    acks,
    wakeups,
    wakeupsSkipped: Math.max(0, publishes + acks - wakeups),
    waits: f64(layout.PEER_REPORT_WAITS_OFFSET),
    waitsTimedOut: f64(layout.PEER_REPORT_WAITS_TIMED_OUT_OFFSET),
    lateWakeups: f64(layout.PEER_REPORT_LATE_WAKEUPS_OFFSET),
    laps: f64(layout.PEER_REPORT_LAPS_OFFSET),
    lost: f64(layout.PEER_REPORT_LOST_OFFSET),
    damaged: f64(layout.PEER_REPORT_DAMAGED_OFFSET),
    aborted: f64(layout.PEER_REPORT_ABORTED_OFFSET),
    repaired: f64(layout.PEER_REPORT_REPAIRED_OFFSET),
    resets: f64(layout.PEER_REPORT_RESETS_OFFSET),
  };
}

/** Returns the producers that an open channel has or had. */
export function readProducers(handle: number): Peer[] {
  return readPeers(layout.PRODUCERS_MAX, (index, bytes) => {
    return native().mt_channel_producer(handle, index, bytes);
  });
}

/** Returns the consumers that an open channel has or had. */
export function readConsumers(handle: number): Peer[] {
  return readPeers(layout.CONSUMERS_MAX, (index, bytes) => {
    return native().mt_channel_consumer(handle, index, bytes);
  });
}

function readPeers(
  count: number,
  read: (index: number, bytes: Uint8Array<ArrayBuffer>) => number,
): Peer[] {
  const peers: Peer[] = [];
  for (let index = 0; index < count; index++) {
    const bytes = new Uint8Array(layout.PEER_REPORT_SIZE);
    if (read(index, bytes) === layout.OK) peers.push(decodePeer(bytes));
  }
  return peers;
}

/** Returns the consumer that holds a producer back most, if any. */
export function readGating(producerHandle: number): Peer | undefined {
  const bytes = new Uint8Array(layout.PEER_REPORT_SIZE);
  const status = native().mt_producer_gating(producerHandle, bytes);
  return status === layout.OK ? decodePeer(bytes) : undefined;
}

/**
 * Removes a consumer that does not live from an open channel, and from its log.
 *
 * @param place `path` is that of the log's directory; of the ring file without a log.
 */
export function removePeer(
  handle: number,
  consumer: string,
  place: { channel: string; path: string; hasLog: boolean },
): void {
  if (place.hasLog) checkPermitted(place.path, "read", "write");
  const name = new TextEncoder().encode(consumer);
  const detail = new Detail();
  const status = native().mt_channel_remove_consumer(handle, name, name.length, detail.bytes);
  if (status === layout.OK) return;
  const action = `remove consumer "${consumer}" of`;
  if (status !== layout.NOT_FOUND) throw failure(status, { action, ...place }, detail);
  throw new Deno.errors.NotFound(
    `Cannot ${action} channel "${place.channel}": found none of that name`,
  );
}

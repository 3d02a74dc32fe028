/**
 * A ring file: what it says of itself, who takes part, and its newest records.
 *
 * @module
 */

import { Channel, type ChannelStats, openObserver, verifyRing } from "../../mod.ts";
import { decodeIdentity, openRing } from "../../lib/native/ring.ts";
import { IDENTITY_SIZE } from "../../lib/native/_layout.ts";
import { toHex } from "../../lib/native/log_files.ts";
import { printable } from "../_output.ts";
import { formatBytes, formatShare, formatTable } from "../_table.ts";
import type { Place } from "../records/place.ts";

/** A message that is in the ring. */
export interface NewestMessage {
  sequence: number;
  length: number;
  head: string;
}

/** What a ring file holds. */
export interface RingContent {
  /** What the first page says, whether it verifies or not; empty if there is none. */
  identity: Record<string, unknown>;
  stats: ChannelStats | null;
  newest: NewestMessage[];
  /** The first record that does not verify. */
  damage: string | null;
  /** Why it cannot be opened. */
  error: string | null;
  /** Its first bytes where it cannot. */
  head: string | null;
}

/** Bytes of a payload, and of a file that cannot be opened, that are shown. */
const PAYLOAD_BYTES = 16;
const HEAD_BYTES = 64;

/** Looks at a ring file; nobody notices. */
export function inspectRing(
  { path, head }: Place,
  { limit }: { limit: number },
): RingContent {
  try {
    const handle = openRing(path, "", { prefault: false, lock: false, readOnly: true });
    using channel = new Channel(handle, path, true);
    const stats = channel.stats();
    const newest: NewestMessage[] = [];
    const damage = readNewest(channel, Math.max(1, stats.nextSequence - limit), newest) ??
      verifyRing(path).damage?.message ?? null;
    return { identity: { ...channel.identity }, stats, newest, damage, error: null, head: null };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const identity = head.length < IDENTITY_SIZE ? {} : { ...decodeIdentity(head) };
    const hex = toHex(head.subarray(0, HEAD_BYTES));
    return { identity, stats: null, newest: [], damage: null, error: error.message, head: hex };
  }
}

/** Reads from a sequence on. Returns what was wrong on the way. */
function readNewest(channel: Channel, from: number, newest: NewestMessage[]): string | null {
  try {
    const observer = openObserver(channel, { from });
    while (
      newest.length < MOST && observer.poll(({ sequence, length, payload }) => {
          const head = toHex(payload.subarray(0, PAYLOAD_BYTES));
          newest.push({ sequence, length, head });
        }) > 0
    );
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Messages, while producers go on for ever. */
const MOST = 100_000;

/** Fields one to a line. Text is quoted, as it may hold anything. */
export function fieldsText(fields: Record<string, unknown>): string {
  return Object.entries(fields)
    .map(([name, value]) => `  ${name}: ${printable(JSON.stringify(value))}`).join("\n");
}

/** The content as text. */
export function ringText(path: string, ring: RingContent): string {
  const { identity, stats, newest, damage, error, head } = ring;
  const fields = Object.keys(identity).length === 0 ? [] : [fieldsText(identity)];
  if (error !== null || stats === null) {
    return [`Ring ${path}`, error, ...fields, ...head === "" ? [] : [`  ${head}`]].join("\n");
  }
  const capacity = Number(identity.capacity);
  const parts = [
    `Ring ${path}, ${formatBytes(capacity)}, ` +
    `${formatShare(stats.occupancy / capacity)} full`,
    ...fields,
    `Next sequence ${stats.nextSequence}, ${stats.claimed} bytes claimed`,
  ];
  if (stats.log !== undefined) {
    const { state, durable, logged } = stats.log;
    parts.push(`Log ${state}, durable up to ${durable}, logged up to ${logged}`);
  }
  if (damage !== null) parts.push(damage);
  const peers = [
    ...stats.producers.map((peer) => ({ role: "producer", ...peer })),
    ...stats.consumers.map((peer) => ({ role: "consumer", ...peer })),
  ];
  if (peers.length > 0) {
    parts.push(
      "",
      formatTable(
        ["Role", "Slot", "Name", "Process", "State", "Messages", "Cursor"],
        peers.map(({ role, index, name, pid, state, messages, cursor }) =>
          [role, index, printable(JSON.stringify(name)), pid, state, messages, cursor].map(String)
        ),
      ),
    );
  }
  if (newest.length > 0) {
    parts.push(
      "",
      formatTable(
        ["Sequence", "Length", "Payload"],
        newest.map(({ sequence, length, head }) => [
          `${sequence}`,
          `${length}`,
          head + (length > PAYLOAD_BYTES ? "…" : ""),
        ]),
      ),
    );
  }
  return parts.join("\n");
}

/**
 * Publishing a journal's messages again.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import type { Producer } from "../../channel/producer.ts";
import type { JournalRecord } from "./journal_line.ts";
import { Pacer } from "../pacer.ts";

/** Messages between two turns of the event loop: about a millisecond. */
const MESSAGES_PER_TURN = 256;

/** How messages are published again. */
export interface ReplayOptions {
  /** How many times the recorded speed: 1 is that speed, 0 as fast as possible. Default: 1. */
  pace?: number;
  /** Ends the replay before its end. */
  signal?: AbortSignal;
}

/** What was published again. */
export interface ReplayStats {
  /** Messages published. */
  published: number;
  /** Their bytes. */
  bytes: number;
  /** Sequence of the last one in its new channel; 0 for none. */
  lastSequence: number;
  /** How late the latest was published, in milliseconds; 0 without a pace. */
  latestMs: number;
}

/**
 * Publishes messages into a channel: the same bytes and flags, in the same order, at the pace at
 * which they were published, or written where the journal does not tell that.
 *
 * Messages get new sequences. What finds no room waits for it, and those behind it make up for the
 * time, as their own is counted from the first.
 *
 * @param records Such as `readJournal` gives.
 * @returns What was published, also when the signal has ended it.
 * @throws {RangeError} If a message is too long for the channel.
 */
export async function replayJournal(
  records: AsyncIterable<JournalRecord> | Iterable<JournalRecord>,
  producer: Producer,
  { pace = 1, signal }: ReplayOptions = {},
): Promise<ReplayStats> {
  const stats: ReplayStats = { published: 0, bytes: 0, lastSequence: 0, latestMs: 0 };
  const pacer = new Pacer(pace);
  try {
    for await (const { publishTimeUs, journalTimeUs, payload, flags } of records) {
      signal?.throwIfAborted();
      const timeUs = publishTimeUs === 0 ? journalTimeUs : publishTimeUs;
      await pacer.wait(timeUs, signal);
      stats.lastSequence = await publish(producer, payload, { flags, signal });
      stats.latestMs = Math.max(stats.latestMs, pacer.lateMs(timeUs));
      stats.bytes += payload.length;
      stats.published++;
      if (stats.published % MESSAGES_PER_TURN === 0) await setImmediate();
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
  return stats;
}

/** How long a full channel is waited for at once, in milliseconds: a signal is heard after it. */
const ROOM_MS = 100;

async function publish(
  producer: Producer,
  payload: Uint8Array,
  { flags, signal }: { flags: number; signal: AbortSignal | undefined },
): Promise<number> {
  for (;;) {
    const sequence = producer.offer(payload, flags);
    if (sequence > 0) return sequence; // Else there is no room, in the ring or the log.
    await producer.ready({ timeoutMs: ROOM_MS });
    signal?.throwIfAborted();
  }
}

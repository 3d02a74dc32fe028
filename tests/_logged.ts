/**
 * Channels with a log, for tests.
 *
 * @module
 */

import type { Channel, ChannelOptions, Producer } from "../mod.ts";
import { pattern, Scratch } from "./_support.ts";

/** Bytes of the smallest segment. */
export const SEGMENT_BYTES = 256 * 1024;

/** A channel with a small ring and small segments, whose log is written at once. */
export class Logged extends Scratch {
  readonly options: ChannelOptions = {
    walDir: `${this.directory}/wal`,
    sizeBytes: 64 * 1024,
    segmentBytes: SEGMENT_BYTES,
    durability: "disk",
    snapshotIntervalMs: 1,
  };

  override create(options: ChannelOptions = {}, name = "test"): Channel {
    return super.create({ ...this.options, ...options }, name);
  }

  /** Takes the ring away, as a start of the host does; the log stays. */
  remakeRing(options: ChannelOptions = {}): Channel {
    Deno.removeSync(this.path());
    return this.create(options);
  }
}

/** Sends messages of that size, waits until they are durable, and returns the last sequence. */
export function send(producer: Producer, count: number, length = 100): number {
  let last = 0;
  for (let i = 0; i < count; i++) last = producer.write(pattern(length, i));
  producer.waitDurable(last);
  return last;
}

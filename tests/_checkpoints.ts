/**
 * Channels with checkpoints, for tests.
 *
 * @module
 */

import { type Channel, type Checkpoints, type Consumer, openCheckpoints } from "../mod.ts";
import type { Scratch } from "./_support.ts";

const SEGMENT_BYTES = 256 * 1024;

/** A channel with a log, in a scratch directory. */
export function createDurable(scratch: Scratch, name = "orders"): Channel {
  return scratch.create({
    sizeBytes: "64KB",
    durability: "disk",
    walDir: `${scratch.directory}/wal`,
    segmentBytes: SEGMENT_BYTES,
    snapshotIntervalMs: 1,
  }, name);
}

/** The checkpoints of a scratch directory. */
export function openIn(scratch: Scratch): Checkpoints {
  return openCheckpoints({ directory: `${scratch.directory}/checkpoints`, mapBytes: 1 << 20 });
}

/** Polls until the consumer has handed out that sequence. */
export function pollUpTo(consumer: Consumer, sequence: number): number[] {
  const got: number[] = [];
  const end = performance.now() + 120_000;
  while (consumer.delivered < sequence) {
    consumer.poll((message) => void got.push(message.sequence));
    if (performance.now() > end) throw new Error(`sequence ${sequence} never came`);
  }
  return got;
}

/**
 * How producers are opened, and what they are given.
 *
 * @module
 */

import type { WaitStrategy } from "./wait_strategy.ts";

/** How a producer is opened. */
export interface ProducerOptions {
  /** Shown to people, and in the error of whoever finds the place taken. Default: none. */
  name?: string;
  /** How `write` waits for room. Default: `adaptive`. */
  wait?: WaitStrategy;
  /**
   * Let claims be written in the ring's own memory. Needs unscoped `--allow-ffi`. Default: false,
   * where a claim is filled in a buffer of the producer's and copied.
   */
  view?: boolean;
}

/** Messages that become visible in one step: an array, or one length cut out of one buffer. */
export type Batch = readonly Uint8Array[] | {
  /** The messages, one after the other. */
  bytes: Uint8Array;
  /** Bytes of each. */
  messageBytes: number;
};

/** How long a blocking call waits. */
export interface WriteOptions {
  /** Milliseconds. Default: as long as it takes. */
  timeoutMs?: number;
  /** Bits of {@linkcode MESSAGE_FLAGS}. Default: 0. */
  flags?: number;
}

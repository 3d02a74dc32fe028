/**
 * How consumers and observers are opened.
 *
 * @module
 */

import { SequenceGapError } from "../errors.ts";
import * as layout from "../native/_layout.ts";
import { Detail, failure } from "../native/failure.ts";
import { native } from "../native/library.ts";
import type { Channel } from "./channel.ts";
import type { WaitStrategy } from "./wait_strategy.ts";

/** Where a consumer begins. A number is the sequence of its first message. */
export type Start = "latest" | "earliest" | "checkpoint" | number;

/** Messages that a `drop` consumer has lost: the producer was a whole ring ahead. */
export interface Gap {
  /** First sequence lost. */
  from: number;
  /** Last sequence lost. */
  to: number;
}

/** How an observer is opened. */
export interface ObserverOptions {
  /** Where it begins. Default: `latest`. */
  from?: Exclude<Start, "checkpoint">;
  /** Told of each gap, before the message behind it. */
  onGap?: (gap: Gap) => void;
}

/** How a consumer is opened. */
export interface ConsumerOptions {
  /** Under which its cursor is kept, so that it goes on there after a crash. Default: none. */
  name?: string;
  /**
   * Where it begins: with the next message (`latest`), the oldest in the ring or its log
   * (`earliest`), behind what a consumer of its name acknowledged last (`checkpoint`; `earliest` if
   * there was none), or at a sequence. Default: `checkpoint` with a name, `latest` without.
   */
  from?: Start;
  /**
   * What happens when it is slow: `block` holds producers back, `drop` lets them overrun it, and
   * tells it exactly what it has lost, `spill` lets it read on in the channel's log. Default:
   * `block`. One that reads in the log holds nobody back before it has caught up.
   */
  onSlow?: "block" | "drop" | "spill";
  /** How it waits. Default: `adaptive`. */
  wait?: WaitStrategy;
  /**
   * `auto`: a message is acknowledged when its handler has returned, or the loop asks for the next.
   * `manual`: by {@linkcode Consumer.ack}. Default: `auto`.
   */
  ack?: "auto" | "manual";
  /** Told of each gap of a `drop` consumer, before the message behind it. */
  onGap?: (gap: Gap) => void;
  /**
   * Read messages in the ring's own memory, without a copy. For `block` only; needs unscoped
   * `--allow-ffi`. Default: false, where a batch is copied into a buffer of the consumer's.
   */
  view?: boolean;
}

/** How a blocking poll waits. */
export interface PollWaitOptions {
  /** Messages at most. Default: 256. */
  limit?: number;
  /** Milliseconds. Default: as long as it takes. */
  timeoutMs?: number;
}

const STARTS = {
  latest: layout.START_LATEST,
  earliest: layout.START_EARLIEST,
  checkpoint: layout.START_CHECKPOINT,
} as const;

const POLICIES = {
  block: layout.POLICY_BLOCK,
  drop: layout.POLICY_DROP,
  spill: layout.POLICY_SPILL,
} as const;

/** Opens a consumer or an observer. Returns its handle. */
export function openConsumerHandle(
  channel: Channel,
  options: {
    name: string;
    from: Start;
    onSlow: "block" | "drop" | "spill";
    view: boolean;
    observes: boolean;
  },
): number {
  const { name, from, onSlow, view: views, observes } = options;
  const bytes = new Uint8Array(layout.CONSUMER_PARAMETERS_SIZE);
  const view = new DataView(bytes.buffer);
  const encoded = new TextEncoder().encode(name);
  if (encoded.length > layout.NAME_BYTES_MAX) {
    throw new RangeError(
      `Cannot open a consumer: expected a name of at most ${layout.NAME_BYTES_MAX} bytes, ` +
        `found ${encoded.length}`,
    );
  }
  if (name.startsWith("mt.")) {
    throw new RangeError(
      `Cannot open a consumer: expected a name that does not begin with "mt.", found "${name}"`,
    );
  }
  const isSequence = typeof from === "number";
  const start = isSequence ? layout.START_SEQUENCE : Object.hasOwn(STARTS, from) && STARTS[from];
  if (start === false || isSequence && !(Number.isSafeInteger(from) && from >= 1)) {
    throw new RangeError(
      `Cannot open a consumer from "${from}": expected a sequence, or one of ` +
        Object.keys(STARTS).join(", "),
    );
  }
  const policy = POLICIES[onSlow];
  view.setFloat64(layout.CONSUMER_PARAMETERS_SEQUENCE_OFFSET, isSequence ? from : 0, true);
  view.setUint32(layout.CONSUMER_PARAMETERS_START_OFFSET, start, true);
  view.setUint32(layout.CONSUMER_PARAMETERS_POLICY_OFFSET, policy, true);
  view.setUint32(layout.CONSUMER_PARAMETERS_OBSERVES_OFFSET, Number(observes), true);
  view.setUint32(layout.CONSUMER_PARAMETERS_VIEWS_OFFSET, Number(views), true);
  view.setUint32(layout.CONSUMER_PARAMETERS_NAME_BYTES_OFFSET, encoded.length, true);
  bytes.set(encoded, layout.CONSUMER_PARAMETERS_NAME_OFFSET);
  const detail = new Detail();
  const handle = native().mt_consumer_open(channel.handle, bytes, detail.bytes);
  if (handle >= 0) return handle;
  if (handle === layout.SEQUENCE_GONE) {
    throw new SequenceGapError(channel.name, detail.expected, detail.actual);
  }
  const isLog = handle === layout.CORRUPT_LOG;
  const path = isLog ? channel.logDirectory ?? "" : channel.bufferFile;
  const context = { action: "read from", path, channel: channel.name };
  throw failure(handle, context, detail);
}

/**
 * Opening the receiving end of a channel.
 *
 * @module
 */

import { checkPermitted } from "../native/path.ts";
import type { Channel } from "./channel.ts";
import { Consumer } from "./consumer.ts";
import {
  type ConsumerOptions,
  type ObserverOptions,
  openConsumerHandle,
} from "./consumer_options.ts";
import { blockingWait } from "./wait_strategy.ts";

/**
 * Opens a consumer.
 *
 * On a channel with a log, what has left the ring is read there, and the consumer crosses to the
 * ring as soon as it has caught up: without a gap, and each message once.
 *
 * @throws {RangeError} If the name is too long, or begins with `mt.`, which are the library's own.
 * @throws {Deno.errors.Busy} If a live consumer has that name, or all slots are taken.
 * @throws {SequenceGapError} If the place to begin at has left the ring, and the log if there is
 *     one.
 * @throws {CorruptLogError} If the log is damaged there.
 */
export function openConsumer(channel: Channel, options: ConsumerOptions = {}): Consumer {
  const { name = "", onSlow = "block", view = false } = options;
  const from = options.from ?? (name === "" ? "latest" : "checkpoint");
  blockingWait(options.wait ?? "adaptive"); // Refuses a wrong strategy before anything is taken.
  if (onSlow !== "block" && onSlow !== "drop" && onSlow !== "spill") {
    throw new TypeError(
      `Cannot open a consumer: expected onSlow "block", "drop" or "spill", found "${onSlow}"`,
    );
  }
  if (onSlow === "spill" && channel.logDirectory === undefined) {
    throw new TypeError(
      `Cannot open a consumer with onSlow "spill": found that channel "${channel.name}" has no log`,
    );
  }
  if (view && onSlow !== "block") {
    throw new TypeError(
      `Cannot view messages of a consumer with onSlow "${onSlow}": ` +
        `found that producers overwrite them`,
    );
  }
  if (channel.logDirectory !== undefined && !view) checkPermitted(channel.logDirectory, "read");
  if (view) void channel.data; // Refuses a missing permission before anything is taken.
  const handle = openConsumerHandle(channel, { name, from, onSlow, view, observes: false });
  const consumer = new Consumer(channel, handle, options);
  channel.adopt(consumer);
  return consumer;
}

/**
 * Opens an observer: a reader that takes no slot, holds nobody back and cannot be noticed. It works
 * on a channel opened with `readOnly`.
 */
export function openObserver(channel: Channel, options: ObserverOptions = {}): Consumer {
  const { from = "latest" } = options;
  if (channel.logDirectory !== undefined) checkPermitted(channel.logDirectory, "read");
  const place = { name: "", from, onSlow: "drop", view: false, observes: true } as const;
  const handle = openConsumerHandle(channel, place);
  const observer = new Consumer(channel, handle, { ...options, onSlow: "drop" });
  channel.adopt(observer);
  return observer;
}

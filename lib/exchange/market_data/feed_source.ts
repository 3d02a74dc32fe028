/**
 * Where a feed's messages come from: a channel, from its first message on.
 *
 * @module
 */

import type { Channel } from "../../channel/channel.ts";
import type { Consumer } from "../../channel/consumer.ts";
import { openConsumer } from "../../channel/open_consumer.ts";
import { monotonicNs } from "../../native/clock.ts";
import type { FeedMessage } from "./market_feed.ts";

/** Messages between two looks at the sockets: a fraction of a millisecond. */
const BATCH = 512;

/** Milliseconds that are waited for a message that should be there. */
const STRAGGLER_MS = 100;

/** How a {@linkcode FeedSource} is opened. */
export interface FeedSourceOptions {
  /** Name of the consumer; the log is kept whole for it, so that it can begin anew. */
  name: string;
  /** Takes a message, and when it was received, by `monotonicNs()`; 0 for one of before. */
  apply(message: FeedMessage, nowNs: number): void;
  /** Called after each batch. */
  onBatch(): void;
}

/**
 * Follows a channel from its first message, out of its log and then out of its ring. Never holds
 * its producers back: what is slow reads in the log. Without a log it begins with the oldest
 * message in the ring, and may be overrun; the sequences that it hands on show that.
 *
 * Thread: its isolate's only.
 */
export class FeedSource implements Disposable {
  readonly #consumer: Consumer;
  readonly #options: FeedSourceOptions;
  /** Sequence of the last message that was there when it was opened. */
  readonly #lastBefore: number;

  /**
   * Opens the channel's receiving end.
   *
   * @throws {Deno.errors.Busy} If a live consumer has that name.
   */
  constructor(channel: Channel, options: FeedSourceOptions) {
    const hasLog = channel.logDirectory !== undefined;
    this.#options = options;
    this.#lastBefore = channel.stats().nextSequence - 1;
    this.#consumer = openConsumer(channel, {
      name: options.name,
      from: "earliest",
      onSlow: hasLog ? "spill" : "drop",
    });
    if (hasLog) this.#consumer.keep(1);
  }

  /**
   * Takes all messages that were there when it was opened. The last of them may be none: a producer
   * was about to publish it, or has given it back.
   */
  async catchUp(): Promise<void> {
    const consumer = this.#consumer;
    while (consumer.delivered < this.#lastBefore) {
      if (!await consumer.wait({ timeoutMs: STRAGGLER_MS })) return;
      await this.#poll(false);
    }
  }

  /** Takes messages as they come, until it is closed. */
  async follow(): Promise<void> {
    while (await this.#consumer.wait()) await this.#poll(true);
  }

  /** Closes the consumer; {@linkcode FeedSource.follow} ends. */
  [Symbol.dispose](): void {
    this.#consumer.close();
  }

  async #poll(isLive: boolean): Promise<void> {
    const { apply, onBatch } = this.#options;
    let nowNs = 0;
    this.#consumer.poll((message) => {
      if (isLive) nowNs ||= monotonicNs();
      apply(message, nowNs);
    }, BATCH);
    onBatch();
    // Timers and sockets have their turn, however much there is to read.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/**
 * Where a feed's messages come from: a channel, from its first message on, or from where the feed
 * was.
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

/** What becomes of a source's messages. */
export interface FeedSourceOptions {
  /** Takes a message, and when it was received, by `monotonicNs()`; 0 for one of before. */
  apply(message: FeedMessage, nowNs: number): void;
  /** Called after each batch. */
  onBatch(): void;
}

/**
 * Opens a consumer for a {@linkcode FeedSource} that begins with a channel's first message, or the
 * oldest one that is left. It never holds producers back: what is slow reads in the log, which is
 * kept whole for it, so that it can begin anew. Without a log it may be overrun; the sequences
 * that it hands on show that.
 *
 * @throws {Deno.errors.Busy} If a live consumer has that name.
 */
export function consumeFromTheFirst(channel: Channel, name: string): Consumer {
  const hasLog = channel.logDirectory !== undefined;
  const onSlow = hasLog ? "spill" : "drop";
  const consumer = openConsumer(channel, { name, from: "earliest", onSlow });
  if (hasLog) consumer.keep(1);
  return consumer;
}

/**
 * Follows a channel, out of its log and then out of its ring.
 *
 * Thread: its isolate's only.
 */
export class FeedSource implements Disposable {
  readonly #consumer: Consumer;
  readonly #options: FeedSourceOptions;
  /** Sequence of the last message that was there when it was made. */
  readonly #lastBefore: number;

  /** Takes a consumer over, which is to hold nobody back. */
  constructor(consumer: Consumer, options: FeedSourceOptions) {
    this.#consumer = consumer;
    this.#options = options;
    this.#lastBefore = consumer.channel.stats().nextSequence - 1;
  }

  /**
   * Takes all messages that were there when it was made. The last of them may be none: a producer
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

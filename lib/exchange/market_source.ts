/**
 * Where a feed's messages come from: the channel of engine events.
 *
 * @module
 */

import type { Channel } from "../channel/channel.ts";
import type { Consumer } from "../channel/consumer.ts";
import { openConsumer } from "../channel/open_consumer.ts";
import { monotonicNs } from "../native/clock.ts";
import type { MarketFeed } from "./market_feed.ts";

/** Messages between two looks at the sockets: a fraction of a millisecond. */
const BATCH = 512;

/**
 * Follows a channel of engine events from its first one, out of its log and then out of its ring.
 * Never holds the engine back: what is slow reads in the log. Without a log it begins with the
 * oldest event in the ring and may be overrun; the feed then says that it is not complete.
 *
 * Thread: its isolate's only.
 */
export class EngineEventSource implements Disposable {
  readonly #consumer: Consumer;
  readonly #feed: MarketFeed;
  readonly #lastBefore: number;

  /**
   * Opens the channel's receiving end.
   *
   * @param name Of the consumer; the log is kept whole for it, so that it can begin anew.
   * @throws {Deno.errors.Busy} If a live consumer has that name.
   */
  constructor(channel: Channel, feed: MarketFeed, name: string) {
    const hasLog = channel.logDirectory !== undefined;
    this.#feed = feed;
    this.#lastBefore = channel.stats().nextSequence - 1;
    this.#consumer = openConsumer(channel, {
      name,
      from: "earliest",
      onSlow: hasLog ? "spill" : "drop",
      wait: "adaptive",
    });
    if (hasLog) this.#consumer.keep(1);
  }

  /** Takes all events that were there when it was opened. */
  async catchUp(): Promise<void> {
    while (this.#feed.sequence < this.#lastBefore && await this.#consumer.wait()) {
      this.#poll(false);
      // Only the newest state is wanted; what has changed on the way would grow without end.
      for (const market of this.#feed.markets) market.flush();
      await nextTurn();
    }
  }

  /**
   * Takes events as they come, until it is closed.
   *
   * @param onChange Called after each batch.
   */
  async follow(onChange: () => void): Promise<void> {
    this.#feed.latencies.begin(monotonicNs());
    while (await this.#consumer.wait()) {
      this.#poll(true);
      onChange();
      await nextTurn();
    }
  }

  /** Closes the consumer; {@linkcode EngineEventSource.follow} ends. */
  [Symbol.dispose](): void {
    this.#consumer.close();
  }

  #poll(isLive: boolean): void {
    const feed = this.#feed;
    let nowNs = 0;
    this.#consumer.poll((message) => {
      if (isLive) nowNs ||= monotonicNs();
      feed.applyEvent(message, nowNs);
    }, BATCH);
  }
}

/** Lets timers and sockets have their turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Hand-off latency of late: what histograms that only grow have got since the look before.
 *
 * @module
 */

import { LatencyHistogram } from "./latency_histogram.ts";
import { isReadable, type Look, type WatchedChannel, type WatchedConsumer } from "./watch.ts";

/** Remembers each consumer's histogram from one look to the next. Cost: 8 KiB for each consumer. */
export class RecentLatency {
  #earlier = new Map<string, LatencyHistogram>();
  #recent = new Map<string, LatencyHistogram>();

  /** Takes a new look. */
  take(look: Look): void {
    const before = this.#earlier;
    this.#earlier = new Map();
    this.#recent = new Map();
    for (const channel of look.channels.filter(isReadable)) {
      for (const consumer of channel.consumers) {
        const key = keyOf(channel, consumer);
        const earlier = before.get(key);
        this.#earlier.set(key, consumer.latency);
        if (earlier !== undefined) this.#recent.set(key, consumer.latency.since(earlier));
      }
    }
  }

  /** What a consumer was handed between the last two looks; empty at its first one. */
  of(channel: WatchedChannel, consumer: WatchedConsumer): LatencyHistogram {
    return this.#recent.get(keyOf(channel, consumer)) ?? NONE;
  }

  /** The slowest consumer's of a channel; empty if none was handed anything. */
  slowestOf(channel: WatchedChannel): LatencyHistogram {
    return channel.consumers.map((consumer) => this.of(channel, consumer))
      .reduce((slowest, one) => one.percentile(99) > slowest.percentile(99) ? one : slowest, NONE);
  }
}

const NONE = new LatencyHistogram();

function keyOf({ name, createdMs }: WatchedChannel, consumer: WatchedConsumer): string {
  return `${name} ${createdMs} ${consumer.index} ${consumer.pid} ${consumer.name}`;
}

/**
 * Collects an exchange's live streams.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import type { Counters } from "../../observability/counters.ts";
import type { BackOffOptions } from "./back_off.ts";
import type { CollectorDefinitions } from "./collector_counters.ts";
import { BinanceFeed, type FeedCounts, type FeedTimes } from "../binance/binance_feed.ts";
import type { BinanceRest, RestCounts } from "../binance/binance_rest.ts";
import { BookSync } from "../book/book_sync.ts";
import { type CollectedMarket, Collector, type CollectorCounts } from "./collector.ts";
import { WallClock } from "./wall_clock.ts";

/** The streams of each instrument, unless told otherwise. */
export const BINANCE_STREAMS = ["trade", "depth@100ms", "bookTicker"] as const;

/** At the end, records that wait for room are given up after this. Arbitrary. */
const LAST_ROOM_MS = 1_000;

/** What a {@linkcode LiveCollector} needs. */
export interface LiveCollectorOptions {
  /** Where streams are, such as `"wss://stream.binance.com:9443"`. */
  readonly url: string;
  /** Where snapshots are. */
  readonly rest: BinanceRest;
  /** What is collected, and into which channels. */
  readonly markets: readonly CollectedMarket[];
  /** Names of streams, without the instrument. Default: {@linkcode BINANCE_STREAMS}. */
  readonly streams?: readonly string[];
  /** Between two snapshots for consumers that come later; 0 = where needed. Default: 60,000. */
  readonly refreshMs?: number;
  /** Between snapshots that did not help. Default: 500 ms to 30,000 ms. */
  readonly backOff?: BackOffOptions;
  /** See {@linkcode FeedTimes}. */
  readonly times?: FeedTimes;
  /** Told what is not as it should be, once for each cause. */
  readonly onTrouble?: (cause: string, detail: string) => void;
  /** Where it counts. Default: nowhere. */
  readonly counters?: Counters<CollectorDefinitions>;
}

/** What a {@linkcode LiveCollector} has been through. */
export interface LiveCounts {
  /** Connections. */
  feed: FeedCounts;
  /** Snapshots asked for. */
  rest: RestCounts;
  /** Messages and their records. */
  collector: CollectorCounts;
  /** Times that a book had missed an update, or began without one. */
  resyncs: number;
}

/**
 * Publishes trades, depth updates and book tickers as they come, and a snapshot whenever a consumer
 * of the channel needs one: at the start, after a gap, and at fixed intervals.
 *
 * What the exchange sends is never fatal: it is counted, and told once for each cause. Consumers
 * see a gap by the update ids, and are in step again with the snapshot that follows.
 *
 * Thread: one. Cost: some microseconds a message; see {@linkcode BinanceFeed}.
 *
 * @example The book of an exchange, through a channel
 * ```ts
 * import { createChannel, openConsumer, openProducer, removeChannel } from "message_transport";
 * import * as market from "message_transport/market";
 * import { FakeExchange } from "../fake_exchange/fake_exchange.ts";
 *
 * {
 *   await using exchange = await FakeExchange.start();
 *   using channel = createChannel("doc.live", { sizeBytes: "1MB" });
 *   const consumer = openConsumer(channel);
 *   const instrument = { id: 1, symbol: "BTCUSDT", priceDecimals: 2, quantityDecimals: 5 };
 *   const collector = new market.LiveCollector({
 *     url: exchange.url,
 *     rest: new market.BinanceRest({ url: exchange.restUrl, market: "spot" }),
 *     markets: [{ instrument, producer: openProducer(channel) }],
 *   });
 *   const running = collector.run();
 *   const book = new market.OrderBook(instrument.id);
 *   while (!book.isInStep) {
 *     await consumer.wait();
 *     consumer.poll(({ view, offset }) => {
 *       const kind = market.messageKind(view, offset);
 *       if (kind === market.KIND_ORDER_BOOK_DELTA) book.apply(view, offset);
 *     });
 *   }
 *   collector.stop();
 *   await running;
 * }
 * removeChannel("doc.live");
 * ```
 */
export class LiveCollector {
  readonly #collector: Collector;
  readonly #feed: BinanceFeed;
  readonly #rest: BinanceRest;
  readonly #syncs = new Map<number, BookSync>();
  readonly #clock = new WallClock();
  readonly #life = new AbortController();
  readonly #failed = Promise.withResolvers<never>();
  readonly #counters: Counters<CollectorDefinitions> | undefined;

  /**
   * Connects to nothing yet.
   *
   * @throws {TypeError} If the address is none.
   */
  constructor(options: LiveCollectorOptions) {
    const { url, markets, streams = BINANCE_STREAMS, times = {} } = options;
    const onTrouble = onceForEach(options.onTrouble ?? (() => {}));
    this.#rest = options.rest;
    this.#counters = options.counters;
    this.#collector = new Collector(markets, {
      onRecord: (id, view, offset) => this.#syncs.get(id)!.see(view, offset),
      onDropped: (cause, message) => onTrouble(cause, message.slice(0, 200)),
      publishTime: options.counters?.values.publishTime,
    });
    this.#feed = new BinanceFeed({
      url,
      streams: markets.flatMap(({ instrument }) =>
        streams.map((stream) => `${instrument.symbol.toLowerCase()}@${stream}`)
      ),
      handler: this.#collector,
      times,
      onTrouble,
    });
    for (const { instrument: { id, symbol } } of markets) {
      this.#syncs.set(
        id,
        new BookSync({
          instrumentId: id,
          publishSnapshot: (signal) => this.#publishSnapshot(symbol, signal),
          refreshMs: options.refreshMs ?? 60_000,
          backOff: options.backOff ?? { minMs: 500, maxMs: 30_000 },
          signal: this.#life.signal,
          onFailure: this.#failed.reject,
        }),
      );
    }
  }

  /** What it has been through so far. */
  get counts(): LiveCounts {
    const resyncs = this.#syncs.values().reduce((sum, sync) => sum + sync.resyncs, 0);
    return {
      feed: { ...this.#feed.counts },
      rest: { ...this.#rest.counts },
      collector: this.#collector.counts,
      resyncs,
    };
  }

  /** Tells what it has been through since the last time. For whoever looks now and then. */
  tellCounts(): void {
    const { feed, rest, collector, resyncs } = this.counts;
    const { messages: _, ...connections } = feed;
    const { requests: restRequests, limited: restLimited, failed: restFailed } = rest;
    this.#counters?.update({
      ...collector,
      ...connections,
      ...{ resyncs, restRequests, restLimited, restFailed },
    });
  }

  /** Whether a consumer that has seen everything has the right book of an instrument. */
  isInStep(instrumentId: number): boolean {
    return this.#syncs.get(instrumentId)?.book.isInStep ?? false;
  }

  /**
   * Collects until {@linkcode LiveCollector.stop}. Call it once.
   *
   * @throws {Error} If a channel cannot be written any more, or the exchange knows no such
   * instrument.
   */
  async run(): Promise<void> {
    const running = this.#feed.run();
    try {
      await Promise.race([running, this.#failed.promise]);
    } finally {
      this.stop();
      await running;
    }
    await this.#giveLastRoom();
  }

  /** Ends it: `run` resolves. May be repeated. */
  stop(): void {
    this.#life.abort();
    this.#feed.stop();
  }

  async #giveLastRoom(): Promise<void> {
    const room = this.#collector.room();
    if (room === undefined) return;
    const over = new AbortController();
    const { signal } = over;
    const patience = setTimeout(LAST_ROOM_MS, undefined, { signal }).catch(() => {});
    await Promise.race([room, patience]).finally(() => over.abort());
  }

  async #publishSnapshot(symbol: string, signal: AbortSignal): Promise<void> {
    const json = await this.#rest.snapshot(symbol, signal);
    await this.#collector.room();
    signal.throwIfAborted();
    this.#collector.take(json, this.#clock.nowUs(), symbol);
    await this.#collector.room();
  }
}

function onceForEach(
  tell: (cause: string, detail: string) => void,
): (cause: string, detail: string) => void {
  const told = new Set<string>();
  return (cause, detail) => {
    if (told.has(cause)) return;
    told.add(cause);
    tell(cause, detail);
  };
}

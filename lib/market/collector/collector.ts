/**
 * From an exchange's messages to the channels of its instruments.
 *
 * @module
 */

import type { Producer } from "../../channel/producer.ts";
import { monotonicNs } from "../../native/clock.ts";
import type { Timer } from "../../observability/counters.ts";
import { type BinanceCounts, BinanceNormaliser, type RecordSink } from "../binance/binance.ts";
import { DuplicateFilter } from "./duplicate_filter.ts";
import type { Instrument } from "../instruments.ts";
import { RingSink } from "./ring_sink.ts";

/** An instrument and where its records go. */
export interface CollectedMarket {
  /** Ids and scales of its records. */
  readonly instrument: Instrument;
  /** Writes them; with `view: true` in the ring's own memory. */
  readonly producer: Producer;
}

/** What a {@linkcode Collector} may be told. */
export interface CollectorOptions {
  /** Shown each record that is new, before it is published. */
  readonly onRecord?: (instrumentId: number, view: DataView, offset: number) => void;
  /** Told of messages that are dropped, once for each cause. */
  readonly onDropped?: (cause: string, message: string) => void;
  /** Where it is counted how long messages take; every eighth is measured. */
  readonly publishTime?: Timer | undefined;
}

/** What a {@linkcode Collector} has done: messages by what became of them, and their records. */
export interface CollectorCounts extends BinanceCounts {
  /** Records given back because the same had come before. */
  duplicates: number;
  /** Bytes of all records. */
  bytes: number;
}

type DropCause = "malformed" | "unknown" | "incomplete" | "inexact" | "unknownInstrument";

const DROP_CAUSES: readonly DropCause[] = [
  ...(["malformed", "unknown", "incomplete", "inexact", "unknownInstrument"] as const),
];

/** Messages of which one is measured: two readings of the clock cost as much as a short one. */
const MEASURED_EVERY = 8;

/**
 * Normalises messages and publishes what they say, each into its instrument's channel.
 *
 * Loses nothing: where a ring is full, the rest of the message waits beside it, and
 * {@linkcode Collector.room} says when it has been sent. Nothing may be brought before: only so is
 * memory bounded.
 *
 * Thread: one. Cost: that of the normaliser; nothing is allocated but for dropped messages.
 *
 * @example A trade into a channel
 * ```ts
 * import { Collector, Trade } from "message_transport/market";
 * import { createChannel, openConsumer, openProducer, removeChannel } from "message_transport";
 * import { assertEquals } from "@std/assert";
 *
 * {
 *   using channel = createChannel("doc.btcusdt", { sizeBytes: "64KB" });
 *   const consumer = openConsumer(channel);
 *   const instrument = { id: 1, symbol: "BTCUSDT", priceDecimals: 2, quantityDecimals: 5 };
 *   const collector = new Collector([{ instrument, producer: openProducer(channel) }]);
 *   collector.take(
 *     '{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":7,"p":"61837.63","q":"0.02",' +
 *       '"T":1723161255342,"m":true,"M":true}',
 *     1_723_161_255_344_000,
 *   );
 *   const trade = Trade.accessor();
 *   const prices: number[] = [];
 *   consumer.poll(({ view, offset }) => prices.push(trade.wrap(view, offset).price));
 *   assertEquals(prices, [6_183_763]);
 * }
 * removeChannel("doc.btcusdt");
 * ```
 */
export class Collector {
  readonly #sinks = new MarketSinks();
  readonly #normaliser: BinanceNormaliser;
  readonly #filters: DuplicateFilter[] = [];
  readonly #onDropped: (cause: string, message: string) => void;
  readonly #publishTime: Timer | undefined;
  readonly #causesTold = new Set<DropCause>();

  /** Collects these instruments and no others. */
  constructor(markets: readonly CollectedMarket[], options: CollectorOptions = {}) {
    const { onRecord, onDropped = () => {}, publishTime } = options;
    this.#onDropped = onDropped;
    this.#publishTime = publishTime;
    const instruments = new Map<string, Instrument>();
    for (const { instrument, producer } of markets) {
      instruments.set(instrument.symbol, instrument);
      const filter = new DuplicateFilter();
      this.#filters.push(filter);
      const accepts = (view: DataView, offset: number) => {
        const isNew = filter.isNew(view, offset);
        if (isNew) onRecord?.(instrument.id, view, offset);
        return isNew;
      };
      this.#sinks.add(instrument.id, new RingSink(producer, accepts));
    }
    this.#normaliser = new BinanceNormaliser({
      sink: this.#sinks,
      instruments: { find: (symbol) => instruments.get(symbol) },
    });
  }

  /** What it has done so far. */
  get counts(): CollectorCounts {
    const duplicates = this.#filters.reduce((sum, filter) => sum + filter.duplicates, 0);
    return { ...this.#normaliser.counts, duplicates, bytes: this.#sinks.bytes };
  }

  /**
   * Takes a message.
   *
   * @param text As it came.
   * @param receiveUs When it came, in whole microseconds since 1970.
   * @param symbol Whose it is, where it does not say: a REST snapshot.
   * @returns How many records it became.
   * @throws {Error} If a channel cannot be written any more; see {@linkcode Producer.tryClaim}.
   */
  take(text: string, receiveUs: number, symbol = ""): number {
    const isMeasured = this.#publishTime !== undefined &&
      this.#normaliser.counts.messages % MEASURED_EVERY === 0;
    const beginNs = isMeasured ? monotonicNs() : 0;
    const records = this.#normaliser.normalise(text, receiveUs, symbol);
    if (isMeasured) this.#publishTime.record(monotonicNs() - beginNs);
    if (records === 0) this.#tellDropped(text);
    return records;
  }

  /**
   * Returns what to wait for before the next message; undefined to go on at once.
   *
   * @throws {ChannelClosedError} Through the promise, if the channel was closed meanwhile.
   */
  room(): Promise<void> | undefined {
    return this.#sinks.room();
  }

  #tellDropped(text: string): void {
    if (this.#causesTold.size === DROP_CAUSES.length) return;
    const { counts } = this.#normaliser;
    for (const cause of DROP_CAUSES) {
      if (counts[cause] === 0 || this.#causesTold.has(cause)) continue;
      this.#causesTold.add(cause);
      this.#onDropped(cause, text);
    }
  }
}

/** The sinks of all instruments as one. */
class MarketSinks implements RecordSink {
  view: DataView = new DataView(new ArrayBuffer(0));
  offset = 0;
  readonly #byId = new Map<number, RingSink>();
  #last: RingSink | undefined;
  #lastId = 0;

  add(instrumentId: number, sink: RingSink): void {
    this.#byId.set(instrumentId, sink);
  }

  get bytes(): number {
    return this.#byId.values().reduce((sum, { bytes }) => sum + bytes, 0);
  }

  claim(sizeBytes: number, instrumentId: number): boolean {
    if (instrumentId !== this.#lastId) {
      this.#lastId = instrumentId;
      this.#last = this.#byId.get(instrumentId);
    }
    const sink = this.#last!; // The normaliser knows no other instruments.
    sink.claim(sizeBytes);
    this.view = sink.view;
    this.offset = sink.offset;
    return true;
  }

  publish(): void {
    this.#last!.publish();
  }

  room(): Promise<void> | undefined {
    let behind: Promise<void>[] | undefined;
    for (const sink of this.#byId.values()) {
      if (sink.isBehind) (behind ??= []).push(sink.catchUp());
    }
    return behind && Promise.all(behind).then(() => {});
  }
}

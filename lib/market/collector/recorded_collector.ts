/**
 * Collects a recording, as if it came from the exchange.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import type { Counters } from "../../observability/counters.ts";
import type { CollectorDefinitions } from "./collector_counters.ts";
import { type CollectedMarket, Collector, type CollectorCounts } from "./collector.ts";
import { KIND_ORDER_BOOK_DELTA, messageKind, OrderBookDelta } from "../layouts.ts";
import { Pacer } from "../pacer.ts";
import {
  newRecordingCounts,
  readRecording,
  type RecordedMessage,
  type RecordingCounts,
} from "./recording.ts";

/** What a {@linkcode RecordedCollector} needs. */
export interface RecordedCollectorOptions {
  /** The recording; see {@linkcode readRecording}. */
  readonly source: string | URL | ReadableStream<Uint8Array>;
  /** What is collected, and into which channels. */
  readonly markets: readonly CollectedMarket[];
  /** How many times the recorded speed it goes; 0 = as fast as possible. Default: 0. */
  readonly pace?: number;
  /** Told of messages that are dropped, once for each cause. */
  readonly onTrouble?: (cause: string, detail: string) => void;
  /** Where it counts. Default: nowhere. */
  readonly counters?: Counters<CollectorDefinitions>;
}

/** What a {@linkcode RecordedCollector} has done. */
export interface RecordedCounts {
  /** Lines. */
  recording: RecordingCounts;
  /** Messages and their records. */
  collector: CollectorCounts;
}

/** Messages between two turns of the event loop, in which it hears its end: about a millisecond. */
const MESSAGES_PER_TURN = 1_024;

/** What a snapshot is known by before it is parsed, and its id. */
const SNAPSHOT_ID = /"lastUpdateId"\s*:\s*(\d+)/;

/** Publishes what a recording says. The snapshots that consumers need are in the recording. */
export class RecordedCollector {
  readonly #options: RecordedCollectorOptions;
  readonly #collector: Collector;
  readonly #recording = newRecordingCounts();
  readonly #life = new AbortController();
  readonly #delta = OrderBookDelta.accessor();
  /** Update id that was seen last, by instrument. */
  readonly #updateIds = new Map<number, number>();
  /** Snapshots that may be anybody's yet. */
  #early: RecordedMessage[] = [];

  /** Reads nothing yet. */
  constructor(options: RecordedCollectorOptions) {
    this.#options = options;
    const { onTrouble = () => {} } = options;
    this.#collector = new Collector(options.markets, {
      onRecord: (instrumentId, view, offset) => {
        if (messageKind(view, offset) !== KIND_ORDER_BOOK_DELTA) return;
        this.#updateIds.set(instrumentId, this.#delta.wrap(view, offset).lastUpdateId);
      },
      onDropped: (cause, message) => onTrouble(cause, message.slice(0, 200)),
      publishTime: options.counters?.values.publishTime,
    });
  }

  /** What it has done so far. */
  get counts(): RecordedCounts {
    return { recording: { ...this.#recording }, collector: this.#collector.counts };
  }

  /** Tells what it has done since the last time. For whoever looks now and then. */
  tellCounts(): void {
    this.#options.counters?.update(this.#collector.counts);
  }

  /**
   * Collects to the end of the recording, or until {@linkcode RecordedCollector.stop}. Call once.
   *
   * @throws {Error} If a channel cannot be written any more, or the recording cannot be read.
   */
  async run(): Promise<void> {
    const { source, pace = 0 } = this.#options;
    const { signal } = this.#life;
    const pacer = new Pacer(pace);
    try {
      for await (const message of readRecording(source, this.#recording)) {
        if (pace > 0) await pacer.wait(message.receiveUs, signal);
        this.#take(message);
        await this.#room();
        if (this.#recording.messages % MESSAGES_PER_TURN === 0) await setImmediate();
        signal.throwIfAborted();
      }
      this.#releaseEarly();
      await this.#room();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Ends it: `run` resolves. May be repeated. */
  stop(): void {
    this.#life.abort();
  }

  async #room(): Promise<void> {
    const room = this.#collector.room();
    if (room === undefined) return;
    const { signal } = this.#life;
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    try {
      await Promise.race([room, promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #take(message: RecordedMessage): void {
    const { json, receiveUs } = message;
    if (this.#early.length > 0 && this.#isEachSeen) this.#releaseEarly();
    if (!json.includes('lastUpdateId"')) this.#collector.take(json, receiveUs);
    else if (this.#isEachSeen) this.#takeSnapshot(message);
    else this.#early.push(message);
  }

  get #isEachSeen(): boolean {
    const { markets } = this.#options;
    return markets.length === 1 || this.#updateIds.size === markets.length;
  }

  #releaseEarly(): void {
    const early = this.#early;
    this.#early = [];
    for (const message of early) this.#takeSnapshot(message);
  }

  /**
   * A snapshot does not say whose it is. It is that of the instrument whose updates are nearest to
   * its id: each book of an exchange counts for itself, so they are far apart.
   */
  #takeSnapshot({ json, receiveUs }: RecordedMessage): void {
    const updateId = Number(SNAPSHOT_ID.exec(json)?.[1] ?? 0);
    const distance = ({ instrument }: CollectedMarket) =>
      Math.abs((this.#updateIds.get(instrument.id) ?? Infinity) - updateId);
    const { markets } = this.#options;
    const { instrument } = markets.reduce((nearest, market) =>
      distance(market) < distance(nearest) ? market : nearest
    );
    this.#collector.take(json, receiveUs, instrument.symbol);
  }
}

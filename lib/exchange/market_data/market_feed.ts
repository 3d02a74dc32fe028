/**
 * Market data of all instruments, made from engine events and from exchanges' feeds.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import type { Message } from "../../channel/record.ts";
import type { Accessor } from "../../channel/schema.ts";
import type { Instrument } from "../../market/instruments.ts";
import type { Timer } from "../../observability/counters.ts";
import { imageOf, readFeed } from "./feed_snapshot.ts";
import { type Hop, HopLatencies } from "./hop_latencies.ts";
import { InstrumentFeed } from "./instrument_feed.ts";
import {
  type ENGINE_EVENT_FIELDS,
  EngineEvent,
  EVENT_BOOK_CHANGED,
  EVENT_LAST,
  KIND_ACCEPTED,
  KIND_DUPLICATE,
  KIND_TRADED,
  SIDE_BUY,
  SIDE_SELL,
} from "../orders.ts";
import { snapshotParts } from "../snapshot_rows.ts";

/** Who knows instruments: `Instruments` of `message_transport/market`, or a stand-in. */
export interface InstrumentDirectory {
  /** Returns the instrument of an id, or undefined. */
  at(id: number): Instrument | undefined;
  /** Returns all, in the order of their ids. */
  all(): Instrument[];
}

/** A message of a channel: what a feed needs of it. */
export type FeedMessage = Pick<Message, "view" | "offset" | "length" | "sequence">;

/** What a feed has taken since it was made. */
export interface FeedCounts {
  /** Messages that were applied. */
  events: number;
  /** Trades among them. */
  trades: number;
  /** Messages that are none of the layout's: they changed nothing. */
  malformed: number;
  /** Messages of an instrument that nobody knows: they changed nothing. */
  unknownInstrument: number;
}

/**
 * Keeps the books and trades of all instruments in step with what the channels tell.
 *
 * The bytes that it is given may be anything: what is no sound message is counted, and makes the
 * books incomplete where it may have been a change of one.
 *
 * Thread: its isolate's only. Cost of an event: under a microsecond, a search in the book included.
 *
 * @example A book out of events
 * ```ts
 * import { EngineEvent, EVENT_BOOK_CHANGED, KIND_BOOKED, MarketFeed, SIDE_BUY } from
 *   "message_transport/exchange";
 * import { assertEquals } from "@std/assert";
 *
 * const bitcoin = { id: 1, symbol: "BTC-USD", priceDecimals: 2, quantityDecimals: 8 };
 * const feed = new MarketFeed({ at: () => bitcoin, all: () => [bitcoin] });
 *
 * const view = new DataView(new ArrayBuffer(EngineEvent.sizeBytes));
 * Object.assign(EngineEvent.accessor().wrap(view, 0), {
 *   ...{ kind: KIND_BOOKED, side: SIDE_BUY, instrumentId: 1, eventNumber: 1 },
 *   ...{ price: 100_25, levelQuantity: 50_000_000, flags: EVENT_BOOK_CHANGED },
 * });
 * feed.applyEvent({ view, offset: 0, length: view.byteLength, sequence: 1 });
 * assertEquals(feed.market("BTC-USD")?.bids.price(0), 100_25);
 * ```
 */
export class MarketFeed {
  /** Names this run of the feed: sequences of another one are not comparable with its own. */
  readonly epoch: string = randomUUID().slice(0, 8);
  /** How long messages took on their way here. */
  readonly latencies: HopLatencies;
  /** What was taken. */
  readonly counts: FeedCounts = { events: 0, trades: 0, malformed: 0, unknownInstrument: 0 };
  readonly #directory: InstrumentDirectory;
  readonly #clockOffsetMs: number;
  readonly #byId: (InstrumentFeed | undefined)[] = [];
  readonly #bySymbol = new Map<string, InstrumentFeed>();
  /** Markets whose books come from an exchange: no engine event may touch them. */
  readonly #foreign = new Set<InstrumentFeed>();
  readonly #event: Accessor<typeof ENGINE_EVENT_FIELDS> = EngineEvent.accessor();
  #sequence = 0;
  #isComplete = true;
  /** Whether events of an unknown instrument were passed over: its book lacks them for good. */
  #hasUnknown = false;

  /**
   * Makes an empty one, with a book for each instrument that is known now; others come later.
   *
   * @param clockOffsetMs What to add to `monotonicNs() / 1e6` for milliseconds since 1970. Without
   *     it, trades have no time.
   * @param timers Where latencies are counted: nowhere without it, and the stats have none.
   */
  constructor(
    directory: InstrumentDirectory,
    options: { clockOffsetMs?: number; timers?: Record<Hop, Timer> } = {},
  ) {
    this.latencies = new HopLatencies(options.timers);
    this.#directory = directory;
    this.#clockOffsetMs = options.clockOffsetMs ?? NaN;
    for (const instrument of directory.all()) this.#add(instrument);
  }

  /** All markets, in the order of their instruments. */
  get markets(): Iterable<InstrumentFeed> {
    return this.#bySymbol.values();
  }

  /** Sequence of the last engine event; 0 before the first. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Whether no engine event is missing, from the first one on. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Returns the market of a symbol, or undefined where there is no such instrument. */
  market(symbol: string): InstrumentFeed | undefined {
    return this.#bySymbol.get(symbol);
  }

  /** Returns the market of an instrument's id, or undefined. */
  marketAt(id: number): InstrumentFeed | undefined {
    const known = this.#byId[id];
    if (known !== undefined) return known;
    const instrument = this.#directory.at(id);
    return instrument === undefined ? undefined : this.#add(instrument);
  }

  /**
   * Returns the market of an instrument that an exchange's feed is to fill, from now on alone.
   *
   * @throws {RangeError} If there is no such instrument.
   */
  foreignMarket(symbol: string): InstrumentFeed {
    const market = this.#bySymbol.get(symbol);
    if (market === undefined) {
      throw new RangeError(`Cannot follow "${symbol}" as an instrument: found none of that symbol`);
    }
    this.#foreign.add(market);
    market.markIncomplete(); // Until the first snapshot of the exchange.
    return market;
  }

  /**
   * Takes one engine event.
   *
   * @param message As a consumer gives it; nothing of it is kept.
   * @param nowNs When it was received, by `monotonicNs()`; 0 for one whose age says nothing.
   */
  applyEvent(message: FeedMessage, nowNs = 0): void {
    const { view, offset, length, sequence } = message;
    if (sequence !== this.#sequence + 1) this.markIncomplete();
    this.#sequence = sequence;
    try {
      const event = this.#event.wrap(view, offset, length);
      if (!this.#apply(event, sequence)) return this.#refuse();
      if (nowNs > 0 && (event.flags & EVENT_LAST) !== 0) this.latencies.record(event, nowNs);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error; // Too short, or a number above 2^53 - 1.
      this.#refuse();
    }
  }

  /** Says that engine events are missing, so that any of their books may be wrong. */
  markIncomplete(): void {
    if (!this.#isComplete) return;
    this.#isComplete = false;
    for (const market of this.markets) {
      if (!this.#foreign.has(market)) market.markIncomplete();
    }
  }

  /**
   * Returns what it knows of engine events, part by part, as a checkpoint takes it: an image of
   * now, whatever is applied while it is read. About 16 bytes for each level and 40 for each trade
   * that is kept. What comes from exchanges is not in it.
   */
  image(): Iterable<Uint8Array<ArrayBuffer>> {
    const markets = [...this.markets].filter((market) => !this.#foreign.has(market));
    const [sequence, isComplete, hasUnknown] = [this.#sequence, this.#isComplete, this.#hasUnknown];
    return snapshotParts(imageOf({ sequence, isComplete, hasUnknown, markets }));
  }

  /**
   * Goes on where another feed was. Assumes that no event was applied yet. Changes nothing where it
   * throws.
   *
   * @param image All bytes of its image, one behind the other.
   * @throws {CorruptSnapshotError} If they are damaged, or none of a feed, or of another version.
   * @throws {TypeError} If they have an instrument that is unknown, or has other decimals by now.
   *
   * @example A feed that goes on
   * ```ts
   * import { MarketFeed } from "message_transport/exchange";
   * import { assertEquals } from "@std/assert";
   *
   * const bitcoin = { id: 1, symbol: "BTC-USD", priceDecimals: 2, quantityDecimals: 8 };
   * const directory = { at: () => bitcoin, all: () => [bitcoin] };
   * const image = new Blob([...new MarketFeed(directory).image()]);
   *
   * const feed = new MarketFeed(directory);
   * feed.restore(await image.bytes());
   * assertEquals([feed.sequence, feed.isComplete], [0, true]);
   * ```
   */
  restore(image: Uint8Array): void {
    const state = readFeed(image, (id) => this.#directory.at(id));
    this.#sequence = state.sequence;
    this.#hasUnknown = state.hasUnknown;
    if (state.hasUnknown || !state.isComplete) this.markIncomplete(); // Markets that came later.
    this.#isComplete = state.isComplete;
    for (const kept of state.markets) {
      const market = this.marketAt(kept.instrument.id)!;
      if (!this.#foreign.has(market)) market.restore(kept);
    }
  }

  /** Returns false for what is no sound event. */
  #apply(event: Accessor<typeof ENGINE_EVENT_FIELDS>, sequence: number): boolean {
    const { kind, side, instrumentId, flags, eventNumber } = event;
    if (kind < KIND_ACCEPTED || kind > KIND_DUPLICATE || eventNumber !== sequence) return false;
    const isTrade = kind === KIND_TRADED;
    const isChange = (flags & EVENT_BOOK_CHANGED) !== 0;
    if (isTrade || isChange) {
      const { price, quantity, levelQuantity } = event;
      if (side !== SIDE_BUY && side !== SIDE_SELL || price <= 0) return false;
      if (isTrade && quantity <= 0 || isChange && levelQuantity < 0) return false;
      const market = this.marketAt(instrumentId);
      if (market === undefined) {
        this.counts.unknownInstrument++;
        this.#hasUnknown = true;
        return true;
      }
      if (this.#foreign.has(market)) return false;
      // The level of a trade is the maker's: on the other side than the taker.
      const levelSide = isTrade ? SIDE_BUY + SIDE_SELL - side : side;
      if (isChange) market.setLevel(levelSide, price, levelQuantity);
      if (isTrade) {
        const timeMs = Math.round(event.engineTimeNs / 1e6 + this.#clockOffsetMs);
        market.addTrade({ sequence, price, quantity, side, timeMs: timeMs > 0 ? timeMs : 0 });
        this.counts.trades++;
      }
      market.advance(sequence);
    }
    this.counts.events++;
    return true;
  }

  #refuse(): void {
    this.counts.malformed++;
    this.markIncomplete();
  }

  #add(instrument: Instrument): InstrumentFeed {
    const market = new InstrumentFeed(instrument, this.#isComplete && !this.#hasUnknown);
    this.#byId[instrument.id] = market;
    this.#bySymbol.set(instrument.symbol, market);
    return market;
  }
}

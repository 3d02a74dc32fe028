/**
 * One instrument of the fake exchange: what happens to it, and its true book at any update id.
 *
 * @module
 */

import { MarketModel, type ModelSide } from "./market_model.ts";

/** Price and quantity as the exchange writes them. */
export type FakeLevel = [price: string, quantity: string];

/** A book as it truly was, best levels first. */
export interface TrueBook {
  /** Highest price first. */
  readonly bids: FakeLevel[];
  /** Lowest price first. */
  readonly asks: FakeLevel[];
}

/** Something that is sent to whoever subscribes to its stream. */
export interface FakeEvent {
  /** Such as `"btcusdt@trade"`. */
  readonly stream: string;
  /** The event, without the combined stream's wrapping. */
  readonly json: string;
}

/** Binance's `@depth@100ms`, in market time. */
const DEPTH_INTERVAL_US = 100_000;

/** Changes that are remembered at least. Arbitrary: a minute and a half at 1,000 a second. */
const CHANGES_KEPT = 100_000;

/** How old a stale snapshot is, in changes of the book. Arbitrary: some depth updates. */
const STALE_CHANGES = 500;

interface Change {
  readonly updateId: number;
  readonly better: 1 | -1;
  readonly tick: number;
  readonly quantity: number;
}

/** A market and its past. */
export class FakeInstrument {
  /** Such as `"BTCUSDT"`. */
  readonly symbol: string;
  readonly #model: MarketModel;
  readonly #isFutures: boolean;
  /** The book before the first change that is remembered. */
  #bids: ModelSide;
  #asks: ModelSide;
  #changes: Change[] = [];
  #nextDepthUs: number;
  /** Whether something has changed since the last depth update. */
  #hasChanged = false;

  /** Its market begins at `timeUs`. */
  constructor(symbol: string, seed: number, { timeUs, isFutures }: FakeInstrumentOptions) {
    this.symbol = symbol;
    this.#isFutures = isFutures;
    this.#nextDepthUs = timeUs + DEPTH_INTERVAL_US;
    const model = new MarketModel({
      seed,
      symbol,
      onChange: ({ better }, tick, quantity) => {
        this.#changes.push({ updateId: model.updateId, better, tick, quantity });
      },
    });
    this.#model = model;
    this.#bids = model.bids.copy();
    this.#asks = model.asks.copy();
  }

  /** Id of the last change of the book. */
  get updateId(): number {
    return this.#model.updateId;
  }

  /** Lets one thing happen at a time in microseconds since 1970. Returns what is to be sent. */
  step(timeUs: number): FakeEvent[] {
    const model = this.#model;
    const events: FakeEvent[] = [];
    const name = this.symbol.toLowerCase();
    const emit = (stream: string, json: string | undefined) => {
      if (json !== undefined) events.push({ stream: `${name}@${stream}`, json });
    };
    if (timeUs >= this.#nextDepthUs && this.#hasChanged) {
      emit("depth@100ms", model.takeDepth(timeUs, this.#isFutures));
      this.#nextDepthUs = timeUs + DEPTH_INTERVAL_US;
      this.#hasChanged = false;
    }
    emit("trade", model.step(timeUs));
    const ticker = model.takeTicker();
    const timeMs = Math.floor(timeUs / 1000);
    const head = this.#isFutures ? `{"e":"bookTicker","E":${timeMs},"T":${timeMs},` : "{";
    emit("bookTicker", ticker && head + ticker.slice(1));
    this.#hasChanged = true;
    if (this.#changes.length >= 2 * CHANGES_KEPT) this.#forget(CHANGES_KEPT);
    return events;
  }

  /** The answer of REST `depth`: the book now, or as it was some depth updates ago. */
  snapshot(limit: number, isStale: boolean): string {
    if (!isStale) return this.#model.snapshot(limit);
    const index = Math.max(0, this.#changes.length - STALE_CHANGES);
    const updateId = (this.#changes[index]?.updateId ?? this.updateId + 1) - 1;
    const { bids, asks } = this.bookAt(updateId);
    return JSON.stringify({
      lastUpdateId: updateId,
      bids: bids.slice(0, limit),
      asks: asks.slice(0, limit),
    });
  }

  /**
   * The whole book as it was after the change of an update id.
   *
   * @throws {RangeError} If that is longer ago than is remembered, or has not happened.
   */
  bookAt(updateId: number): TrueBook {
    const first = this.#changes[0]?.updateId ?? this.updateId + 1;
    if (!(updateId >= first - 1 && updateId <= this.updateId)) {
      throw new RangeError(
        `Cannot tell the book of "${this.symbol}" at ${updateId}: ` +
          `expected ${first - 1} to ${this.updateId}`,
      );
    }
    const [bids, asks] = [this.#bids.copy(), this.#asks.copy()];
    for (const change of this.#changes) {
      if (change.updateId > updateId) break;
      (change.better > 0 ? bids : asks).set(change.tick, change.quantity);
    }
    return { bids: levelsOf(bids), asks: levelsOf(asks) };
  }

  #forget(count: number): void {
    for (const { better, tick, quantity } of this.#changes.splice(0, count)) {
      (better > 0 ? this.#bids : this.#asks).set(tick, quantity);
    }
  }
}

/** What a {@linkcode FakeInstrument} begins with. */
export interface FakeInstrumentOptions {
  /** When its market begins, in microseconds since 1970. */
  readonly timeUs: number;
  /** Whether its depth updates are those of futures: ids have holes, and `pu` tells the last. */
  readonly isFutures: boolean;
}

function levelsOf(side: ModelSide): FakeLevel[] {
  return JSON.parse(`[${side.levelsText(side.ticks())}]`);
}

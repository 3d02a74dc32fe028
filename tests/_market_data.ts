/**
 * What the tests of market data share: made-up engine events, a feed, and a client's view of it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  EngineEvent,
  EVENT_BOOK_CHANGED,
  EVENT_LAST,
  type Hop,
  KIND_BOOKED,
  KIND_TRADED,
  MarketFeed,
  SIDE_BUY,
  SIDE_SELL,
} from "../lib/exchange/mod.ts";
import type { Instrument } from "../lib/market/mod.ts";
import type { Timer } from "../lib/observability/mod.ts";

/** Two instruments of different scales; the second's symbol has to be escaped everywhere. */
export const INSTRUMENTS: Instrument[] = [
  { id: 1, symbol: "BTC-USD", priceDecimals: 2, quantityDecimals: 4 },
  { id: 2, symbol: 'ÄTH/"X"', priceDecimals: 0, quantityDecimals: 0 },
];

/** Makes a feed of {@linkcode INSTRUMENTS}. */
export function makeFeed(
  instruments: Instrument[] = INSTRUMENTS,
  timers?: Record<Hop, Timer>,
): MarketFeed {
  const directory = { at: (id: number) => instruments[id - 1], all: () => instruments };
  return new MarketFeed(directory, timers === undefined ? {} : { timers });
}

/** What happens to a market. */
export interface Happening {
  instrumentId: number;
  kind: "level" | "trade";
  side: "buy" | "sell";
  price: number;
  quantity: number;
  /** Resting at the price afterwards. */
  levelQuantity: number;
}

const bytes = new DataView(new ArrayBuffer(EngineEvent.sizeBytes));
const event = EngineEvent.accessor().wrap(bytes, 0);

/** Writes an engine event, and returns its bytes, which are used again by the next call. */
export function encodeEvent(happening: Happening, sequence: number, times = {}): Uint8Array {
  const { instrumentId, kind, side, price, quantity, levelQuantity } = happening;
  new Uint8Array(bytes.buffer).fill(0);
  Object.assign(event, {
    kind: kind === "trade" ? KIND_TRADED : KIND_BOOKED,
    side: side === "buy" ? SIDE_BUY : SIDE_SELL,
    eventNumber: sequence,
    flags: EVENT_BOOK_CHANGED | EVENT_LAST,
    ...{ instrumentId, price, quantity, levelQuantity, ...times },
  });
  return new Uint8Array(bytes.buffer);
}

/** Lets something happen in a feed, as its next event. */
export function apply(feed: MarketFeed, happening: Happening): void {
  const sequence = feed.sequence + 1;
  encodeEvent(happening, sequence);
  feed.applyEvent({ view: bytes, offset: 0, length: bytes.byteLength, sequence });
}

/** A level of BTC-USD: by default, half a bitcoin that somebody wants to buy at `price`. */
export function level(price: number, more: Partial<Happening> = {}): Happening {
  const usual = { instrumentId: 1, kind: "level", side: "buy", quantity: 5000 } as const;
  return { ...usual, levelQuantity: 5000, price, ...more };
}

/** A book by price texts. */
export type Levels = Record<string, string>;

/** What a client knows of one market, by nothing but the messages that it got. */
export interface MarketView {
  epoch: string;
  sequence: number;
  isComplete: boolean;
  bids: Levels;
  asks: Levels;
  /** Numbers of the trades that it was told of. */
  trades: number[];
  lastTrade: number;
}

interface StreamMessage {
  type: string;
  symbol: string;
  epoch: string;
  sequence: number;
  isComplete: boolean;
  from: number;
  to: number;
  bids: [string, string][];
  asks: [string, string][];
  trades: { number: number }[];
  tradesOmitted?: number;
  lastTrade: number;
  reason?: string;
}

/** A client's view of all its markets. It checks that updates follow each other. */
export class ClientView {
  readonly markets: Map<string, MarketView> = new Map();
  /** How many messages of each type it got. */
  readonly counts: Record<string, number> = {};
  /** Reasons of the errors that it got. */
  readonly errors: string[] = [];

  /** Takes a message's text. */
  take(text: string): void {
    const message: StreamMessage = JSON.parse(text);
    this.counts[message.type] = (this.counts[message.type] ?? 0) + 1;
    if (message.type === "snapshot") this.#replace(message);
    else if (message.type === "update") this.#update(message);
    else if (message.type === "error") this.errors.push(message.reason!);
  }

  /** Where it stands, for a request to resume. */
  resume(): Record<string, unknown> {
    const views = [...this.markets];
    return {
      ...Object.fromEntries(views.map(([symbol, { sequence }]) => [symbol, sequence])),
      epoch: Object.fromEntries(views.map(([symbol, { epoch }]) => [symbol, epoch])),
    };
  }

  #replace({ symbol, epoch, sequence, isComplete, bids, asks, trades, lastTrade }: StreamMessage) {
    this.markets.set(symbol, {
      ...{ epoch, sequence, isComplete, lastTrade },
      bids: Object.fromEntries(bids),
      asks: Object.fromEntries(asks),
      trades: trades.map(({ number }) => number),
    });
  }

  #update(message: StreamMessage) {
    const { symbol, from, to, trades, tradesOmitted = 0, lastTrade } = message;
    const view = this.markets.get(symbol)!;
    assertEquals(from, view.sequence, `update of ${symbol} follows another one`);
    assertEquals(lastTrade, view.lastTrade + tradesOmitted + trades.length, "trades are all told");
    for (const side of ["bids", "asks"] as const) {
      for (const [price, quantity] of message[side]) {
        if (quantity === "0") delete view[side][price];
        else view[side][price] = quantity;
      }
    }
    view.sequence = to;
    view.lastTrade = lastTrade;
    view.trades.push(...trades.map(({ number }) => number));
  }
}

/** The text of a whole frame of a server. */
export function frameText(frame: Uint8Array): string {
  const head = frame[1]! < 126 ? 2 : frame[1] === 126 ? 4 : 10;
  return new TextDecoder().decode(frame.subarray(head));
}

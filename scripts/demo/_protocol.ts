/**
 * What the demo and its processes say to each other: one JSON object a line, commands on a child's
 * stdin and events on its stdout. The messages themselves go through the channel.
 *
 * @module
 */

import type { BinanceCounts, RecordingCounts } from "../../lib/market/mod.ts";

/** Names of the two consumers. */
export const ORDER_BOOK = "order-book";
/** See {@linkcode ORDER_BOOK}. */
export const TRADE_STATISTICS = "trade-statistics";

/** What the feed is, and how fast it goes: `pace` times the recorded speed, or 0 for all speed. */
export type FeedSettings =
  & { pace: number }
  & (
    /** A recording; the path is absolute. */
    | { path: string }
    /** Made up by the generator. */
    | { seed: number; messages: number }
  );

/** What every child is told when it starts, as JSON in its only argument. */
export interface ChildSettings {
  channel: string;
  /** Directory of the ring file, where it is not the default. */
  directory?: string;
  /** For the collector. */
  feed: FeedSettings;
}

/** What the demo asks of a child. */
export type Command =
  /** Collector: publish the feed, and answer `published`. */
  | { do: "start" }
  /** Consumer: answer `finished` as soon as everything up to this sequence has arrived. */
  | { do: "finish"; sequence: number }
  /** Consumer: wait for messages that do not come, and answer `idle`. */
  | { do: "idle"; seconds: number }
  /** End. Input that ends without it means that the demo was killed. */
  | { do: "end" };

/** What the collector has done. */
export interface Collected {
  /** Sequence of the last record. */
  published: number;
  /** Bytes of all records' payloads. */
  bytes: number;
  /** By the clock that all processes share. */
  startNs: number;
  /** Symbols by instrument id, from 1 on. */
  symbols: string[];
  recording: RecordingCounts;
  normalised: BinanceCounts;
}

/** What a consumer has seen of the channel. */
export interface Received {
  received: number;
  /** Messages that it was told it had lost, and in how many gaps. */
  lost: number;
  gaps: number;
  /** Messages and gaps that did not begin with the sequence that was expected. */
  outOfOrder: number;
  /** When the last one was done. */
  endNs: number;
}

/** Price and quantity as the exchange writes them. */
export type LevelText = [price: string, quantity: string];

/** One instrument's figures, of the order-book builder. Sums of E8 numbers exceed 2^53: text. */
export interface MarketFigures {
  instrumentId: number;
  /** Messages of the exchange, however many records each became. */
  messages: number;
  trades: number;
  tradedQuantityE8: string;
  depthApplied: number;
  depthDropped: number;
  gaps: number;
  snapshotsApplied: number;
  snapshotsRefused: number;
  brokenUpdates: number;
  isInStep: boolean;
  finalUpdateId: number;
  bidLevels: number;
  askLevels: number;
  bestBid: LevelText | null;
  bestAsk: LevelText | null;
  tickerChecked: number;
  tickerWrong: number;
  tickerSkipped: number;
  top20Sha256: string;
}

/** One instrument's figures, of the trade statistics. */
export interface TradeFigures {
  instrumentId: number;
  trades: number;
  quantityE8: string;
  /** Volume-weighted; rounded, as it is a quotient. */
  averagePrice: number;
  lowestPrice: string;
  highestPrice: string;
  /** Share of the quantity that buyers took from resting asks, 0 to 1. */
  buyShare: number;
}

/** What a child tells. */
export type Event =
  | { event: "ready" }
  | ({ event: "published" } & Collected)
  | { event: "top"; bid: LevelText | null; ask: LevelText | null }
  | ({ event: "finished"; figures: MarketFigures[] | TradeFigures[] } & Received)
  /** Processor seconds per second of waiting. */
  | { event: "idle"; cpuShare: number }
  | { event: "failed"; message: string };

/** The event of one name. */
export type EventOf<Name extends Event["event"]> = Extract<Event, { event: Name }>;

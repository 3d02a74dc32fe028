/**
 * An exchange over channels: message layouts, a matching engine, order entry and market data.
 *
 * @module
 */

export * from "./orders.ts";
export { ExchangeFeed } from "./exchange_feed.ts";
export type { ClientLimits } from "./feed_client.ts";
export { FanOut, type FanOutCounts, type FanOutOptions } from "./fan_out.ts";
export { FeedSource, type FeedSourceOptions } from "./feed_source.ts";
export {
  type Hop,
  HopLatencies,
  HOPS,
  type HopTimes,
  type LatencySummary,
} from "./hop_latencies.ts";
export { type FeedUpdate, InstrumentFeed, type LevelChanges } from "./instrument_feed.ts";
export {
  type Asset,
  type MarketDataOptions,
  MarketDataServer,
  serveMarketData,
} from "./market_data.ts";
export type { MarketDataReport } from "./market_data_stats.ts";
export {
  type FeedCounts,
  type FeedMessage,
  type InstrumentDirectory,
  MarketFeed,
} from "./market_feed.ts";
export { type TapeTrade, TradeTape } from "./trade_tape.ts";

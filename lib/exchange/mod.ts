/**
 * An exchange over channels: message layouts, a matching engine, order entry and market data.
 *
 * @module
 */

export * from "./orders.ts";
export { Gateway, type GatewayCounts, type GatewayRecovery, startGateway } from "./gateway.ts";
export {
  type ClientState,
  connectGateway,
  GatewayClient,
  type GatewayClientOptions,
} from "./gateway_client.ts";
export type {
  AckMessage,
  ClientRequest,
  GapMessage,
  GatewayMessage,
  RejectMessage,
  SessionMessage,
} from "./client_transport.ts";
export type { GatewayLimits, GatewayOptions, ListenOptions } from "./gateway_options.ts";
export { type InstrumentLookup, OrderEntry } from "./order_entry.ts";
export type { InstrumentSource } from "./steady_instruments.ts";
export type { Refusal, RefusalReason } from "./refusal.ts";
export type { EventType, SessionEvent } from "./event_text.ts";
export * from "./wire.ts";
export { type EngineOptions, MatchingEngine } from "./matching_engine.ts";
export type { RestingOrder } from "./engine_snapshot.ts";
export type { EventHandler } from "./event_writer.ts";
export {
  type EngineRecovery,
  EngineService,
  type EngineServiceOptions,
  type EngineSummary,
  startEngine,
} from "./engine_service.ts";
export { type Replay, type ReplayOptions, replayOrders } from "./replay.ts";
export { CorruptSnapshotError, EventsMismatchError } from "../errors.ts";
export { ExchangeFeed } from "./exchange_feed.ts";
export type { ClientLimits } from "./feed_client.ts";
export { FanOut, type FanOutCounts, type FanOutOptions } from "./fan_out.ts";
export {
  EventCheckpoints,
  type EventCheckpointsOptions,
  type EventRecovery,
  type EventState,
} from "./event_checkpoints.ts";
export { recoverFeed } from "./feed_recovery.ts";
export { consumeFromTheFirst, FeedSource, type FeedSourceOptions } from "./feed_source.ts";
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

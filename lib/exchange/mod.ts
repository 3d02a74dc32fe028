/**
 * An exchange over channels: message layouts, a matching engine, order entry and market data.
 *
 * @module
 */

export * from "./orders.ts";
export {
  Gateway,
  type GatewayCounts,
  type GatewayRecovery,
  startGateway,
} from "./gateway/gateway.ts";
export {
  type ClientState,
  connectGateway,
  GatewayClient,
  type GatewayClientOptions,
} from "./client/gateway_client.ts";
export type {
  AckMessage,
  ClientRequest,
  GapMessage,
  GatewayMessage,
  RejectMessage,
  SessionMessage,
} from "./client/client_transport.ts";
export type { GatewayLimits, GatewayOptions, ListenOptions } from "./gateway/gateway_options.ts";
export { type InstrumentLookup, OrderEntry } from "./gateway/order_entry.ts";
export type { InstrumentSource } from "./gateway/steady_instruments.ts";
export type { Refusal, RefusalReason } from "./gateway/refusal.ts";
export type { EventType, SessionEvent } from "./gateway/event_text.ts";
export * from "./gateway/wire.ts";
export { type EngineOptions, MatchingEngine } from "./engine/matching_engine.ts";
export type { RestingOrder } from "./engine/engine_snapshot.ts";
export type { EventHandler } from "./engine/event_writer.ts";
export {
  type EngineRecovery,
  EngineService,
  type EngineServiceOptions,
  type EngineSummary,
  startEngine,
} from "./engine/engine_service.ts";
export { ENGINE_COUNTERS, type EngineDefinitions } from "./engine/engine_counters.ts";
export { GATEWAY_COUNTERS, type GatewayDefinitions } from "./gateway/gateway_counters.ts";
export {
  MARKET_DATA_COUNTERS,
  type MarketDataDefinitions,
} from "./market_data/market_data_counters.ts";
export { type Replay, type ReplayOptions, replayOrders } from "./engine/replay.ts";
export { CorruptSnapshotError, EventsMismatchError } from "../errors.ts";
export { ExchangeFeed } from "./market_data/exchange_feed.ts";
export type { ClientLimits } from "./market_data/feed_client.ts";
export { FanOut, type FanOutCounts, type FanOutOptions } from "./market_data/fan_out.ts";
export {
  EventCheckpoints,
  type EventCheckpointsOptions,
  type EventRecovery,
  type EventState,
} from "./event_checkpoints.ts";
export { recoverFeed } from "./market_data/feed_recovery.ts";
export {
  consumeFromTheFirst,
  FeedSource,
  type FeedSourceOptions,
} from "./market_data/feed_source.ts";
export {
  type Hop,
  HopLatencies,
  HOPS,
  type HopTimes,
  type LatencySummary,
} from "./market_data/hop_latencies.ts";
export {
  type FeedUpdate,
  InstrumentFeed,
  type LevelChanges,
} from "./market_data/instrument_feed.ts";
export {
  type Asset,
  type MarketDataOptions,
  MarketDataServer,
  serveMarketData,
} from "./market_data/market_data.ts";
export type { MarketDataReport } from "./market_data/market_data_stats.ts";
export {
  type FeedCounts,
  type FeedMessage,
  type InstrumentDirectory,
  MarketFeed,
} from "./market_data/market_feed.ts";
export { type TapeTrade, TradeTape } from "./market_data/trade_tape.ts";

/**
 * An exchange over channels: message layouts, a matching engine, order entry and market data.
 *
 * @module
 */

export * from "./orders.ts";
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

/**
 * An exchange over channels: message layouts, a matching engine, order entry and market data.
 *
 * @module
 */

export * from "./orders.ts";
export { type EngineOptions, MatchingEngine } from "./matching_engine.ts";
export type { RestingOrder } from "./engine_snapshot.ts";
export type { EventHandler } from "./event_writer.ts";
export { CorruptSnapshotError } from "../errors.ts";

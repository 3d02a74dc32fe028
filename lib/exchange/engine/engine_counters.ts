/**
 * What a matching engine counts.
 *
 * @module
 */

import {
  CHECKPOINT_COUNTERS,
  type CheckpointDefinitions,
} from "../../observability/checkpoint_counters.ts";
import { counter, type DefinitionsOf, gauge } from "../../observability/counters.ts";

/** Those of {@linkcode ENGINE_COUNTERS}. */
export type EngineDefinitions =
  & CheckpointDefinitions
  & DefinitionsOf<
    "requests" | "events" | "trades",
    "openOrders" | "lastSequence" | "lag"
  >;

/** What an engine counts, for `openCounters`. */
export const ENGINE_COUNTERS: EngineDefinitions = {
  ...CHECKPOINT_COUNTERS,
  requests: counter(
    "engine_requests_total",
    "Requests applied, without those that a recovery applies again. Flat while orders come: see " +
      "engine_lag_requests.",
  ),
  events: counter(
    "engine_events_total",
    "Events published. Flat while requests are applied: engine.events is full; see who gates it.",
  ),
  trades: counter("engine_trades_total", "Trades among the events published."),
  openOrders: gauge(
    "engine_open_orders",
    "Orders that rest. Near max_open_orders, new ones are rejected: see who leaves them.",
  ),
  lastSequence: gauge("engine_last_sequence", "Sequence of the last request applied."),
  lag: gauge(
    "engine_lag_requests",
    "Requests in gateway.orders that are not applied yet. Rising: the engine is too slow or stuck.",
  ),
};

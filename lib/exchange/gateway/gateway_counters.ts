/**
 * What a gateway counts.
 *
 * @module
 */

import {
  CHECKPOINT_COUNTERS,
  type CheckpointDefinitions,
} from "../../observability/checkpoint_counters.ts";
import {
  counter,
  type CounterDefinition,
  type DefinitionsOf,
  gauge,
  histogram,
} from "../../observability/counters.ts";
import { REFUSAL_REASONS, type RefusalReason } from "./refusal.ts";

type RefusalCounters = Record<`refused_${RefusalReason}`, CounterDefinition<"counter">>;

/** One for each reason: there are no labels. */
const REFUSAL_COUNTERS = Object.fromEntries(
  REFUSAL_REASONS.map((reason) => [
    `refused_${reason}`,
    counter(
      `gateway_refused_${reason}_total`,
      `Requests refused, or connections ended, for the reason ${reason}: see docs/pipeline.md.`,
    ),
  ]),
) as RefusalCounters;

/** Those of {@linkcode GATEWAY_COUNTERS}. */
export type GatewayDefinitions =
  & CheckpointDefinitions
  & RefusalCounters
  & DefinitionsOf<
    | "orders"
    | "acknowledged"
    | "logons"
    | "resumed"
    | "events"
    | "malformed"
    | "resent"
    | "refused",
    "connections" | "sessions",
    "ackTime"
  >;

/** What a gateway counts, for `openCounters`. */
export const GATEWAY_COUNTERS: GatewayDefinitions = {
  ...CHECKPOINT_COUNTERS,
  connections: gauge("gateway_connections_open", "Connections of clients."),
  sessions: gauge(
    "gateway_sessions_open",
    "Sessions that are remembered, with or without a connection. Near max_sessions: raise it.",
  ),
  orders: counter("gateway_orders_total", "Requests published into gateway.orders."),
  acknowledged: counter(
    "gateway_orders_acknowledged_total",
    "Requests acknowledged as durable. Behind gateway_orders_total: the log is slow or has failed.",
  ),
  ackTime: histogram(
    "gateway_ack_seconds",
    "From publishing a request to its acknowledgement. Rising: look at the disk of the log.",
  ),
  logons: counter("gateway_logons_total", "Logons to new sessions."),
  resumed: counter(
    "gateway_resumes_total",
    "Logons to sessions that were there before. Many: clients lose their connections; see why.",
  ),
  events: counter(
    "gateway_events_total",
    "Events of the engine taken in for sessions, also those read again at a start.",
  ),
  malformed: counter(
    "gateway_malformed_events_total",
    "Messages of engine.events passed over as no events. Not 0: see who else writes that channel.",
  ),
  resent: counter(
    "gateway_events_resent_total",
    "Events sent to clients that came back: what they had missed.",
  ),
  refused: counter(
    "gateway_refused_total",
    "Requests refused and connections ended, for whatever reason; each reason has its own.",
  ),
  ...REFUSAL_COUNTERS,
};

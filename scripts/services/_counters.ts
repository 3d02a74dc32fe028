/**
 * What services count that are none of the library's parts.
 *
 * @module
 */

import { counter, gauge, histogram } from "../../lib/observability/mod.ts";

/** Of `mt persister`. What each log does, its channel counts. */
export const PERSISTER_COUNTERS = {
  logs: gauge("persister_logs", "Logs that it writes. Fewer than channels named: one is missing."),
  failed: gauge(
    "persister_logs_failed",
    "Logs that could not be made durable. Not 0: docs/operations.md, A disk that fails.",
  ),
  lag: gauge(
    "persister_lag_messages",
    "Messages published and not durable yet, of all logs. Rising: the disk is too slow.",
  ),
};

/** Of `mt load-generator`. */
export const LOAD_COUNTERS = {
  orders: counter("load_orders_total", "Requests sent. Below the rate: this host is too slow."),
  refused: counter("load_refused_total", "Requests that the gateway did not take."),
  acks: counter("load_acknowledged_total", "Requests acknowledged as durable."),
  accepted: counter("load_accepted_total", "Requests that the engine has taken."),
  rejected: counter("load_rejected_total", "Requests that the engine has refused."),
  duplicates: counter("load_duplicates_total", "Requests answered as sent again."),
  fills: counter("load_fills_total", "Trades of its orders, as taker and as maker."),
  outOfOrder: counter(
    "load_out_of_order_total",
    "Events whose number was not the next. Not 0: a defect of the gateway; report it.",
  ),
  reconnects: counter("load_reconnects_total", "Connections that were made again."),
  ackTime: histogram(
    "load_ack_seconds",
    "From when a request should have been sent until it was acknowledged as durable.",
  ),
  answerTime: histogram(
    "load_answer_seconds",
    "From when a request should have been sent until the engine's answer had come.",
  ),
};

/** Of `mt fake-exchange`. */
export const FAKE_EXCHANGE_COUNTERS = {
  connections: counter("fake_exchange_connections_total", "Connections to its streams."),
  restRequests: counter("fake_exchange_rest_requests_total", "Requests over REST."),
  steps: counter("fake_exchange_steps_total", "Things that have happened in its markets."),
  faults: counter("fake_exchange_faults_total", "Faults that it has made, as it was told."),
};

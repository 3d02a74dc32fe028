/**
 * What a collector counts.
 *
 * @module
 */

import {
  counter,
  type CounterDefinition,
  type DefinitionsOf,
  histogram,
} from "../../observability/counters.ts";

function dropped(why: string, what: string): CounterDefinition<"counter"> {
  return counter(
    `collector_dropped_${why}_total`,
    `Messages dropped: ${what}. Rising: the exchange has changed something, or the settings have.`,
  );
}

/** Those of {@linkcode COLLECTOR_COUNTERS}. */
export type CollectorDefinitions = DefinitionsOf<
  | "messages"
  | "trades"
  | "depthUpdates"
  | "bookTickers"
  | "snapshots"
  | "duplicates"
  | "bytes"
  | "resyncs"
  | "connections"
  | "refused"
  | "lost"
  | "silent"
  | "shutdown"
  | "aged"
  | "restRequests"
  | "restLimited"
  | "restFailed"
  | "malformed"
  | "unknown"
  | "incomplete"
  | "inexact"
  | "unknownInstrument",
  never,
  "publishTime"
>;

/** What a collector counts, for `openCounters`: by the names of its own counts. */
export const COLLECTOR_COUNTERS: CollectorDefinitions = {
  messages: counter(
    "collector_messages_total",
    "Messages of the exchange or the recording. Flat: no connection, or a market that is closed.",
  ),
  trades: counter("collector_trades_total", "Trades published."),
  depthUpdates: counter("collector_depth_updates_total", "Depth updates published."),
  bookTickers: counter("collector_book_tickers_total", "Book tickers published."),
  snapshots: counter("collector_snapshots_total", "Snapshots of books published."),
  malformed: dropped("malformed", "no JSON object"),
  unknown: dropped("unknown", "of no kind that is collected"),
  incomplete: dropped("incomplete", "without a field that belongs there"),
  inexact: dropped("inexact", "with a number of more decimals than the instrument has"),
  unknownInstrument: dropped("unknown_instrument", "of an instrument that is not collected"),
  duplicates: counter(
    "collector_duplicates_total",
    "Records that had come before, as at the change of a connection; they are not published.",
  ),
  bytes: counter("collector_record_bytes_total", "Bytes of all records."),
  publishTime: histogram(
    "collector_publish_seconds",
    "From the text of a message to its records in the channel; every eighth message is measured.",
  ),
  resyncs: counter(
    "collector_resyncs_total",
    "Snapshots asked for because a book had missed updates, or began. Rising: a lossy network.",
  ),
  connections: counter(
    "collector_connections_total",
    "Connections made. More than the losses explain: the exchange ends them; see stderr.",
  ),
  refused: counter(
    "collector_connections_refused_total",
    "Attempts that made no connection. Rising: the address, the network, or a ban.",
  ),
  lost: counter("collector_connections_lost_total", "Connections that ended by themselves."),
  silent: counter(
    "collector_connections_silent_total",
    "Connections given up because nothing came.",
  ),
  shutdown: counter(
    "collector_connections_shutdown_total",
    "Connections replaced because the exchange said that it shuts down.",
  ),
  aged: counter("collector_connections_aged_total", "Connections replaced because of their age."),
  restRequests: counter("collector_rest_requests_total", "Requests over REST."),
  restLimited: counter(
    "collector_rest_limited_total",
    "Requests answered by 429 or 418. Not 0: somebody else shares the address; wait.",
  ),
  restFailed: counter(
    "collector_rest_failed_total",
    "Requests over REST that were not answered as they should be.",
  ),
};

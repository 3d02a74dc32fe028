/**
 * What market data counts.
 *
 * @module
 */

import {
  CHECKPOINT_COUNTERS,
  type CheckpointDefinitions,
} from "../../observability/checkpoint_counters.ts";
import { counter, type DefinitionsOf, gauge, histogram } from "../../observability/counters.ts";

/** Those of {@linkcode MARKET_DATA_COUNTERS}. */
export type MarketDataDefinitions =
  & CheckpointDefinitions
  & DefinitionsOf<
    | "events"
    | "trades"
    | "malformed"
    | "unknownInstrument"
    | "frames"
    | "bytes"
    | "framesMade"
    | "conflated"
    | "snapshots"
    | "slowEnded",
    "sequence" | "complete" | "clients" | "behind" | "bufferedBytes",
    "gatewayToEngine" | "engineToMarketData" | "endToEnd"
  >;

/** What market data counts, for `openCounters`: by the names of its own counts. */
export const MARKET_DATA_COUNTERS: MarketDataDefinitions = {
  ...CHECKPOINT_COUNTERS,
  events: counter(
    "market_data_events_total",
    "Messages applied to books, also those read again at a start.",
  ),
  trades: counter("market_data_trades_total", "Trades among the messages applied."),
  malformed: counter(
    "market_data_malformed_total",
    "Messages that are none of their layout. Not 0: who fills the channel is of another version.",
  ),
  unknownInstrument: counter(
    "market_data_unknown_instrument_total",
    "Messages of instruments that nobody knows. Not 0: share one instruments file.",
  ),
  sequence: gauge("market_data_last_sequence", "Sequence of the last engine event applied."),
  complete: gauge(
    "market_data_complete",
    "1 while no engine event is missing from the first one on, else 0: restart it with the log.",
  ),
  clients: gauge("market_data_clients_open", "Clients of the stream."),
  behind: gauge(
    "market_data_clients_behind",
    "Clients that do not keep up and get merged updates. Many: this host or the network is slow.",
  ),
  bufferedBytes: gauge(
    "market_data_buffered_bytes",
    "Bytes that clients have not taken yet, all together.",
  ),
  frames: counter("market_data_frames_total", "Frames handed over to clients."),
  bytes: counter("market_data_sent_bytes_total", "Bytes of the frames handed over to clients."),
  framesMade: counter(
    "market_data_frames_made_total",
    "Frames serialised: fewer than handed over, as clients share them.",
  ),
  conflated: counter(
    "market_data_conflated_total",
    "Updates merged into one for clients that lagged.",
  ),
  snapshots: counter("market_data_snapshots_total", "Snapshots sent to clients."),
  slowEnded: counter(
    "market_data_slow_clients_ended_total",
    "Clients that were ended because they took too little.",
  ),
  gatewayToEngine: histogram(
    "hop_gateway_to_engine_seconds",
    "From the gateway's publishing of a request to the engine's publishing of its last event.",
  ),
  engineToMarketData: histogram(
    "hop_engine_to_market_data_seconds",
    "From the engine's publishing of an event to its arrival at market data.",
  ),
  endToEnd: histogram(
    "hop_end_to_end_seconds",
    "From when a request should have been sent to the arrival of its last event at market data.",
  ),
};

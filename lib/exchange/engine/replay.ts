/**
 * Replay: what an undisturbed engine makes of the requests in a log.
 *
 * @module
 */

import { readLog } from "../../durability/log_reader.ts";
import { type EngineOptions, MatchingEngine } from "./matching_engine.ts";

/** What is replayed. */
export interface ReplayOptions extends Omit<EngineOptions, "onEvent"> {
  /** Directory of the log of requests: `<walDir>/gateway.orders`. */
  logDirectory: string;
  /** Last sequence to apply. Default: to the end of the log. */
  to?: number;
  /** Told of each event. */
  onEvent?: EngineOptions["onEvent"];
}

/** Where an engine has come to. */
export interface Replay {
  /** SHA-256 of its state. */
  stateHash: string;
  /** Sequence of the last request. */
  lastSequence: number;
  /** Number of the last event. */
  lastEventNumber: number;
  /** Requests that were applied. */
  requests: number;
  /** Orders that rest. */
  openOrders: number;
}

/**
 * Applies all requests of a log, from the first one on, to a new engine: its hash is that of any
 * engine with the same options that has come as far, however often it was killed on the way.
 *
 * Reads offline: the log's writer may go on, and nothing is written. Blocks the thread.
 *
 * @throws {Deno.errors.NotFound} If there is no log.
 * @throws {SequenceGapError} If its first requests are gone.
 * @throws {CorruptLogError} If it is damaged.
 */
export function replayOrders({ logDirectory, to, onEvent, ...options }: ReplayOptions): Replay {
  const engine = new MatchingEngine({ ...options, onEvent: onEvent ?? (() => {}) });
  let requests = 0;
  for (const message of readLog(logDirectory, { from: 1, ...(to !== undefined && { to }) })) {
    engine.apply(message.view, message.offset, message.sequence, message.length);
    requests++;
  }
  return {
    stateHash: engine.stateHash(),
    lastSequence: engine.lastSequence,
    lastEventNumber: engine.lastEventNumber,
    requests,
    openOrders: engine.openOrders,
  };
}

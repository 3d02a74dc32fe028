/**
 * What a load generator has counted, as it tells it.
 *
 * @module
 */

/** What the load generator tells at its end. */
export interface LoadCounts {
  /** Requests that were sent, and how many of them the gateway did not take. */
  orders: number;
  refused: number;
  /** Requests that are acknowledged as durable. */
  acks: number;
  /** Requests that the engine has taken, and that it has refused. */
  accepted: number;
  rejected: number;
  /** Requests that were sent again after a connection was lost, and answered again. */
  duplicates: number;
  /** Trades, as each of both sides was told of them. */
  fills: number;
  /** Events whose number in their session was not the next one. */
  outOfOrder: number;
  /** Connections that were lost, and mended. */
  reconnects: number;
  /** Acknowledged requests that were never answered. */
  unanswered: number;
  /** Seconds from the first request to the last answer. */
  seconds: number;
}

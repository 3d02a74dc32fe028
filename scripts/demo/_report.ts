/**
 * What a run of the pipeline reports, and whether everything was as promised.
 *
 * @module
 */

import type { RecordableHistogram } from "node:perf_hooks";
import type { LatencySummary } from "../../lib/exchange/mod.ts";
import type { Verdict } from "./_audit.ts";

/** Latencies of one way: of the time before a process was killed, and of the whole run. */
export interface WayLatency {
  undisturbed: LatencySummary;
  whole: LatencySummary;
}

/** Sums a histogram of nanoseconds up. */
export function summaryOf(histogram: RecordableHistogram): LatencySummary {
  const { count } = histogram;
  const at = (percent: number) => count === 0 ? 0 : histogram.percentile(percent);
  const maxNs = count === 0 ? 0 : histogram.max;
  return { count, p50Ns: at(50), p90Ns: at(90), p99Ns: at(99), p999Ns: at(99.9), maxNs };
}

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

/** How the engine came back. */
export interface RecoveryReport {
  killed: string;
  /** From the news of its death until the next process was ready. */
  downMs: number;
  /** Of that, what restoring the state took, and how many requests were applied again. */
  recoveryMs: number;
  replayed: number;
}

/** The whole report. With `--json` it is printed as it is. */
export interface Report extends LoadCounts, Verdict {
  durability: "disk" | "memory";
  /** Requests a second that were to be sent, by how many sessions. */
  rate: number;
  sessions: number;
  seed: number;
  /** Requests that became durable, a second. */
  throughput: number;
  /** By way: `gatewayToEngine`, `engineToMarketData`, `endToEnd`; `ack` and `answer` at clients. */
  latency: Record<string, WayLatency>;
  recovery: RecoveryReport | null;
  /** Deaths of services, by their names; the engine's one is meant. */
  deaths: Record<string, number>;
  /** Books of market data that are not the engine's. */
  booksWrong: number;
  /** What is not as promised. */
  problems: string[];
}

/** Tells what is not as promised. */
export function* findProblems(report: Omit<Report, "problems">): Generator<string, void, void> {
  const { orders, refused, acks, lost, duplicated, deaths, unanswered, outOfOrder } = report;
  if (orders === 0) yield "no order was sent";
  if (acks + refused !== orders) yield `${orders - acks - refused} orders were never acknowledged`;
  if (lost > 0) yield `${lost} acknowledged orders are lost`;
  if (duplicated > 0) yield `${duplicated} orders were executed more than once`;
  if (unanswered > 0) yield `${unanswered} acknowledged orders were never answered`;
  if (outOfOrder > 0) yield `${outOfOrder} events came out of order, or twice, or not at all`;
  if (!report.stateHashEqual) yield "the engine's state is not what its log leads to";
  if (!report.eventsEqual) yield "the events that were published are not what the log leads to";
  if (report.sessionsWrong > 0) yield `${report.sessionsWrong} sessions know other orders`;
  if (report.booksWrong > 0) yield `${report.booksWrong} books of market data are wrong`;
  for (const [name, count] of Object.entries(deaths)) {
    const meant = name === report.recovery?.killed ? 1 : 0;
    if (count > meant) yield `${name} died ${count - meant} times by itself`;
  }
}

/**
 * What a run of the pipeline reports, and whether everything was as promised.
 *
 * @module
 */

import type { LatencySummary } from "../../lib/exchange/mod.ts";
import type { LoadCounts } from "../load/counts.ts";
import type { Verdict } from "./_audit.ts";

/** Latencies of one way: of the time before a process was killed, and of the whole run. */
export interface WayLatency {
  undisturbed: LatencySummary;
  whole: LatencySummary;
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

/**
 * What a run on a feed reports, and whether everything was as promised.
 *
 * @module
 */

import type { BinanceCounts, RecordingCounts } from "../../lib/market/mod.ts";
import { formatSeconds } from "../_command.ts";
import type { Facts } from "../services/_service.ts";
import { formatCount } from "../_table.ts";
import type { FeedFigures } from "./_book_audit.ts";
import { formatRows } from "./_print.ts";

/** A recording and its speed, or the exchange itself; 0 seconds of it are until a signal. */
export type FeedSource = { path: string; pace: string } | { live: true; seconds: number };

/** What was found in a run. */
export interface FeedOutcome {
  symbol: string;
  source: FeedSource;
  seconds: number;
  /** Records in the channel: a depth update with many levels is several. */
  records: number;
  /** What the collector has told at its end. */
  collected: Facts;
  figures: FeedFigures;
  /** Whether market data has the auditor's book. */
  isSame: boolean;
}

/** The whole report. With `--json` it is printed as it is. */
export interface FeedReport extends FeedFigures {
  symbol: string;
  source: FeedSource;
  seconds: number;
  /** Messages a second. */
  rate: number;
  records: number;
  marketDataEqual: boolean;
  /** Messages of the feed that could not be used, by cause. */
  unused: Record<string, number>;
  /** What a person should know about the feed. */
  warnings: string[];
  /** What is not as promised. */
  problems: string[];
}

/** Puts the report together. */
export function makeFeedReport(outcome: FeedOutcome): FeedReport {
  const { collected, figures, isSame, ...rest } = outcome;
  const recording = collected.recording as RecordingCounts | undefined;
  const { malformed, unknown, incomplete, inexact, unknownInstrument } = collected
    .collector as BinanceCounts;
  const report = {
    ...{ ...rest, ...figures, marketDataEqual: isSame },
    rate: figures.messages / outcome.seconds,
    unused: {
      malformedLines: recording?.malformed ?? 0,
      tornLines: recording?.torn ?? 0,
      ...{ malformed, unknown, incomplete, inexact, unknownInstrument },
    },
  };
  return { ...report, warnings: [...findWarnings(report)], problems: [...findProblems(report)] };
}

type Found = Omit<FeedReport, "warnings" | "problems">;

const UNUSED_WORDS: Record<string, string> = {
  malformedLines: "lines without a receive time and a message",
  malformed: "messages that are no JSON object",
  unknown: "messages of kinds that are not used here",
  incomplete: "messages in which a field is missing",
  inexact: "messages with a number that is no exact decimal",
  unknownInstrument: "messages of other symbols",
};

function* findWarnings(report: Found): Generator<string, void, void> {
  for (const [cause, words] of Object.entries(UNUSED_WORDS)) {
    const count = report.unused[cause] ?? 0;
    if (count > 0) yield `left out of the feed: ${count} ${words}`;
  }
  if (report.gaps > 0) {
    const state = report.isInStep ? "a later snapshot has mended that" : "it stays empty";
    yield `the feed lacks updates of the book, gaps: ${report.gaps}; ${state}`;
  } else if (!report.isInStep && report.messages > 0) {
    yield "the feed has no snapshot that its updates go on from: the book stays empty";
  }
}

function* findProblems(report: Found): Generator<string, void, void> {
  const { symbol, messages, tickerWrong, brokenUpdates, unused } = report;
  if (messages === 0) yield `the feed has no message of ${symbol}`;
  if (unused.tornLines! > 0) yield "the feed is cut off, and was used up to there";
  if (tickerWrong > 0) yield `the book was not the exchange's ${tickerWrong} times`;
  if (brokenUpdates > 0) yield `${brokenUpdates} updates of the book came incomplete`;
  if (!report.marketDataEqual) yield "market data has another book than the auditor";
}

/** The report as text. */
export function toFeedText(report: FeedReport): string {
  const { source, symbol, seconds, records, bestBid, bestAsk, warnings } = report;
  const feed = "live" in source ? "Binance, live" : `${source.path}, pace ${source.pace}`;
  const level = (text: FeedFigures["bestBid"]) => text === null ? "none" : text.join(" × ");
  const rows: [string, string][] = [
    ["Feed", `${symbol} of ${feed}`],
    [
      "Messages",
      `${formatCount(report.messages)} in ${formatSeconds(seconds)}, ` +
      `${formatCount(report.rate)}/s; ${formatCount(records)} records`,
    ],
    ["Best bid", level(bestBid)],
    ["Best ask", level(bestAsk)],
    ["Book", describeBook(report)],
    [
      "Proof",
      `compared ${formatCount(report.tickerChecked)} times with the exchange's own best bid and ` +
      `ask, ${formatCount(report.tickerWrong)} wrong`,
    ],
    [
      "Market data",
      report.marketDataEqual ? "has the same book, level by level" : "HAS ANOTHER BOOK",
    ],
    ["Top 20", `SHA-256 ${report.top20Sha256}`],
    ["Trades", `${formatCount(report.trades)} of ${report.tradedQuantity} in all`],
    ...warnings.map((warning): [string, string] => ["Warning", warning]),
  ];
  return formatRows(rows);
}

function describeBook(report: FeedReport): string {
  const { bidLevels, askLevels, depthApplied, depthDropped, gaps, finalUpdateId } = report;
  return `${formatCount(bidLevels)} bids and ${formatCount(askLevels)} asks as of update ` +
    `${finalUpdateId}; ${formatCount(depthApplied)} updates applied, ` +
    `${formatCount(depthDropped)} too old, ${formatCount(gaps)} gaps`;
}

/**
 * Writes the demo's report for people and for programs.
 *
 * @module
 */

import { formatSeconds } from "../_command.ts";
import { formatBytes, formatCount, formatNs, formatShare, formatTable } from "../_table.ts";
import type { LevelText } from "./_protocol.ts";
import type { Report } from "./_report.ts";

// In V8 since 2023, and not yet in the types of TypeScript.
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/** The report as one line of JSON. Integers are exact, also beyond 2^53. */
export function toJson(report: Report): string {
  return JSON.stringify(
    report,
    (_, value) => typeof value === "bigint" ? rawJSON(`${value}`) : value,
  );
}

/** The report as text. */
export function toText(report: Report): string {
  const rows: string[][] = [
    ["Feed", describeFeed(report)],
    ["Messages", describeMessages(report)],
    ["Channel", describeChannel(report)],
    ["Delivery", describeDelivery(report)],
    ...describeMarket(report),
  ];
  const width = Math.max(...rows.map(([name = ""]) => name.length));
  const text = rows.map(([name = "", value = ""]) => `${name.padEnd(width)}  ${value}`).join("\n");
  return `${text}\n\n${consumerTable(report)}\n\n${explainLatency(report)}`;
}

function describeFeed({ feed }: Report): string {
  const source = "path" in feed ? feed.path : `made up from seed ${feed.seed}`;
  const { pace } = feed;
  return `${source}, ${pace === 0 ? "as fast as possible" : `at ${pace} × the recorded speed`}`;
}

function describeMessages({ messages, seconds, rate }: Report): string {
  return `${formatCount(messages)} in ${formatSeconds(seconds)}: ${formatCount(rate)}/s`;
}

function describeChannel(report: Report): string {
  const { records, recordBytes, ringBytes, backPressured, feed } = report;
  const isBehind = backPressured > 0;
  const full = isBehind ? `full ${formatCount(backPressured)} times` : "never full";
  const slowest = isBehind ? "the order book" : "reading the feed";
  return `${formatCount(records)} records, ${formatBytes(recordBytes)}, through a ring of ` +
    `${formatBytes(ringBytes)}, ${full}${feed.pace > 0 ? "" : `: ${slowest} is the slowest part`}`;
}

function describeDelivery({ delivery, records }: Report): string {
  const all = Object.values(delivery);
  if (!all.every(({ isComplete }) => isComplete)) return "NOT COMPLETE, see below";
  const lost = all.reduce((sum, delivery) => sum + delivery.lost, 0);
  const once = `every sequence from 1 to ${formatCount(records)} arrived once at every consumer`;
  const except = lost === 0
    ? ""
    : `, but for ${formatCount(lost)} that one was told it had dropped`;
  return `${once}${except}; every checksum was right`;
}

function describeMarket(report: Report): string[][] {
  const { instrument } = report;
  if (instrument === null) return [];
  const ticker = `${formatCount(report.tickerChecked)} times`;
  const rows = [
    ["Instrument", instrument],
    ["Best bid", levelOf(report.bestBid)],
    ["Best ask", levelOf(report.bestAsk)],
    ["Book", describeBook(report)],
    [
      "Proof",
      `compared ${ticker} with the exchange's own best bid and ask, ` +
      `${formatCount(report.tickerWrong)} wrong`,
    ],
    ["Top 20", `SHA-256 ${report.top20Sha256}`],
  ];
  rows.push(["Trades", describeTrades(report)]);
  return rows;
}

function describeTrades({ trades, tradedQuantityE8, tradeStatistics }: Report): string {
  const quantity = (Number(tradedQuantityE8) / 1e8)
    .toLocaleString("en-US", { maximumFractionDigits: 8 });
  const all = `${formatCount(trades)} of ${quantity} in all`;
  if (tradeStatistics === null) return all;
  const { averagePrice, lowestPrice, highestPrice, buyShare } = tradeStatistics;
  const seen = tradeStatistics.trades === trades
    ? ""
    : `of the ${formatCount(tradeStatistics.trades)} that were not dropped: `;
  return `${all}; ${seen}from ${lowestPrice} to ${highestPrice}, ${averagePrice.toFixed(2)} on ` +
    `average, ${Math.round(buyShare * 100)} % bought`;
}

function levelOf(level: LevelText | null): string {
  return level === null ? "none" : `${level[0]} × ${level[1]}`;
}

function describeBook(report: Report): string {
  const { bidLevels, askLevels, depthApplied, depthDropped, gaps, finalUpdateId } = report;
  return `${formatCount(bidLevels)} bids and ${formatCount(askLevels)} asks as of update ` +
    `${finalUpdateId}; ${formatCount(depthApplied)} updates applied, ` +
    `${formatCount(depthDropped)} too old, ${formatCount(gaps)} gaps`;
}

function consumerTable({ delivery, latency, idleCpuShare }: Report): string {
  const header = [
    "Consumer",
    "When slow",
    "Received",
    "Lost",
    "p50",
    "p90",
    "p99",
    "p99.9",
    "Idle CPU",
  ];
  const rows = Object.entries(delivery).map(([name, { onSlow, received, lost }]) => {
    const { p50Ns, p90Ns, p99Ns, p999Ns } = latency[name]!;
    const idle = idleCpuShare[name];
    return [
      ...[name, `${onSlow}s`, formatCount(received), formatCount(lost)],
      ...[p50Ns, p90Ns, p99Ns, p999Ns].map(formatNs),
      idle === undefined ? "–" : formatShare(idle),
    ];
  });
  return formatTable(header, rows);
}

function explainLatency({ feed: { pace } }: Report): string {
  const latency = "Latency: from publishing a record to the poll that delivered it";
  if (pace > 0) return `${latency}.`;
  return `${latency}. At full speed that is\nmostly the time in the queue; --pace real shows the ` +
    `hand-off alone.`;
}

/**
 * The report of a soak, for people.
 *
 * @module
 */

import { formatBytes, formatCount, formatShare, formatTable } from "../_table.ts";
import type { Figure, Trend } from "./_flatness.ts";
import type { SoakReport } from "./_soak_run.ts";

const NAMES: Readonly<Record<Figure, string>> = {
  ownBytes: "memory",
  descriptors: "descriptors",
  mappings: "mappings",
};

/** A line for each thing that was judged: what it was, and whether it was as promised. */
export function soakText(report: SoakReport): string {
  const { lost, duplicated, channels, kills, restarts } = report;
  const killed = Object.entries(kills).map(([name, count]) => `${count} × ${name}`).join(", ");
  const lines = [
    `${report.minutes.toFixed(1)} minutes at ${
      formatCount(report.rate)
    } orders/s, seed ${report.seed}`,
    `  ${formatCount(report.orders)} orders, ${formatCount(report.acks)} acknowledged`,
    `  killed: ${killed || "nobody"}; ${restarts} restarts, ` +
    `the longest took ${report.downMsMax.toFixed(0)} ms`,
    `  rings ${formatShare(channels.occupancyMax)} full at most; logs from ` +
    `${formatBytes(channels.walBytesFirst)} to ${formatBytes(channels.walBytesLast)}`,
    `  event loops late by ${channels.lagMsMax.toFixed(0)} ms at most (this process), ` +
    `${channels.answerMsMax.toFixed(0)} ms to be answered by market data`,
    "",
    verdictLine(lost === 0, "acknowledged and lost", lost),
    verdictLine(duplicated === 0, "executed twice", duplicated),
    verdictLine(report.stateHashEqual, "state hash", report.stateHash.slice(0, 16)),
    verdictLine(report.eventsEqual, "events", report.eventsEqual ? "as the log says" : "others"),
  ];
  if (report.trends.length === 0) {
    return [...lines, "", "No process lived long enough to tell whether it is flat"].join("\n");
  }
  const rows = report.trends.map((trend) => [
    trend.isFlat ? "ok" : "FAIL",
    ...[trend.name, `${trend.pid}`, NAMES[trend.figure], `${trend.seconds.toFixed(0)}`],
    ...[amountOf(trend, trend.first), amountOf(trend, trend.last)],
    ...[amountOf(trend, trend.perMinute), amountOf(trend, trend.error)],
  ]);
  const header = ["", "Service", "Process", "What", "Seconds", "First", "Last", "A minute", "±"];
  return [...lines, "", formatTable(header, rows)].join("\n");
}

function verdictLine(isRight: boolean, what: string, found: unknown): string {
  return `${isRight ? "ok  " : "FAIL"}  ${what}: ${found}`;
}

function amountOf({ figure }: Trend, value: number): string {
  if (figure !== "ownBytes") return Number.isInteger(value) ? `${value}` : value.toFixed(2);
  return `${(value / 2 ** 20).toFixed(2)} MiB`;
}

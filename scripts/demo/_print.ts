/**
 * Writes reports for people.
 *
 * @module
 */

import { formatSeconds } from "../_command.ts";
import { formatCount, formatNs, formatTable } from "../_table.ts";
import type { Report } from "./_report.ts";

/** Lays names and values out. */
export function formatRows(rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n");
}

/** The report of orders as text. */
export function toText(report: Report): string {
  return [
    formatRows([...describeOrders(report), ...describeProof(report)]),
    latencyTable(report),
    "Latency counts from when an order should have been sent: first until the engine was\n" +
    "killed, then of the whole run, with the time that it was down.",
  ].join("\n\n");
}

function describeOrders(report: Report): [string, string][] {
  const { orders, rate, sessions, acks, refused, accepted, rejected, fills, throughput } = report;
  const level = report.durability === "disk" ? "on the disk" : "in memory";
  return [
    [
      "Orders",
      `${formatCount(orders)} from ${sessions} sessions in ${formatSeconds(report.seconds)}, ` +
      `${formatCount(rate)}/s wanted`,
    ],
    [
      "Acks",
      `${formatCount(acks)} once they were ${level}, ${formatCount(throughput)}/s; ` +
      `${formatCount(refused)} not taken`,
    ],
    [
      "Engine",
      `${formatCount(accepted)} accepted, ${formatCount(rejected)} rejected, ` +
      `${formatCount(fills)} fills, ${formatCount(report.openOrders)} orders open at the end`,
    ],
    ["Recovery", describeRecovery(report)],
  ];
}

function describeRecovery({ recovery }: Report): string {
  if (recovery === null) return "nothing was killed";
  const { killed, downMs, recoveryMs, replayed } = recovery;
  return `${killed} killed in the middle (kill -9), ready again after ${downMs.toFixed(0)} ms: ` +
    `${recoveryMs.toFixed(0)} ms to restore its state, ${formatCount(replayed)} orders replayed`;
}

function describeProof(report: Report): [string, string][] {
  const { lost, duplicated, acks, requests, executed, stateHash, stateHashEqual } = report;
  return [
    ["Lost", `${formatCount(lost)} of ${formatCount(acks)} acknowledged orders`],
    [
      "Duplicated",
      `${formatCount(duplicated)}; the log has ${formatCount(requests)} requests, ` +
      `${formatCount(executed)} were executed`,
    ],
    [
      "State",
      `${stateHashEqual ? "equal to" : "NOT EQUAL to"} a replay of the whole log, ` +
      `SHA-256 ${stateHash}`,
    ],
    [
      "Views",
      `${word(report.sessionsWrong)} what clients hold to be open, ${word(report.booksWrong)} ` +
      "books of market data",
    ],
  ];
}

function word(wrong: number): string {
  return wrong === 0 ? "right:" : `${wrong} WRONG:`;
}

const WAYS: [way: string, words: string][] = [
  ["gatewayToEngine", "gateway → engine"],
  ["engineToMarketData", "engine → market data"],
  ["endToEnd", "client → market data"],
  ["ack", "client → durable → client"],
  ["answer", "client → engine → client"],
];

function latencyTable({ latency, recovery }: Report): string {
  const header = ["Latency", "p50", "p90", "p99", "p99.9"];
  const isKilled = recovery !== null;
  const row = (name: string, summary: Record<string, number>) => [
    name,
    ...["p50Ns", "p90Ns", "p99Ns", "p999Ns"].map((key) => formatNs(summary[key]!)),
  ];
  const rows = WAYS.flatMap(([way, words]) => {
    const { undisturbed, whole } = latency[way]!;
    if (!isKilled) return [row(words, { ...whole })];
    return [row(words, { ...undisturbed }), row("  whole run", { ...whole })];
  });
  return formatTable(header, rows);
}

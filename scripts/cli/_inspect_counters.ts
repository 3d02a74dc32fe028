/**
 * A file of counters: who counts, and what.
 *
 * @module
 */

import { dirname } from "node:path";
import {
  type CounterReading,
  readCounters,
  type ServiceCounters,
} from "../../lib/observability/mod.ts";
import { ScriptError } from "../_command.ts";
import { printable } from "../_output.ts";
import { formatCount, formatNs, formatTable } from "../_table.ts";

/**
 * Looks at a file of counters; nobody notices.
 *
 * @throws {ScriptError} If it is not there, or has no name of such a file.
 */
export function inspectCounters(path: string): ServiceCounters {
  const found = readCounters({ directory: dirname(path) }).find(({ file }) => file === path);
  if (found !== undefined) return found;
  throw new ScriptError(`Cannot look at "${path}": found no file of counters of that name`);
}

/** The counters as text. */
export function countersText(counters: ServiceCounters): string {
  const { file, instance, state, pid, startedMs, openings, values, error } = counters;
  if (error !== undefined) return `Counters ${file}\n${printable(error)}`;
  return [
    `Counters of "${instance}": ${state}`,
    `  ${file}`,
    `  process ${pid}, started ${startedText(startedMs)}, start ${openings} in this file`,
    "",
    formatTable(
      ["Name", "Kind", "Value"],
      values.map((reading) => [printable(reading.name), reading.kind, valueText(reading)]),
    ),
  ].join("\n");
}

/** When a process was started. Shared memory says so, where anything may stand. */
export function startedText(startedMs: number): string {
  const date = new Date(startedMs);
  return Number.isNaN(date.getTime()) ? "–" : date.toISOString().replace(/\.\d+/, "");
}

function valueText({ value = 0, histogram }: CounterReading): string {
  if (histogram === undefined) return value.toLocaleString("en-US", { maximumFractionDigits: 9 });
  if (histogram.count === 0) return "0 times";
  const [p50, p99] = [50, 99].map((p) => formatNs(histogram.percentile(p)));
  return `${formatCount(histogram.count)} times, p50 ${p50}, p99 ${p99}`;
}

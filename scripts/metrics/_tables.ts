/**
 * The tables of docs/metrics.md.
 *
 * @module
 */

import type { MetricDefinition } from "../../lib/observability/prometheus.ts";
import { ScriptError } from "../_command.ts";
import { CATALOG } from "./_catalog.ts";

const BEGIN = "<!-- Made by deno task gen:metrics, from here -->";
const END = "<!-- to here. -->";

/**
 * Returns the document with its tables made anew.
 *
 * @throws {ScriptError} If it has no place for them.
 */
export function withTables(document: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) {
    throw new ScriptError(`Cannot write tables into docs/metrics.md: expected "${BEGIN}"`);
  }
  const before = document.slice(0, begin + BEGIN.length);
  return `${before}\n\n${tables()}\n\n${document.slice(end)}`;
}

/** A table for each word that names begin with, in whatever number. */
function tables(): string {
  const groups = Map.groupBy(
    CATALOG,
    ({ name }) => /^(?:mt_)?(?:process|[a-z]+?)(?=s?(?:_|$))/.exec(name)![0],
  );
  return [...groups].map(([word, metrics]) => `### ${word}\n\n${tableOf(metrics)}`).join("\n\n");
}

function tableOf(metrics: readonly MetricDefinition[]): string {
  const rows = metrics.map(({ name, type, labels, help }) =>
    `| \`${name}\` | ${type} | ${labels.join(", ")} | ${help.replaceAll("|", "\\|")} |`
  );
  return ["| Name | Kind | Labels | Meaning |", "| :- | :- | :- | :- |", ...rows].join("\n");
}

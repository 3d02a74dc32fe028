/**
 * Text for a screen of fixed size: what is shown of hostile names, how wide it is, columns, and
 * colours.
 *
 * @module
 */

import { printable } from "../_output.ts";

/** How something is to be seen. */
export type Tone = "plain" | "strong" | "quiet" | "good" | "warn" | "bad" | "title";

/** A piece of a line. */
export type Span = string | readonly [text: string, tone: Tone];

const CODES: Record<Tone, string> = {
  plain: "",
  strong: "\x1b[1m",
  quiet: "\x1b[2m",
  good: "\x1b[32m",
  warn: "\x1b[33m",
  bad: "\x1b[31m",
  title: "\x1b[1;36m",
};

/** Characters that take two columns: those of East Asia, and pictures. */
const WIDE = new RegExp(
  "[\\u1100-\\u115f\\u2e80-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f" +
    "\\uff00-\\uff60\\uffe0-\\uffe6\\u{1f300}-\\u{1faff}\\u{20000}-\\u{3fffd}]",
  "u",
);

/** What is still no character of its own in a text that cannot steer a terminal. */
const WIDTHLESS = /[\p{C}\p{M}]/gu;

/** A text that may come from outside, as characters that take one column each, or two. */
export function toCells(text: string): string {
  return printable(text).replace(WIDTHLESS, "\ufffd");
}

/** Columns that a text of {@linkcode toCells} takes. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) columns += WIDE.test(character) ? 2 : 1;
  return columns;
}

/** A text in exactly so many columns: cut with `…`, or filled at its end, or at its beginning. */
export function fit(from: string, columns: number, align: "left" | "right" = "left"): string {
  const text = toCells(from);
  const missing = columns - columnsOf(text);
  if (missing >= 0) {
    return align === "left" ? text + " ".repeat(missing) : " ".repeat(missing) + text;
  }
  if (columns < 1) return "";
  let [cut, used] = ["", 0];
  for (const character of text) {
    const wide = columnsOf(character);
    if (used + wide > columns - 1) break;
    cut += character;
    used += wide;
  }
  return `${cut}…${" ".repeat(columns - 1 - used)}`;
}

/** A text in lines of so many columns, but for longer words; all but the first are indented. */
export function wrap(from: string, columns: number, indent: number): string[] {
  const [first = "", ...words] = toCells(from).split(" ");
  const lines: string[] = [];
  let line = first;
  for (const word of words) {
    const longer = `${line} ${word}`;
    if (columnsOf(longer) <= columns || line.trim() === "") line = longer;
    else {
      lines.push(line);
      line = " ".repeat(indent) + word;
    }
  }
  return [...lines, line];
}

/** A line of so many columns at most. */
export function lineOf(spans: readonly Span[], columns: number, isColoured: boolean): string {
  let [line, left] = ["", columns];
  for (const span of spans) {
    const [from, tone] = typeof span === "string" ? [span, "plain" as const] : span;
    const text = toCells(from);
    const wide = columnsOf(text);
    const shown = wide > left ? fit(text, left) : text;
    left -= Math.min(wide, left);
    const code = isColoured ? CODES[tone] : "";
    line += code === "" || shown === "" ? shown : `${code}${shown}\x1b[0m`;
    if (left === 0) break;
  }
  return line;
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A share, 0 to 1, as a bar of so many columns. */
export function barOf(share: number, columns: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * columns * 8);
  // What is not empty is seen to be not empty.
  const shown = share > 0 ? Math.max(1, eighths) : 0;
  return fit("█".repeat(shown >> 3) + EIGHTHS[shown & 7]!, columns);
}

/** A column of a table. */
export interface Column<T> {
  title: string;
  /** Columns of the screen; the first column takes what is left. */
  width: number;
  align: "left" | "right";
  /** The least important ones go first where the screen is narrow. */
  weight: number;
  cell(row: T): Span;
}

/** Columns of a screen that the first column of a table has at least. */
const FIRST_COLUMN_MIN = 12;
const GAP = 2;

/** Chooses the columns that fit, and how wide the first one is. */
function chooseColumns<T>(
  columns: readonly Column<T>[],
  width: number,
): { chosen: Column<T>[]; first: number } {
  const [first, ...others] = columns;
  const byWeight = others.toSorted((left, right) => right.weight - left.weight);
  let left = width - FIRST_COLUMN_MIN;
  const chosen = new Set<Column<T>>();
  for (const column of byWeight) {
    if (column.width + GAP > left) break;
    chosen.add(column);
    left -= column.width + GAP;
  }
  const most = Math.max(FIRST_COLUMN_MIN, first!.width);
  return {
    chosen: others.filter((column) => chosen.has(column)),
    first: Math.min(most, FIRST_COLUMN_MIN + left),
  };
}

/** Lays rows out in the columns that fit: the title first, as spans. */
export function tableOf<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  width: number,
): Span[][] {
  const { chosen, first } = chooseColumns(columns, width);
  const lead = columns[0]!;
  const widths = [first, ...chosen.map((column) => column.width)];
  const shown = [lead, ...chosen];
  const cellOf = (text: string, at: number) =>
    (at === 0 ? "" : " ".repeat(GAP)) + fit(text, widths[at]!, shown[at]!.align);
  const title: Span[] = shown.map((column, at) => [cellOf(column.title, at), "quiet"] as const);
  const body = rows.map((row) =>
    shown.map((column, at): Span => {
      const cell = column.cell(row);
      const [text, tone] = typeof cell === "string" ? [cell, "plain" as const] : cell;
      return [cellOf(text, at), tone];
    })
  );
  return [title, ...body];
}

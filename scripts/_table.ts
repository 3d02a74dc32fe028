/**
 * Numbers and tables as people read them.
 *
 * @module
 */

import { paint, shownLength } from "./_output.ts";

/** Lays rows out in columns. The first column is aligned to the left, and those that are text. */
export function formatTable(header: readonly string[], rows: readonly string[][]): string {
  const widths = header.map((title, column) =>
    Math.max(...[title, ...rows.map((row) => row[column] ?? "")].map(shownLength))
  );
  const isNumber = header.map((_, column) =>
    column > 0 && rows.every((row) => /^[\d–]/.test(row[column] ?? ""))
  );
  const line = (cells: readonly string[]) =>
    cells.map((cell, column) => {
      const space = " ".repeat((widths[column] ?? 0) - shownLength(cell));
      return isNumber[column] ? space + cell : cell + space;
    }).join("  ").trimEnd();
  return [paint("bold", line(header)), ...rows.map(line)].join("\n");
}

/** `1234567` as `1,234,567`. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

const TIME_UNITS: [size: number, unit: string][] = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]];

/** `12345` as `12.3 µs`: three digits. */
export function formatNs(ns: number): string {
  const [size, unit] = TIME_UNITS.find(([size]) => ns >= size) ?? [1, "ns"];
  return `${threeDigits(ns / size)} ${unit}`;
}

const BYTE_UNITS: [size: number, unit: string][] = [
  [2 ** 30, "GiB"],
  [2 ** 20, "MiB"],
  [2 ** 10, "KiB"],
];

/** `8388608` as `8 MiB`. */
export function formatBytes(bytes: number): string {
  const [size, unit] = BYTE_UNITS.find(([size]) => bytes >= size) ?? [1, "B"];
  const value = bytes / size;
  return `${Number.isInteger(value) ? value : threeDigits(value)} ${unit}`;
}

function threeDigits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** `0.0123` as `1.23 %`. */
export function formatShare(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

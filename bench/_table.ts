/**
 * Tables and numbers for people.
 *
 * @module
 */

/** Returns rows under a header: the first column to the left, the others to the right. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = header.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0))
  );
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))
      .join("  ").trimEnd();
  return [header, ...rows].map(line).join("\n");
}

/** Nanoseconds with as many digits as mean something: `187 ns`, `4.2 us`, `18 ms`. */
export function formatNs(ns: number): string {
  if (ns < 1000) return `${ns < 10 ? ns.toFixed(1) : ns.toFixed(0)} ns`;
  const [value, unit] = ns < 1e6 ? [ns / 1e3, "us"] : [ns / 1e6, "ms"];
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
}

/** Messages in a second: `31.4 M`, `874 k`. */
export function formatRate(perSecond: number): string {
  return perSecond >= 1e6
    ? `${(perSecond / 1e6).toFixed(1)} M`
    : `${(perSecond / 1e3).toFixed(0)} k`;
}

/** A ratio: `1.93`. */
export function formatRatio(ratio: number): string {
  return ratio.toFixed(2);
}

// Numbers and tables as people read them.

import { assertEquals } from "@std/assert";
import { formatBytes, formatCount, formatNs, formatShare, formatTable } from "../scripts/_table.ts";

Deno.test("formatTable() aligns numbers to the right and words to the left", () => {
  const rows = [["a", "9 µs", "–", "yes"], ["long", "1,234 µs", "5", "no"]];
  assertEquals(
    formatTable(["Name", "Time", "Count", "Word"], rows),
    ["Name      Time  Count  Word", "a         9 µs      –  yes", "long  1,234 µs      5  no"]
      .join("\n"),
  );
});

Deno.test("Numbers are printed with three digits and a unit", () => {
  assertEquals([0, 999, 1_000, 12_345, 1e6, 2.5e9].map(formatNs), [
    ...["0.00 ns", "999 ns", "1.00 µs", "12.3 µs", "1.00 ms", "2.50 s"],
  ]);
  assertEquals([1, 4096, 1_500_000, 8 * 2 ** 20].map(formatBytes), [
    ...["1 B", "4 KiB", "1.43 MiB", "8 MiB"],
  ]);
  assertEquals([formatCount(1_234_567.4), formatShare(0.012_34)], ["1,234,567", "1.23 %"]);
});

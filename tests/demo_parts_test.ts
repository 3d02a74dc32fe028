// Parts of the main job that can be wrong without its figures showing it.

import { assertEquals } from "@std/assert";
import { ExactSum } from "../scripts/demo/_exact_sum.ts";
import { Pacer } from "../lib/market/pacer.ts";
import { Reception } from "../scripts/demo/_reception.ts";
import { formatBytes, formatCount, formatNs, formatShare, formatTable } from "../scripts/_table.ts";

/** What a reception says of these sequences and gaps. */
function receive(...arrivals: (number | [from: number, to: number])[]): Record<string, number> {
  const reception = new Reception();
  for (const arrival of arrivals) {
    if (typeof arrival === "number") reception.takeMessage(arrival);
    else reception.takeGap({ from: arrival[0], to: arrival[1] });
  }
  const { received, lost, gaps, outOfOrder, last } = reception;
  return { received, lost, gaps, outOfOrder, last };
}

Deno.test("Reception tells what is told as lost from what is missing, doubled or too early", () => {
  const none = { received: 0, lost: 0, gaps: 0, outOfOrder: 0, last: 0 };
  assertEquals(receive(), none);
  assertEquals(receive(1, 2, 3), { ...none, received: 3, last: 3 });
  assertEquals(receive(1, [2, 5], 6), { received: 2, lost: 4, gaps: 1, outOfOrder: 0, last: 6 });
  assertEquals(receive([1, 2]), { ...none, lost: 2, gaps: 1, last: 2 });
  assertEquals(receive(2).outOfOrder, 1, "the first is missing");
  assertEquals(receive(1, 3).outOfOrder, 1, "one is missing");
  assertEquals(receive(1, 1).outOfOrder, 1, "one came twice");
  assertEquals(receive(1, [3, 4]).outOfOrder, 1, "the gap does not begin behind the last");
});

Deno.test("ExactSum.add() stays exact beyond 2^53", () => {
  const sum = new ExactSum();
  assertEquals(sum.value, 0n);
  let expected = 0n;
  for (const value of [1, Number.MAX_SAFE_INTEGER, 2, 0, Number.MAX_SAFE_INTEGER, 12_345]) {
    sum.add(value);
    expected += BigInt(value);
    assertEquals(sum.value, expected);
  }
});

Deno.test("Pacer.delayMs() follows the receive times, from the first message on", () => {
  const message = (receiveUs: number) => ({ receiveUs, json: "" });
  const pacer = new Pacer(10);
  assertEquals(pacer.delayMs(message(5_000_000)), 0, "the first is due at once");
  const second = pacer.delayMs(message(1_005_000_000));
  const isTenth = second > 50_000 && second <= 100_000; // Less what the machine took since then.
  assertEquals(isTenth, true, `1,000 s later, at ten times the speed: ${second} ms`);
  assertEquals(pacer.delayMs(message(4_000_000)), 0, "before the first");
  assertEquals(pacer.delayMs(message(9e15)), 3_600_000, "one sleep is an hour at most");
  assertEquals(new Pacer(0).delayMs(message(9e15)), 0);
});

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

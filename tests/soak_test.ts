// The soak's judgement: what grows is told from what only wavers. The soak itself is a task.

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { fitLine, type Sample, trendsOf } from "../scripts/soak/_flatness.ts";
import { Random } from "./_random.ts";

const MIB = 2 ** 20;

/** Three minutes of a process, of whose memory `bytesAt` tells. */
function life(bytesAt: (second: number) => number, more: Partial<Sample> = {}) {
  const samples = Array.from({ length: 90 }, (_, index) => {
    const ageSeconds = 2 * index;
    const ownBytes = bytesAt(ageSeconds);
    return { ageSeconds, ownBytes, rssBytes: 0, descriptors: 20, mappings: 300, ...more };
  });
  return { name: "engine", pid: 1, samples };
}

Deno.test("fitLine() finds slope and error of a line with noise", () => {
  const random = new Random(1);
  const points = Array.from(
    { length: 1000 },
    (_, x) => [x, 3 * x + random.below(101) - 50] as const,
  );
  const { slope, error } = fitLine(points);
  assert(Math.abs(slope - 3) < 4 * error && error < 0.01, `${slope} ± ${error}`);
  assertEquals(fitLine([[0, 1], [1, 3], [2, 5]]), { slope: 2, error: 0 });
});

Deno.test("trendsOf() calls memory flat that wavers, or has grown before it was warm", () => {
  const random = new Random(2);
  const wavering = life(() => 80 * MIB + random.below(8 * MIB));
  const warming = life((second) => (second < 60 ? 40 + second : 100) * MIB);
  for (const trends of [trendsOf(wavering), trendsOf(warming)]) {
    assertEquals(trends.map(({ isFlat }) => isFlat), [true, true, true]);
  }
});

Deno.test("trendsOf() tells of memory and descriptors that grow", () => {
  const random = new Random(3);
  const [memory] = trendsOf(life((second) => 80 * MIB + second * MIB / 6 + random.below(2 * MIB)));
  assertEquals(memory!.isFlat, false);
  assertAlmostEquals(memory!.perMinute / MIB, 10, 1);
  const leaking = life(() => 80 * MIB);
  leaking.samples.forEach((sample, index) => sample.descriptors += Math.floor(index / 10));
  assertEquals(trendsOf(leaking).map(({ isFlat }) => isFlat), [true, false, true]);
});

Deno.test("trendsOf() tells nothing of a life that was too short", () => {
  const { samples, ...rest } = life(() => MIB);
  assertEquals(trendsOf({ ...rest, samples: samples.slice(0, 55) }), []);
  assertEquals(trendsOf({ ...rest, samples: [] }), []);
});

import "../testing/load_library.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { type HistogramCounts, openConsumer, openProducer } from "../mod.ts";
import { LatencyHistogram } from "../lib/observability/mod.ts";
import { Scratch } from "./_support.ts";

const VALUE_MAX = 2 ** 36 - 1;

/** Counts as zig/histogram.zig says, with whole numbers of any size. */
function count(values: number[]): HistogramCounts {
  const counts = new Float64Array(1024);
  for (const value of values) {
    const shift = Math.max(0, BigInt(value).toString(2).length - 6);
    counts[Number((BigInt(shift) << 5n) + (BigInt(value) >> BigInt(shift)))]!++;
  }
  const sum = values.reduce((total, value) => total + value, 0);
  return { sum, min: Math.min(...values), max: Math.max(...values), counts };
}

/** Values whose octave is drawn first, so that all buckets are met. */
const values = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 36 }), fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([bits, share]) => Math.min(VALUE_MAX, Math.floor(share * 2 ** bits))),
  { minLength: 1, maxLength: 300 },
);

Deno.test("LatencyHistogram.percentile() is at most 1/32 above the true value, never below", () => {
  const percents = fc.oneof(fc.constantFrom(0, 50, 99.9, 100), fc.double({ min: 0, max: 100 }));
  fc.assert(fc.property(values, percents.filter((p) => !Number.isNaN(p)), (drawn, p) => {
    const sorted = drawn.toSorted((left, right) => left - right);
    const exact = sorted[Math.max(1, Math.ceil(p * sorted.length / 100)) - 1]!;
    const found = new LatencyHistogram(count(drawn)).percentile(p);
    assert(found >= exact && found - exact <= exact / 32, `${found} for ${exact}`);
  }));
});

Deno.test("LatencyHistogram.cumulative() counts values up to a bound, or up to 1/32 less", () => {
  const bounds = fc.array(fc.integer({ min: 0, max: VALUE_MAX }), { maxLength: 20 })
    .map((drawn) => drawn.toSorted((left, right) => left - right));
  fc.assert(fc.property(values, bounds, (drawn, boundsNs) => {
    const found = new LatencyHistogram(count(drawn)).cumulative([...boundsNs, Infinity]);
    assertEquals(found.pop(), drawn.length);
    for (const [i, bound] of boundsNs.entries()) {
      const atMost = drawn.filter((value) => value <= bound).length;
      const atLeast = drawn.filter((value) => value <= bound * (1 - 1 / 32) - 1).length;
      assert(atLeast <= found[i]! && found[i]! <= atMost, `${found[i]} up to ${bound}`);
    }
  }));
});

Deno.test("LatencyHistogram.since() has the values that came meanwhile", () => {
  fc.assert(fc.property(values, values, (before, after) => {
    const earlier = new LatencyHistogram(count(before));
    const found = new LatencyHistogram(count([...before, ...after])).since(earlier);
    const exact = new LatencyHistogram(count(after));
    assertEquals(found.count, after.length);
    assertAlmostEquals(found.sumNs, exact.sumNs);
    for (const [actual, wanted] of [[found.maxNs, exact.maxNs], [exact.minNs, found.minNs]]) {
      assert(actual! >= wanted! && actual! - wanted! <= actual! / 32 + 1);
    }
    assert(found.percentile(100) >= exact.maxNs);
  }));
});

Deno.test("LatencyHistogram.since() has all values where the histogram was begun anew", () => {
  const [before, after] = [count([5, 6, 7]), count([9])];
  const found = new LatencyHistogram(after).since(new LatencyHistogram(before));
  assertEquals([found.count, found.maxNs], [1, 9]);
});

Deno.test("LatencyHistogram without values has zeros", () => {
  const { minNs, maxNs, meanNs, ...empty } = new LatencyHistogram();
  assertEquals([empty.count, minNs, maxNs, meanNs], [0, 0, 0, 0]);
  assertEquals(new LatencyHistogram().percentile(99), 0);
  assertEquals(new LatencyHistogram().cumulative([0, 1e9]), [0, 0]);
  assertThrows(() => new LatencyHistogram().percentile(101), RangeError, "0 to 100");
});

Deno.test("LatencyHistogram of spoilt memory has numbers", () => {
  const counts = new Float64Array(1024).fill(2 ** 63);
  const found = new LatencyHistogram({ sum: 2 ** 63, min: VALUE_MAX, max: 2 ** 63, counts });
  for (const value of [found.percentile(0), found.percentile(100), ...found.cumulative([1e3])]) {
    assert(Number.isFinite(value));
  }
  assert(found.maxNs <= VALUE_MAX);
});

Deno.test("Channel.histogram() agrees with Channel.latency()", () => {
  using scratch = new Scratch();
  const channel = scratch.create({ timestamps: true });
  const consumer = openConsumer(channel);
  const producer = openProducer(channel);
  for (let i = 0; i < 500; i++) {
    producer.offer(new Uint8Array(8));
    consumer.poll(() => {});
  }
  const found = new LatencyHistogram(channel.histogram("latency", 0));
  const shares = [0, 0.5, 0.9, 0.99, 1];
  const { count, values } = channel.latency(0, shares);
  assertEquals(found.count, count);
  assertEquals(shares.map((share) => found.percentile(share * 100)), values);
  assert(found.minNs <= found.meanNs && found.meanNs <= found.maxNs);
  assertThrows(() => channel.histogram("latency", 4), RangeError, "slot 4");
  assertThrows(() => channel.latency(4, shares), RangeError, "slot 4");
  for (const share of [NaN, -0.1, 1.1, Infinity]) {
    assertThrows(() => channel.latency(0, [0.5, share]), RangeError, `${share}`);
  }
});

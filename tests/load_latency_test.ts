// What the load generator measures, and what others see of it: one and the same.

import { assertEquals } from "@std/assert";
import { openCounters, readCounters } from "../lib/observability/mod.ts";
import { Latency } from "../scripts/load/latency.ts";
import { LOAD_COUNTERS } from "../scripts/services/_counters.ts";
import { Scratch } from "./_support.ts";

Deno.test("Latency tells the first part of a run, and the rest, out of what others see", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  using counters = openCounters("load", LOAD_COUNTERS, { directory });
  const { ackTime } = counters.values;
  ackTime.record(1); // Of a run before.
  const latency = new Latency(ackTime, 10_000);
  for (let toNs = 5_000; toNs < 15_000; toNs += 1_000) latency.record(4_000, toNs);
  const { apart, rest, whole } = latency.summary();
  assertEquals([apart.count, rest.count, whole.count], [5, 5, 10]);
  assertEquals([apart.maxNs, rest.maxNs, whole.maxNs], [5_000, 10_000, 10_000]);
  const seen = readCounters({ directory })[0]!.values.find(({ name }) =>
    name === "load_ack_seconds"
  );
  assertEquals(seen!.histogram!.count, 11);
  assertEquals([50, 100].map((p) => seen!.histogram!.percentile(p)), [whole.p50Ns, whole.maxNs]);
});

Deno.test("Latency tells all of a run as its first part that is not longer", () => {
  using scratch = new Scratch();
  using counters = openCounters("load", LOAD_COUNTERS, { directory: scratch.directory });
  const latency = new Latency(counters.values.ackTime, 10_000);
  latency.record(4_000, 5_000);
  const { apart, rest, whole } = latency.summary();
  assertEquals([apart.count, rest.count], [1, 0]);
  assertEquals(apart, whole);
});

import { assertEquals } from "@std/assert";
import { summarize } from "../scripts/test_fault.ts";

Deno.test("summarize() brings the figures of one name together", () => {
  const values = Array.from({ length: 100 }, (_, i) => `["ms",${100 - i}]`);
  assertEquals(summarize(["", `["once",7]`, ...values, ""].join("\n")), {
    once: 7,
    ms: { count: 100, sum: 5050, p50: 50, p99: 99, max: 100 },
  });
});

// Bytes of strangers, random and mutated, and those that were a finding once: a value or an error
// of ours each time, never a crash, never a hang. `deno task fuzz --minutes 10` is the long form.

import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { IS_LONG } from "../fault/_support.ts";
import { fuzz } from "./_runner.ts";

/** Fixed, so that a failure comes again. */
const SEED = 20240808;

/** Targets of a process, and how many inputs each gets: as many as cost half a second or so. */
const SHORT: Record<string, number>[] = [
  { ring_header: 120, ring_record: 80, log: 20, store: 60, counters: 80, inspect: 80 },
  {
    web_socket: 2000,
    gateway: 2000,
    binance: 1500,
    recording: 400,
    journal: 500,
    snapshot: 400,
    messages: 800,
  },
  { settings: 600, instruments: 250, servers: 200, gateway_client: 200 },
];

for (const short of SHORT) {
  const targets = Object.keys(short);
  Deno.test(`Bytes of strangers do no harm to ${targets.join(", ")}`, async () => {
    const executions = Object.fromEntries(
      Object.entries(short).map(([target, count]) => [target, IS_LONG ? 40 * count : count]),
    );
    const { answers, findings } = await fuzz({
      ...{ targets, seed: SEED, executions, milliseconds: 3_600_000 },
    });
    assertEquals(findings, []);
    for (const answer of answers) {
      assertGreaterOrEqual(answer.executions, executions[answer.target]!, answer.target);
    }
  });
}

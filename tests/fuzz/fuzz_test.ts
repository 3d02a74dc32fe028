// Bytes of strangers, random and mutated, and those that were a finding once: a value or an error
// of ours each time, never a crash, never a hang. `deno task fuzz --minutes 10` is the long form.

import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { IS_LONG } from "../fault/_support.ts";
import { fuzz } from "./_runner.ts";

/** Fixed, so that a failure comes again. */
const SEED = 20240808;

/** Targets of a process, and how many inputs each gets: as many as cost a second or so. */
const SHORT: Record<string, number>[] = [
  { ring_header: 250, ring_record: 150, log: 40, store: 120, counters: 150, inspect: 150 },
  {
    web_socket: 4000,
    gateway: 4000,
    binance: 3000,
    recording: 700,
    journal: 1000,
    snapshot: 800,
    messages: 1500,
  },
  { settings: 1200, instruments: 500, servers: 400, gateway_client: 400 },
];

for (const short of SHORT) {
  const targets = Object.keys(short);
  Deno.test(`Bytes of strangers do no harm to ${targets.join(", ")}`, async () => {
    const executions = Object.fromEntries(
      Object.entries(short).map(([target, count]) => [target, IS_LONG ? 20 * count : count]),
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

// Services that no other test looks into: what they count, and under which names.

import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { readCounters, type ServiceCounters } from "../lib/observability/mod.ts";
import { createChannel, openProducer } from "../mod.ts";
import { type AnyService, runArguments, spawnService } from "../scripts/services/_service.ts";
import { fakeExchange } from "../scripts/services/fake_exchange.ts";
import { marketData } from "../scripts/services/market_data.ts";
import { persister } from "../scripts/services/persister.ts";
import { ServiceProcess } from "./_service_process.ts";
import { runChild, Scratch } from "./_support.ts";
import { until } from "./fault/_support.ts";

/** Starts a service. */
function start(service: AnyService, args: string[]): ServiceProcess {
  return new ServiceProcess(spawnService(service, args, "piped"));
}

function valueOf(counters: ServiceCounters | undefined, wanted: string): number {
  return counters?.values.find(({ name }) => name === wanted)?.value ?? NaN;
}

/** How often timers were looked at. */
function lagOf(counters: ServiceCounters | undefined): number {
  const lag = counters?.values.find(({ name }) => name === "event_loop_lag_seconds");
  return lag?.histogram?.count ?? 0;
}

Deno.test("Services count beside their channels, each under its own name", async () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const log = {
    walDir: `${directory}/wal`,
    segmentBytes: "256KB",
    durability: "disk",
    persister: "outside",
  } as const;
  using channel = createChannel("p.orders", { directory, sizeBytes: "64KB", ...log });
  const place = ["--directory", directory, "--channel-prefix", "p."];
  const find = (wanted: string) =>
    readCounters({ directory }).find(({ instance }) => instance === wanted);
  {
    await using _persister = start(persister, [
      ...[...place, "--channels", "orders", "--wal-dir", log.walDir, "--segment-bytes", "256KB"],
    ]);
    await using first = start(fakeExchange, [...place, "--rate-hz", "100"]);
    await until(
      "it counts",
      () => valueOf(find("p.fake-exchange"), "fake_exchange_steps_total") > 0,
    );
    await using second = start(fakeExchange, place);
    for (const name of ["p.fake-exchange", "p.fake-exchange-2", "p.persister"]) {
      await until(`${name} has looked at itself`, () => lagOf(find(name)) > 0);
    }
    assertEquals(find("p.fake-exchange")?.pid, first.child.pid);
    assertEquals(find("p.fake-exchange-2")?.pid, second.child.pid);
    await until("it writes", () => valueOf(find("p.persister"), "persister_logs") === 1);
    openProducer(channel).write(new Uint8Array(10));
    await until("all is durable", () => channel.stats().log!.durable === 1);
    await until(
      "it is counted",
      () => valueOf(find("p.persister"), "persister_lag_messages") === 0,
    );
    assertEquals(valueOf(find("p.persister"), "persister_logs_failed"), 0);
  }
  const left = readCounters({ directory });
  assertEquals(left.map(({ instance, state }) => `${instance} ${state}`), [
    "p.fake-exchange dead",
    "p.fake-exchange-2 dead",
    "p.persister dead",
  ]);
  for (const counters of left) {
    assertEquals(valueOf(counters, "process_starts_total"), 1);
    assertGreater(valueOf(counters, "process_cpu_seconds_total"), 0);
    assertGreater(valueOf(counters, "process_resident_bytes"), 1e6);
    assertGreater(lagOf(counters), 0);
  }
});

/** Runs a service that cannot start, and returns what it says. */
async function refuse(service: AnyService, args: string[]): Promise<string> {
  const { code, stderr } = await runChild([...runArguments(service, args), ...args]);
  assert(code === 1 || code === 2, stderr);
  return stderr;
}

Deno.test("A service that refuses its settings leaves no counters where it had none", async () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const place = ["--directory", directory];
  const states = () =>
    readCounters({ directory }).map(({ instance, state }) => `${instance} ${state}`);
  assertMatch(await refuse(marketData, place), /without instruments_file/);
  assertMatch(await refuse(persister, [...place, "--channels", "orders"]), /without wal_dir/);
  assertEquals(states(), []);
  {
    await using first = start(fakeExchange, [...place, "--json"]);
    const { url } = await first.event<{ url: string }>();
    const taken = [...place, "--port", new URL(url).port];
    assertMatch(await refuse(fakeExchange, taken), /found it taken/);
    assertEquals(states(), ["fake-exchange alive"]);
    await first.end("SIGKILL");
    assertMatch(await refuse(fakeExchange, [...place, "--faults", "x=2"]), /Cannot use fault/);
    assertEquals(states(), ["fake-exchange dead"]); // It has run, and is not there any more.
  }
  const file = `${directory}/instruments`;
  Deno.writeTextFileSync(file, "damaged");
  assertMatch(
    await refuse(marketData, [...place, "--instruments-file", file]),
    /no such beginning/,
  );
  assertEquals(states(), ["fake-exchange dead", "market-data dead"]); // Nothing that was asked for.
});

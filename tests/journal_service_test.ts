// `mt journal` as people run it: several channels, also such as come later; SIGTERM; reading and
// publishing again.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { readCounters } from "../lib/observability/mod.ts";
import { createChannel, openConsumer, openProducer } from "../mod.ts";
import { journal } from "../scripts/services/journal.ts";
import { spawnService } from "../scripts/services/_service.ts";
import { mtHere } from "./_cli.ts";
import { eventOf, sequencesIn, tradeOf } from "./_journal.ts";
import { ServiceProcess } from "./_service_process.ts";
import { range } from "./_support.ts";
import { runTask, TaskDirectory } from "./_task.ts";

/** Starts the service. */
function startJournal(directory: TaskDirectory, ...args: string[]): ServiceProcess {
  const places = ["--directory", directory.channels, "--journal-dir", `${directory.path}/j`];
  return new ServiceProcess(spawnService(journal, [...places, "--json", ...args], "piped"));
}

/** Ends it; what it tells then. */
async function stop(
  service: ServiceProcess,
  signal: Deno.Signal,
): Promise<Record<string, unknown>> {
  assertEquals((await service.end(signal)).code, 0);
  return await service.event();
}

Deno.test("mt journal writes channels, also later ones, to the end at SIGTERM", async () => {
  using directory = new TaskDirectory();
  Deno.mkdirSync(directory.channels, { mode: 0o700 });
  const place = { directory: directory.channels };
  using orders = createChannel("gateway.orders", { ...place, producers: "many" });
  await using service = startJournal(directory, "--channel", "gateway.orders,engine.events");
  const ready = await service.event();
  assertEquals([ready.event, ready.service], ["ready", "journal"]);
  assertEquals(ready.waiting, ["engine.events"]);
  using events = createChannel("engine.events", place);
  while (events.stats().consumers.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const [first, second] = [openProducer(orders), openProducer(events)];
  for (let id = 1; id <= 500; id++) {
    first.write(tradeOf(id));
    second.write(eventOf(id));
  }
  const stopped = await stop(service, "SIGTERM");
  const channels = stopped.channels as Record<string, { records: number; lastSequence: number }>;
  for (const name of ["gateway.orders", "engine.events"]) {
    assertEquals([channels[name]?.records, channels[name]?.lastSequence], [500, 500], name);
    assertEquals(await sequencesIn(`${directory.path}/j/${name}`), range(1, 500));
  }
  assertEquals(orders.stats().occupancy + events.stats().occupancy, 0);
  const [counters] = readCounters(place);
  const values = counters!.values.map(({ name, value }) => [name, value]);
  const { journal_records_total, journal_files_total } = Object.fromEntries(values);
  assertEquals([journal_records_total, journal_files_total], [1000, 2], "both journals'");
});

Deno.test("mt journal that waits for its channel still ends at SIGINT", async () => {
  using directory = new TaskDirectory();
  await using service = startJournal(directory, "--channel", "never");
  await service.event();
  assertEquals((await stop(service, "SIGINT")).channels, { never: {} });
});

Deno.test("mt journal refuses settings that make no sense", async () => {
  using directory = new TaskDirectory();
  const run = async (...args: string[]) => {
    const { code, stderr } = await runTask("mt", ["journal", ...args], { env: directory.env });
    assertEquals(code, 2, stderr);
    return stderr;
  };
  const where = ["--journal-dir", `${directory.path}/j`];
  assertStringIncludes(await run(...where), "expected channel, or buffer_file");
  assertStringIncludes(await run("--channel", "a"), "without journal_dir");
  const sync = await run("--channel", "a", ...where, "--journal-sync", "often");
  assertStringIncludes(sync, 'expected "batch", "none", or a number');
});

Deno.test("mt journal read prints what verifies, and mt journal replay publishes it", async () => {
  using directory = new TaskDirectory();
  Deno.mkdirSync(directory.channels, { mode: 0o700 });
  using channel = createChannel("feed", { directory: directory.channels });
  const producer = openProducer(channel);
  for (let id = 1; id <= 5; id++) producer.write(tradeOf(id));
  await using service = startJournal(directory, "--channel", "feed");
  await service.event();
  await stop(service, "SIGTERM");
  const files = `${directory.path}/j/feed`;
  const args = ["journal", "read", files, "--from", "2", "--to", "3"];
  const { code, stdout, stderr } = await runTask("mt", args, { env: directory.env });
  assertEquals(code, 0, stderr);
  const lines = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.map(({ sequence, fields }) => [sequence, fields.tradeId]), [[2, 2], [3, 3]]);
  assertStringIncludes(stderr, '"damaged":0');
  using again = createChannel("again", { directory: directory.channels });
  const consumer = openConsumer(again);
  const replay = ["journal", "replay", files, "again", "--pace", "0", "--json"];
  const replayed = await runTask("mt", replay, { env: directory.env });
  assertEquals(replayed.code, 0, replayed.stderr);
  assertEquals(JSON.parse(replayed.stdout).published, 5);
  const payloads: Uint8Array[] = [];
  consumer.poll(({ payload }) => void payloads.push(payload.slice()));
  assertEquals(payloads, range(1, 5).map((id) => tradeOf(id)));
  const missing = await mtHere("journal", "read", `${files}/none`);
  assertEquals(missing.code, 1);
  assert(missing.stderr.startsWith("error: Cannot read"), missing.stderr);
});

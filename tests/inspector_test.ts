// The inspector's model and server, without a browser.

import "../testing/load_library.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { openConsumer, openProducer } from "../mod.ts";
import { Inspector } from "../lib/observability/mod.ts";
import { SAMPLES_MAX } from "../lib/observability/inspector.ts";
import { readLogDirectory } from "../lib/observability/log_directory.ts";
import { listCheckpoints } from "../lib/durability/checkpoint_list.ts";
import { defaultDirectory } from "../lib/native/path.ts";
import { newestRecords } from "../scripts/inspector/_records.ts";
import { serveInspector } from "../scripts/inspector/_server.ts";
import { createDurable, openIn } from "./_checkpoints.ts";
import { drain, encode, Scratch } from "./_support.ts";

Deno.test("Inspector shows channels, whatever is in them, and their recent past", () => {
  using scratch = new Scratch();
  const channel = scratch.create({ sizeBytes: "64KB", timestamps: true });
  const slow = openConsumer(channel, { name: "slow" });
  const producer = openProducer(channel, { name: "gateway" });
  Deno.writeTextFileSync(`${scratch.directory}/spoilt.ring`, "nothing");
  const inspector = new Inspector(scratch);
  for (let count = 0; count < SAMPLES_MAX + 2; count++) {
    producer.offer(encode("a message"));
    if (count > SAMPLES_MAX) drain(slow);
    inspector.look();
  }
  const { channels, channelCount, health } = inspector.overview();
  assertEquals([channelCount, channels.map(({ name }) => name)], [2, ["spoilt", "test"]]);
  assertStringIncludes(channels[0]!.error!, "found 7 bytes");
  assertEquals([channels[1]!.producers, channels[1]!.consumers, channels[1]!.behind], [1, 1, 0]);
  assert(channels[1]!.p99Ns! > 0, "what was handed over at the last look was measured");
  assertEquals(health.reasons.map(({ subject }) => subject), ["spoilt"]);
  const all = inspector.channel("test")!;
  assertEquals(all.samples.length, SAMPLES_MAX, "no more are remembered");
  const [timeMs] = all.samples.at(-3)!;
  const later = inspector.channel("test", timeMs)!.samples;
  assert(later.length <= 2 && later.every(([sampleMs]) => sampleMs > timeMs));
  assertEquals(inspector.channel("spoilt")!.channel!.name, "spoilt");
  assertEquals(inspector.channel("none"), undefined);
});

Deno.test("readLogDirectory() tells what is damaged in a log, and what is missing", async () => {
  using scratch = new Scratch();
  const walDir = `${scratch.directory}/wal`;
  {
    const channel = createDurable(scratch);
    const consumer = openConsumer(channel, { name: "a" });
    const producer = openProducer(channel);
    for (let count = 0; count < 24; count++) {
      const sequence = producer.write(new Uint8Array(30_000));
      await producer.durable(sequence);
      consumer.poll(() => {});
    }
    channel.close();
  }
  const directory = `${walDir}/orders`;
  const log = readLogDirectory(directory)!;
  assert(log.segments.length >= 3, `${log.segments.length} segments`);
  assertEquals([log.channel, log.isClosed, log.damage, log.firstSequence], ["orders", true, [], 1]);
  for (const [at, { firstSequence, lastSequence, damage, createdMs }] of log.segments.entries()) {
    const next = log.segments[at + 1];
    assertEquals([lastSequence, damage], [
      next === undefined ? null : next.firstSequence - 1,
      null,
    ]);
    assert(firstSequence >= 1 && createdMs > 0);
  }
  // A bit of a head, a segment, the control file.
  const [first, second] = log.segments;
  const path = `${directory}/${first!.name}`;
  const bytes = Deno.readFileSync(path);
  bytes[40]! ^= 1;
  Deno.writeFileSync(path, bytes);
  Deno.removeSync(`${directory}/${second!.name}`);
  Deno.writeFileSync(`${directory}/control`, bytes);
  const spoilt = readLogDirectory(directory)!;
  assertEquals(spoilt.segments[0]!.damage, "its header does not verify");
  assertMatch(spoilt.damage.join("; "), /no slot of its control.*missing between number 1 and 3/);
  assertEquals(spoilt.channel, "orders", "by the directory's name");
  // A channel without a ring is there by its log.
  scratch.open({}, "orders").close();
  Deno.removeSync(`${scratch.directory}/orders.ring`);
  const inspector = new Inspector({ ...scratch, walDir });
  inspector.look();
  assertEquals(inspector.channel("orders")!.channel, null);
  assertEquals(inspector.overview().logs[0]!.damage, spoilt.damage);
  Deno.writeTextFileSync(`${directory}/0000000a-${"9".repeat(20)}.wal`, "short");
  assertEquals(readLogDirectory(directory)!.segments.at(-1)!.damage, "too short for a header");
  assertEquals(readLogDirectory(scratch.directory), undefined);
});

Deno.test("listCheckpoints() lists them while they are made, and takes no lock", async () => {
  using scratch = new Scratch();
  const directory = `${scratch.directory}/checkpoints`;
  assertEquals(await listCheckpoints(scratch.directory), undefined);
  {
    using checkpoints = openIn(scratch); // Owns both stores all the time.
    const made: Promise<void>[] = [];
    for (let count = 1; count <= 20; count++) {
      const state = new Uint8Array(10_000 + count);
      made.push(
        checkpoints.checkpoint("books", { state, consumers: [] }).then(() => {}),
      );
      await Promise.all([made.at(-1), listCheckpoints(directory)]);
      const list = (await listCheckpoints(directory))!;
      assertEquals(list.damage, []);
      assertEquals(list.checkpoints.map(({ damage }) => damage).filter(Boolean), []);
      assertEquals([list.checkpoints[0]!.state, list.checkpoints[0]!.bytes], [
        ...["books", 10_000 + count],
      ]);
    }
    await Promise.all(made);
  }
  const file = `${directory}/a/data.mdb`;
  const bytes = Deno.readFileSync(file);
  for (let at = 0; at < bytes.length; at += 64) bytes[at]! ^= 0x55;
  Deno.writeFileSync(file, bytes);
  const spoilt = (await listCheckpoints(directory))!;
  assertMatch(spoilt.damage.join(), /data\.mdb/);
  assertEquals(new Set(spoilt.checkpoints.map(({ store }) => store)), new Set(["b"]));
});

Deno.test("newestRecords() shows text as text, other bytes as they are, and damage", () => {
  using scratch = new Scratch();
  const channel = scratch.create({ sizeBytes: "64KB" });
  const producer = openProducer(channel);
  for (let count = 0; count < 30; count++) producer.write(encode(`message ${count}`));
  producer.write(encode("\u00e4".repeat(60))); // Cut within a character.
  producer.write(encode("\x1b[31m"));
  const { records, notes, error } = newestRecords("test", scratch);
  assertEquals([records.length, notes, error], [20, [], null]);
  assertEquals(records.map(({ sequence }) => sequence).slice(0, 3), [32, 31, 30]);
  assertEquals(records[0]!.head, { hex: "1b5b33316d" });
  assertEquals(records[1]!.head, { text: `${"\u00e4".repeat(48)}…` });
  assertEquals(records[2]!.head, { text: "message 29" });
  assertMatch(newestRecords("none", scratch).error!, /none/);
  const bytes = Deno.readFileSync(scratch.path());
  const at = new TextDecoder("latin1").decode(bytes).lastIndexOf("message 25");
  bytes[at]! ^= 1;
  Deno.writeFileSync(scratch.path(), bytes);
  const damaged = newestRecords("test", scratch);
  assertMatch([...damaged.notes, damaged.error].join(), /26/);
});

Deno.test("The inspector says where it looks, if nobody has told it as well", async () => {
  const server = await serveInspector({ port: 0, intervalMs: 1000 });
  try {
    const { place } = await (await fetch(`${server.url}api/look`)).json();
    assertEquals(place.directory, defaultDirectory());
  } finally {
    await server.stop();
  }
});

Deno.test("The inspector answers only GET, and only pages of this host", async () => {
  using scratch = new Scratch();
  scratch.create();
  const server = await serveInspector({ directory: scratch.directory, port: 0, intervalMs: 1000 });
  try {
    const ask = async (path: string, headers: Record<string, string> = {}, method = "GET") => {
      const response = await fetch(`${server.url}${path}`, { method, headers });
      return { response, text: await response.text() };
    };
    const page = await ask("");
    assertEquals(page.response.status, 200);
    assertMatch(
      page.response.headers.get("content-security-policy")!,
      /^default-src 'none'; script/,
    );
    const look = await ask("api/look?channel=test&since=nonsense");
    assertEquals(JSON.parse(look.text).chosen.channel.name, "test");
    assertEquals((await ask("api/look?channel=%00%ff")).response.status, 200);
    assertEquals((await ask("api/look", {}, "HEAD")).text, "");
    assertEquals((await ask("nothing")).response.status, 404);
    assertEquals((await ask("api/verify?channel=test")).response.status, 404, "it has no log");
    const posted = await ask("api/look", {}, "POST");
    assertEquals([posted.response.status, posted.response.headers.get("allow")], [
      405,
      "GET, HEAD",
    ]);
    const foreign = await ask("api/look", { "sec-fetch-site": "cross-site" });
    assertEquals(foreign.response.status, 403);
    const rebound = await rawStatus(
      server.url,
      "GET /api/look HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    );
    assertEquals(rebound, 403);
    Deno.writeTextFileSync(`${scratch.directory}/spoilt.ring`, "nothing");
    assertEquals((await ask("api/look?channel=spoilt")).response.status, 200);
  } finally {
    await server.stop();
  }
});

/** The status of an answer to a request as it is written. */
async function rawStatus(url: string, request: string): Promise<number> {
  const { hostname, port } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(encode(request));
  const bytes = new Uint8Array(1024);
  const size = await connection.read(bytes) ?? 0;
  return Number(new TextDecoder().decode(bytes.subarray(0, size)).split(" ")[1]);
}

// Metrics as Prometheus gets them, out of channels that this process has made.

import "../testing/load_library.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { setTimeout } from "node:timers/promises";
import { counter, gauge, histogram, openCounters, Watch } from "../lib/observability/mod.ts";
import { createRegistry, METRICS } from "../lib/observability/prometheus.ts";
import { openConsumer, openProducer } from "../mod.ts";
import { obstacle, promtool } from "./_prometheus.ts";
import { ROOT, runChild, Scratch } from "./_support.ts";

/** Values of a text by their series, such as `mt_channels{channel="a"}`. */
function parse(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const space = line.lastIndexOf(" ");
    return [line.slice(0, space), Number(line.slice(space + 1))];
  }));
}

/** A directory, and what is shown of it. */
class Scene implements Disposable {
  readonly scratch = new Scratch();
  readonly #watch = new Watch({ directory: this.scratch.directory });
  readonly registry;

  constructor(options: { seriesMax?: number } = {}) {
    this.registry = createRegistry(() => this.#watch.look(), options);
  }

  async values(): Promise<Map<string, number>> {
    return parse(await this.registry.metrics());
  }

  [Symbol.dispose](): void {
    this.scratch[Symbol.dispose]();
  }
}

const PAYLOAD = new Uint8Array(100);

Deno.test("createRegistry() shows a channel, who takes part, and its log", async () => {
  using scene = new Scene();
  const walDir = `${scene.scratch.directory}/wal`;
  Deno.mkdirSync(walDir);
  const channel = scene.scratch.create({ walDir, durability: "disk", sizeBytes: "64KB" }, "orders");
  const producer = openProducer(channel, { name: "feed" });
  const slow = openConsumer(channel, { name: "slow" });
  openConsumer(channel, { name: "fast", onSlow: "drop" });
  for (let i = 0; i < 3; i++) producer.write(PAYLOAD);
  assertEquals(await producer.durable(producer.write(PAYLOAD)), "disk");
  slow.poll(() => {}, 1);
  Deno.writeTextFileSync(`${scene.scratch.directory}/spoilt.ring`, "nothing");
  let values = await scene.values();
  // It tells that a message is durable before it takes its place in the ring for free.
  const persister = 'mt_consumer_lag_messages{channel="orders",consumer="mt.persister"}';
  for (; values.get(persister) !== 0; values = await scene.values()) await setTimeout(10);
  const expected: Record<string, number> = {
    'mt_channel_up{channel="orders"}': 1,
    'mt_channel_up{channel="spoilt"}': 0,
    'mt_channel_size_bytes{channel="orders"}': 65_536,
    'mt_channel_messages_total{channel="orders"}': 4,
    'mt_producer_messages_total{channel="orders",producer="feed"}': 4,
    'mt_producer_bytes_total{channel="orders",producer="feed"}': 400,
    'mt_producers{channel="orders",producer="feed",state="alive"}': 1,
    'mt_producers{channel="orders",producer="feed",state="dead"}': 0,
    'mt_consumer_lag_messages{channel="orders",consumer="slow"}': 3,
    'mt_consumer_gating{channel="orders",consumer="slow"}': 1,
    'mt_consumer_gating{channel="orders",consumer="fast"}': 0,
    'mt_wal_state{channel="orders",state="running"}': 1,
    'mt_wal_state{channel="orders",state="failed"}': 0,
    'mt_wal_durable_sequence{channel="orders"}': 4,
    'mt_wal_lag_messages{channel="orders"}': 0,
    'mt_wal_opens_total{channel="orders"}': 1,
  };
  for (const [series, value] of Object.entries(expected)) {
    assertEquals(values.get(series), value, series);
  }
  const free = values.get('mt_wal_disk_free_bytes{channel="orders"}')!;
  assert(free > 0 && free <= values.get('mt_wal_disk_size_bytes{channel="orders"}')!);
  assert(![...values.keys()].some((series) => series.includes(`${Deno.pid}`)), "no process ids");
});

Deno.test("createRegistry() counts those without a name as one, and never falls", async () => {
  using scene = new Scene();
  const channel = scene.scratch.create({ producers: "many", sizeBytes: "64KB" }, "orders");
  const total = async () =>
    (await scene.values()).get('mt_producer_messages_total{channel="orders",producer=""}');
  const first = openProducer(channel);
  const second = openProducer(channel);
  for (let i = 0; i < 5; i++) first.write(PAYLOAD);
  second.write(PAYLOAD);
  assertEquals(await total(), 6);
  first.close();
  using third = openProducer(channel); // Takes the place of the first.
  third.write(PAYLOAD);
  third.write(PAYLOAD);
  second.write(PAYLOAD);
  assertEquals(await total(), 9);
  assertEquals(await total(), 9);
});

Deno.test("createRegistry() counts once what those have counted whose places go on", async () => {
  using scene = new Scene();
  const channel = scene.scratch.create({ sizeBytes: "64KB" }, "test");
  const flags = ["--no-prompt", "--no-lock", "--allow-read", "--allow-write"];
  const script = `${ROOT}tests/_channel_counters_child.ts`;
  const args = ["run", ...flags, `--allow-ffi=${ROOT}zig-out`, script, scene.scratch.directory];
  for (const turn of [1, 2]) {
    assertEquals((await runChild([...args, "end"])).code, 0);
    const values = await scene.values();
    const sent = values.get('mt_producer_messages_total{channel="test",producer="maker"}');
    const taken = values.get('mt_consumer_messages_total{channel="test",consumer="taker"}');
    assertEquals([sent, taken], [10 * turn, 11 * turn], "one of them was given back");
  }
  openProducer(channel, { name: "other" }).write(PAYLOAD);
  const other = 'mt_producer_messages_total{channel="test",producer="other"}';
  assertEquals((await scene.values()).get(other), 1, "what its place has counted is not its own");
});

Deno.test("createRegistry() tells another one in a place from the one before", async () => {
  using scene = new Scene();
  const channel = scene.scratch.create({ sizeBytes: "64KB" }, "orders");
  using producer = openProducer(channel);
  const name = 'mt_consumer_messages_total{channel="orders",consumer=""}';
  for (const [count, total] of [[3, 3], [5, 8], [5, 13], [2, 15]] as const) {
    using consumer = openConsumer(channel, { from: "latest" });
    for (let i = 0; i < count; i++) producer.write(PAYLOAD);
    consumer.poll(() => {});
    assertEquals((await scene.values()).get(name), total);
  }
});

Deno.test("createRegistry() has histograms of hand-offs and of the log", async () => {
  using scene = new Scene();
  const walDir = `${scene.scratch.directory}/wal`;
  Deno.mkdirSync(walDir);
  const options = { walDir, durability: "disk", timestamps: true, sizeBytes: "64KB" } as const;
  const channel = scene.scratch.create(options, "orders");
  const producer = openProducer(channel);
  const consumers = [openConsumer(channel), openConsumer(channel)];
  const count = 'mt_consumer_handoff_seconds_count{channel="orders",consumer=""}';
  const deliver = async () => {
    assertEquals(await producer.durable(producer.write(PAYLOAD)), "disk");
    for (const consumer of consumers) consumer.poll(() => {});
    return await scene.values();
  };
  assertEquals((await deliver()).get(count), 2);
  consumers[0]!.close();
  consumers[0] = openConsumer(channel);
  await scene.values();
  const values = await deliver();
  assertEquals(values.get(count), 4, "also those of the consumer that is gone");
  for (const name of ["mt_wal_sync_seconds", "mt_wal_group_bytes", "mt_consumer_handoff_seconds"]) {
    const of = (part: string) => [...values].filter(([series]) => series.startsWith(name + part));
    const buckets = of("_bucket");
    const rising = buckets.map(([, value]) => value);
    assertEquals(rising, rising.toSorted((a, b) => a - b), name);
    const total = of("_count")[0]![1];
    assertEquals(rising.at(-1), total);
    assertStringIncludes(buckets.at(-1)![0], 'le="+Inf"');
    assert(of("_sum")[0]![1] > 0 && total > 0, name);
  }
});

Deno.test("createRegistry() begins anew with a channel that was made anew", async () => {
  using scene = new Scene();
  for (const count of [3, 5]) {
    if (count === 5) Deno.removeSync(scene.scratch.path("orders"));
    const producer = openProducer(scene.scratch.create({}, "orders"), { name: "feed" });
    for (let i = 0; i < count; i++) producer.write(PAYLOAD);
    const values = await scene.values();
    assertEquals(values.get('mt_channel_messages_total{channel="orders"}'), count);
    const own = 'mt_producer_messages_total{channel="orders",producer="feed"}';
    assertEquals(values.get(own), count);
  }
});

Deno.test("createRegistry() leaves out whole what has no room, and counts it", async () => {
  using scene = new Scene({ seriesMax: 30 });
  for (let i = 10; i < 20; i++) scene.scratch.create({}, `channel-${i}`);
  const values = await scene.values();
  const shown = [...values.keys()].filter((series) => series.includes("channel="));
  assertEquals(values.get("mt_exporter_series"), shown.length);
  assert(shown.length > 0 && shown.length <= 30);
  const channels = Map.groupBy(shown, (series) => /channel="([^"]*)"/.exec(series)![1]!);
  const sizes = new Set([...channels.values()].map(({ length }) => length));
  assertEquals([...channels.keys()][0], "channel-10", "the first by name are there");
  assertEquals(sizes.size, 1, "each that is shown is shown whole");
  const [size] = [...sizes];
  const leftOut = 10 * size! - shown.length;
  assertEquals(values.get("mt_exporter_series_left_out_total"), leftOut);
  assertEquals((await scene.values()).get("mt_exporter_series_left_out_total"), 2 * leftOut);
  assertThrows(() => createRegistry(() => new Watch().look(), { seriesMax: 0 }), RangeError);
});

Deno.test("createRegistry() shows what services have counted, also when gone", async () => {
  using scene = new Scene();
  const { directory } = scene.scratch;
  {
    using shop = openCounters("shop", {
      orders: counter("shop_orders_total", "Orders taken."),
      open: gauge("shop_open", "1 while it is open."),
      wait: histogram("shop_wait_seconds", "Time that a customer waits."),
      false: counter("channel_up", "Another metric has that name."),
    }, { directory });
    shop.values.orders.add(3);
    shop.values.open.set(1);
    shop.values.wait.record(2_000_000);
    assertEquals((await scene.values()).get('mt_service_up{service="shop"}'), 1);
  }
  Deno.writeTextFileSync(`${directory}/spoilt.counters`, "nothing");
  const text = await scene.registry.metrics();
  const values = parse(text);
  const expected: Record<string, number | undefined> = {
    'mt_service_up{service="shop"}': 0,
    'mt_service_stopped{service="shop"}': 1,
    'mt_service_up{service="spoilt"}': 0,
    'mt_service_stopped{service="spoilt"}': 0,
    'mt_shop_orders_total{service="shop"}': 3,
    'mt_shop_open{service="shop"}': 1,
    'mt_shop_wait_seconds_bucket{service="shop",le="0.001"}': 0,
    'mt_shop_wait_seconds_bucket{service="shop",le="0.0025"}': 1,
    'mt_shop_wait_seconds_sum{service="shop"}': 0.002,
    'mt_channel_up{service="shop"}': undefined,
  };
  for (const [series, value] of Object.entries(expected)) {
    assertEquals(values.get(series), value, series);
  }
  assertStringIncludes(text, "# HELP mt_shop_orders_total Orders taken.\n");
  const metrics = await scene.registry.getMetricsAsJSON();
  const orders = metrics.find(({ name }) => name === "mt_shop_orders_total");
  assertEquals(orders?.values.map(({ value }) => value), [3]);
  if (obstacle === "") {
    assertEquals(await promtool(["check", "metrics"], text), { code: 0, output: "" });
  }
});

Deno.test("METRICS have names, types and help as Prometheus wants them", () => {
  assertEquals(new Set(METRICS.map(({ name }) => name)).size, METRICS.length);
  for (const { name, type, help, labels } of METRICS) {
    assert(/^(mt|process)_[a-z_]+$/.test(name), name);
    assertEquals(name.endsWith("_total"), type === "counter", name);
    assert(type !== "histogram" || /_(seconds|bytes)$/.test(name), name);
    assert(help.endsWith(".") && help.length > 8, name);
    assert(labels.every((label) => !["instance", "job", "le", "pid"].includes(label)), name);
  }
});

Deno.test("Names and texts of others steer no terminal that shows the metrics", async () => {
  using scene = new Scene();
  const channel = scene.scratch.create({}, "orders");
  openProducer(channel, { name: "\x1b[31mred\n" });
  openConsumer(channel, { name: "\x9b" });
  using _ = openCounters("shop", { orders: counter("orders_total", "\x1b]0;title\x07.") }, {
    directory: scene.scratch.directory,
  });
  const text = await scene.registry.metrics();
  assertEquals(/[^\n\P{Cc}]/u.exec(text)?.[0], undefined);
  assertStringIncludes(text, 'producer="\\\\u001b[31mred\\\\u000a"');
});

Deno.test({
  name: `promtool finds nothing wrong with what is shown${obstacle}`,
  ignore: obstacle !== "",
  async fn() {
    using scene = new Scene();
    const walDir = `${scene.scratch.directory}/wal`;
    Deno.mkdirSync(walDir);
    const channel = scene.scratch.create({ walDir, durability: "disk" }, "orders");
    openProducer(channel).write(PAYLOAD);
    openConsumer(channel, { name: 'a"b\\c' });
    const text = await scene.registry.metrics();
    assertStringIncludes(text, 'consumer="a\\"b\\\\c"');
    assertEquals(await promtool(["check", "metrics"], text), { code: 0, output: "" });
    const spoilt = text.replace("# TYPE mt_channel_up gauge", "# TYPE mt_channel_up counter");
    assertEquals((await promtool(["check", "metrics"], spoilt)).code, 3);
  },
});

/**
 * Metrics of channels and services for Prometheus, made when it asks: nothing is counted here, it
 * is all in shared memory, also what dead processes have left.
 *
 * An entry point of its own, as it needs `prom-client`.
 *
 * @module
 */

// deno-lint-ignore-file no-import-prefix -- Whoever imports this by URL has no import map.

import { cpuUsage } from "node:process";
import { type Metric, Registry } from "npm:prom-client@15.1.3";
import { type DiskSpace, readDiskSpace } from "./disk_space.ts";
import {
  CHANNEL_METRICS,
  CHANNEL_UP,
  CONSUMER_COUNTERS,
  CONSUMER_METRICS,
  CONSUMER_STATES,
  DISK_METRICS,
  EXPORTER_METRICS,
  LOG_METRICS,
  LOG_STATE,
  type MetricDefinition,
  METRICS,
  type PeerCounter,
  type PeerGroup,
  PRODUCER_COUNTERS,
  PRODUCER_STATES,
  type StateMetric,
  type ValueMetric,
} from "./metric_definitions.ts";
import { type Entry, type Labels, RisingSums, type Sample, SampleSet } from "./series.ts";
import { isReadable, type Look, type WatchedChannel, type WatchedPeer } from "./watch.ts";

export { type MetricDefinition, METRICS };

/** How much a registry shows. */
export interface RegistryOptions {
  /**
   * Series of channels and services at most. What of a channel does not fit is left out whole, and
   * counted in `mt_exporter_series_left_out_total`. Default: 10 000.
   */
  seriesMax?: number;
}

const SERIES_MAX = 10_000;

/**
 * Returns a registry of `prom-client` whose `metrics()` looks once and shows all that is seen.
 *
 * Metrics of your own may be registered in it as well. Channels are told apart by their names,
 * producers and consumers by channel and name, never by process: those without a name count as one.
 * Their counters go on where another one takes the place; a channel that is made anew begins at 0.
 *
 * Cost: that of a look, and some microseconds for each series.
 *
 * @param look Looks: `() => watch.look()`.
 * @throws {RangeError} If `seriesMax` is no whole number of at least 1.
 *
 * @example What Prometheus gets
 * ```ts
 * import { createRegistry } from "message_transport/prometheus";
 * import { Watch } from "message_transport/observability";
 * import { createChannel, openProducer } from "message_transport";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const directory = Deno.makeTempDirSync();
 * {
 *   using channel = createChannel("orders", { directory, sizeBytes: "64KB" });
 *   openProducer(channel).write(new Uint8Array(10));
 *   const watch = new Watch({ directory });
 *   const registry = createRegistry(() => watch.look());
 *   const text = await registry.metrics();
 *   assertStringIncludes(text, 'mt_channel_messages_total{channel="orders"} 1\n');
 * }
 * Deno.removeSync(directory, { recursive: true });
 * ```
 */
export function createRegistry(look: () => Look, options: RegistryOptions = {}): Registry {
  const { seriesMax = SERIES_MAX } = options;
  if (!Number.isSafeInteger(seriesMax) || seriesMax < 1) {
    throw new RangeError(`Cannot show ${seriesMax} series: expected a whole number from 1 on`);
  }
  const registry = new Registry();
  const exporter = new Exporter(look, seriesMax);
  for (const metric of METRICS) register(registry, metric, () => exporter.of(metric.name));
  return registry;
}

function register(
  registry: Registry,
  { name, type, help }: MetricDefinition,
  read: () => readonly Sample[],
): void {
  const get = () => Promise.resolve({ name, type, help, aggregator: "sum", values: read() });
  // The registry needs no more of a metric than this, but its type asks for more.
  const metric = { name, type, help, get, reset() {} };
  registry.registerMetric(metric as unknown as Metric);
}

/** Makes the samples of a look. */
class Exporter {
  readonly #look: () => Look;
  readonly #seriesMax: number;
  readonly #sums = new RisingSums();
  #samples: SampleSet | undefined;
  #leftOut = 0;

  constructor(look: () => Look, seriesMax: number) {
    this.#look = look;
    this.#seriesMax = seriesMax;
  }

  /** Returns a metric's samples. A registry asks for all metrics in one turn: that is one look. */
  of(metric: string): readonly Sample[] {
    if (this.#samples === undefined) {
      this.#samples = this.#scrape();
      queueMicrotask(() => this.#samples = undefined);
    }
    return this.#samples.of(metric);
  }

  #scrape(): SampleSet {
    const startMs = performance.now();
    const look = this.#look();
    const lookSeconds = (performance.now() - startMs) / 1000;
    const samples = new SampleSet(this.#seriesMax);
    const disks = new Map(readDiskSpace(look).map((disk) => [disk.directory, disk]));
    this.#sums.turn();
    for (const channel of look.channels) {
      const up = { labels: { channel: channel.name }, value: Number(isReadable(channel)) };
      samples.add([
        [CHANNEL_UP.name, up],
        ...(isReadable(channel) ? channelEntries(channel, disks) : []),
      ]);
      if (isReadable(channel)) this.#addPeers(samples, channel);
    }
    this.#leftOut += samples.leftOut;
    const { count: series } = samples;
    samples.addAlways(ownEntries({ lookSeconds, series, leftOut: this.#leftOut }));
    return samples;
  }

  #addPeers(samples: SampleSet, channel: WatchedChannel): void {
    for (const group of groupsOf(channel, channel.producers)) {
      const labels = { channel: channel.name, producer: nameOf(group) };
      samples.add([
        ...stateEntries(PRODUCER_STATES, group, labels),
        ...this.#counterEntries(PRODUCER_COUNTERS, group, labels),
      ]);
    }
    for (const group of groupsOf(channel, channel.consumers)) {
      const labels = { channel: channel.name, consumer: nameOf(group) };
      samples.add([
        ...stateEntries(CONSUMER_STATES, group, labels),
        ...valueEntries(CONSUMER_METRICS, group, labels),
        ...this.#counterEntries(CONSUMER_COUNTERS, group, labels),
      ]);
    }
  }

  #counterEntries(counters: readonly PeerCounter[], group: PeerGroup, labels: Labels): Entry[] {
    const { bufferFile, createdMs } = group.channel;
    const series = JSON.stringify([bufferFile, createdMs, labels]);
    const parts = group.peers.map((peer) => ({
      key: `${peer.index} ${peer.pid}`,
      values: counters.map(({ read }) => read(peer)),
    }));
    const sums = this.#sums.sum(series, parts);
    return counters.map(({ name }, place) => [name, { labels, value: sums[place]! }]);
  }
}

/** Those of one name together. */
function groupsOf(channel: WatchedChannel, peers: readonly WatchedPeer[]): PeerGroup[] {
  const byName = Map.groupBy(peers, ({ name }) => name);
  return [...byName.values()].map((peers) => ({ channel, peers }));
}

function nameOf({ peers }: PeerGroup): string {
  return peers[0]!.name;
}

function channelEntries(
  channel: WatchedChannel,
  disks: ReadonlyMap<string, DiskSpace>,
): Entry[] {
  const labels = { channel: channel.name };
  const entries = valueEntries(CHANNEL_METRICS, channel, labels);
  if (channel.log === null) return entries;
  const log = { ...channel.log, messages: channel.messages };
  const disk = disks.get(log.directory);
  return [
    ...entries,
    ...stateEntries(LOG_STATE, log, labels),
    ...valueEntries(LOG_METRICS, log, labels),
    ...(disk === undefined ? [] : valueEntries(DISK_METRICS, disk, labels)),
  ];
}

function valueEntries<S>(
  metrics: readonly ValueMetric<S>[],
  subject: S,
  labels: Labels,
): Entry[] {
  return metrics.map(({ name, read }) => [name, { labels, value: read(subject) }]);
}

function stateEntries<S>(metric: StateMetric<S>, subject: S, labels: Labels): Entry[] {
  return metric.states.map((state) => {
    return [metric.name, { labels: { ...labels, state }, value: metric.read(subject, state) }];
  });
}

function ownEntries(look: { lookSeconds: number; series: number; leftOut: number }): Entry[] {
  const { lookSeconds, series, seriesLeftOut, cpu, memory, heap, start } = EXPORTER_METRICS;
  const { user, system } = cpuUsage();
  const { rss, heapUsed } = Deno.memoryUsage();
  const values: [MetricDefinition, number][] = [
    [lookSeconds, look.lookSeconds],
    [series, look.series],
    [seriesLeftOut, look.leftOut],
    [cpu, (user + system) / 1e6],
    [memory, rss],
    [heap, heapUsed],
    [start, performance.timeOrigin / 1000],
  ];
  return values.map(([{ name }, value]) => [name, { labels: {}, value }]);
}

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
import { shownText } from "../native/failure.ts";
import {
  CHANNEL_METRICS,
  CHANNEL_UP,
  DISK_METRICS,
  LOG_HISTOGRAMS,
  LOG_METRICS,
  LOG_STATE,
} from "./channel_metrics.ts";
import type { ServiceCounters } from "./counters.ts";
import { type DiskSpace, readDiskSpace } from "./disk_space.ts";
import type { LatencyHistogram } from "./latency_histogram.ts";
import type { HistogramMetric, MetricDefinition, StateMetric, ValueMetric } from "./metric.ts";
import {
  CONSUMER_COUNTERS,
  CONSUMER_METRICS,
  CONSUMER_STATES,
  HANDOFF,
  type PeerCounter,
  type PeerGroup,
  PRODUCER_COUNTERS,
  PRODUCER_STATES,
} from "./peer_metrics.ts";
import { type Entry, type Labels, RisingSums, SampleSet } from "./series.ts";
import {
  EXPORTER_METRICS,
  SERVICE_SECONDS,
  SERVICE_STARTED,
  SERVICE_STOPPED,
  SERVICE_UP,
  serviceMetric,
} from "./service_metrics.ts";
import {
  isReadable,
  type Look,
  type WatchedChannel,
  type WatchedConsumer,
  type WatchedPeer,
} from "./watch.ts";

export type { MetricDefinition };

/** Every metric that no service defines. */
export const METRICS: readonly MetricDefinition[] = [
  ...[
    CHANNEL_UP,
    ...CHANNEL_METRICS,
    LOG_STATE,
    ...LOG_METRICS,
    ...LOG_HISTOGRAMS,
    ...DISK_METRICS,
  ],
  ...[PRODUCER_STATES, ...PRODUCER_COUNTERS],
  ...[CONSUMER_STATES, ...CONSUMER_METRICS, HANDOFF, ...CONSUMER_COUNTERS],
  ...[SERVICE_UP, SERVICE_STOPPED, SERVICE_STARTED],
  ...Object.values(EXPORTER_METRICS),
];

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
  return new LookingRegistry(new Exporter(look, seriesMax));
}

/** A registry that looks each time before it shows anything. */
class LookingRegistry extends Registry {
  readonly #exporter: Exporter;
  readonly #known = new Map<string, MetricDefinition>();
  #samples = new SampleSet(0);

  constructor(exporter: Exporter) {
    super();
    this.#exporter = exporter;
    for (const metric of METRICS) this.#register(metric);
  }

  override metrics(): Promise<string> {
    this.#look();
    return super.metrics();
  }

  override getMetricsAsJSON(): ReturnType<Registry["getMetricsAsJSON"]> {
    this.#look();
    return super.getMetricsAsJSON();
  }

  #look(): void {
    this.#samples = this.#exporter.scrape((metric) => this.#isKnown(metric));
  }

  /** Whether it shows a metric of a service, and not another one that has the name. */
  #isKnown(metric: MetricDefinition): boolean {
    const { name, type, labels } = metric;
    const known = this.#known.get(name);
    if (known !== undefined) return known.type === type && known.labels[0] === labels[0];
    if (this.getSingleMetric(name) !== undefined) return false; // One of the user's own.
    this.#register(metric);
    return true;
  }

  #register(definition: MetricDefinition): void {
    const { name, type, help } = definition;
    this.#known.set(name, definition);
    const get = () =>
      Promise.resolve({ name, type, help, aggregator: "sum", values: this.#samples.of(name) });
    // The registry needs no more of a metric than this, but its type asks for more.
    this.registerMetric({ name, type, help, get, reset() {} } as unknown as Metric);
  }
}

/** Makes the samples of a look. */
class Exporter {
  readonly #look: () => Look;
  readonly #seriesMax: number;
  readonly #sums = new RisingSums();
  #leftOut = 0;

  constructor(look: () => Look, seriesMax: number) {
    this.#look = look;
    this.#seriesMax = seriesMax;
  }

  /**
   * Looks once.
   *
   * @param isShown Whether a metric that a service has defined may be shown.
   */
  scrape(isShown: (metric: MetricDefinition) => boolean): SampleSet {
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
    for (const service of look.services) samples.add(serviceEntries(service, isShown));
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
        ...this.#handoffEntries(group, labels),
        ...this.#counterEntries(CONSUMER_COUNTERS, group, labels),
      ]);
    }
  }

  #counterEntries(counters: readonly PeerCounter[], group: PeerGroup, labels: Labels): Entry[] {
    const role = counters[0]!.name;
    const sums = this.#sum(group, role, (peer) => counters.map(({ read }) => read(peer)));
    return counters.map(({ name }, place) => [name, { labels, value: sums[place]! }]);
  }

  /** None of a persister, which polls nothing, and none without timestamps. */
  #handoffEntries(group: PeerGroup<WatchedConsumer>, labels: Labels): Entry[] {
    if (group.peers.every(({ onSlow }) => onSlow === "hold")) return [];
    const read = (peer: WatchedConsumer) => vectorOf(HANDOFF, HANDOFF.read(peer));
    const latencies = this.#sum(group, HANDOFF.name, read);
    return latencies.at(-1) === 0 ? [] : histogramEntries(HANDOFF, labels, latencies);
  }

  /** Sums what the peers of a group have counted, and those whose places they have. */
  #sum<P extends WatchedPeer>(
    group: PeerGroup<P>,
    what: string,
    read: (peer: P) => number[],
  ): readonly number[] {
    const { bufferFile, createdMs } = group.channel;
    const parts = group.peers.map((peer) => ({
      place: peer.index,
      resets: peer.resets,
      values: read(peer),
    }));
    return this.#sums.sum(JSON.stringify([bufferFile, createdMs, what, nameOf(group)]), parts);
  }
}

/** What Prometheus wants to know of a histogram. */
type Buckets = Pick<HistogramMetric<never>, "name" | "bounds" | "parts">;

/** A histogram as a row of numbers that only grow: each bucket, the sum, the count. */
function vectorOf({ bounds, parts }: Buckets, histogram: LatencyHistogram): number[] {
  const buckets = histogram.cumulative(bounds.map((bound) => Math.round(bound * parts)));
  return [...buckets, histogram.sumNs / parts, histogram.count];
}

function histogramEntries(
  { name, bounds }: Buckets,
  labels: Labels,
  vector: readonly number[],
): Entry[] {
  const [sum = 0, count = 0] = vector.slice(bounds.length);
  const bucket = (le: number | string, value: number): Entry => [
    name,
    { metricName: `${name}_bucket`, labels: { ...labels, le }, value },
  ];
  return [
    ...bounds.map((bound, place) => bucket(bound, vector[place]!)),
    bucket("+Inf", count),
    [name, { metricName: `${name}_sum`, labels, value: sum }],
    [name, { metricName: `${name}_count`, labels, value: count }],
  ];
}

function serviceEntries(
  { instance, state, startedMs, values }: ServiceCounters,
  isShown: (metric: MetricDefinition) => boolean,
): Entry[] {
  const labels = { service: instance };
  const entries = values.flatMap((reading): Entry[] => {
    const metric = serviceMetric(reading);
    if (metric === undefined || !isShown(metric)) return [];
    const { name } = metric;
    if (reading.histogram === undefined) return [[name, { labels, value: reading.value ?? 0 }]];
    const buckets = { name, bounds: SERVICE_SECONDS, parts: 1e9 };
    return histogramEntries(buckets, labels, vectorOf(buckets, reading.histogram));
  });
  return [
    [SERVICE_UP.name, { labels, value: Number(state === "alive") }],
    [SERVICE_STOPPED.name, { labels, value: Number(state === "stopped") }],
    [SERVICE_STARTED.name, { labels, value: startedMs / 1000 }],
    ...entries,
  ];
}

/** Those of one name, as it is shown, together. */
function groupsOf<P extends WatchedPeer>(
  channel: WatchedChannel,
  peers: readonly P[],
): PeerGroup<P>[] {
  const byName = Map.groupBy(peers, ({ name }) => shownText(name));
  return [...byName.values()].map((peers) => ({ channel, peers }));
}

function nameOf({ peers }: PeerGroup): string {
  return shownText(peers[0]!.name);
}

function channelEntries(
  channel: WatchedChannel,
  disks: ReadonlyMap<string, DiskSpace>,
): Entry[] {
  const labels = { channel: channel.name };
  const entries = valueEntries(CHANNEL_METRICS, channel, labels);
  if (channel.log === null) return entries;
  const { log } = channel;
  const disk = disks.get(log.directory);
  return [
    ...entries,
    ...stateEntries(LOG_STATE, { channel, log }, labels),
    ...valueEntries(LOG_METRICS, { channel, log }, labels),
    ...LOG_HISTOGRAMS.flatMap((metric) =>
      histogramEntries(metric, labels, vectorOf(metric, metric.read(log)))
    ),
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

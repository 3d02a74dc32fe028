/**
 * `mt market-data`: REST, a WebSocket stream and a page, out of the channel of engine events.
 *
 * @module
 */

import {
  consumeFromTheFirst,
  EngineEvent,
  EventCheckpoints,
  ExchangeFeed,
  type FanOut,
  type FeedMessage,
  FeedSource,
  MARKET_DATA_COUNTERS,
  MarketFeed,
  recoverFeed,
  serveMarketData,
} from "../../lib/exchange/mod.ts";
import { type Counters, tellRecovery } from "../../lib/observability/mod.ts";
import { type Channel, createChannel, monotonicNs } from "../../mod.ts";
import { UsageError } from "../_command.ts";
import {
  CHANNEL_SETTINGS,
  channelNamed,
  channelPermissions,
  ownChannel,
  SERVER_SETTINGS,
  serverPermissions,
  STATE_SETTINGS,
  toChannelOptions,
} from "./_channels.ts";
import { DASHBOARD } from "./_dashboard.ts";
import {
  INSTRUMENT_SETTINGS,
  instrumentsDirectory,
  openConfiguredInstruments,
} from "./_instruments.ts";
import { defineService, type RunningService, serve, type Service } from "./_service.ts";
import { bytes, integer, list, text, type Values } from "./_settings.ts";

const SETTINGS = {
  ...CHANNEL_SETTINGS,
  ...SERVER_SETTINGS,
  stateDir: STATE_SETTINGS.stateDir,
  ...INSTRUMENT_SETTINGS,
  flushMs: integer(
    { min: 0, max: 10_000, byDefault: 5 },
    "milliseconds in which changes are gathered into an update",
  ),
  clientsMax: integer({ min: 1, max: 100_000, byDefault: 1_000 }, "clients of the stream at most"),
  lagBytes: bytes(64 * 1024, "bytes that a client leaves unread before its updates are merged"),
  bufferedBytesMax: bytes(8 * 1024 * 1024, "bytes that a client may leave unread at all"),
  stallSeconds: integer(
    { min: 1, max: 3_600, byDefault: 30 },
    "seconds after which a client is ended that leaves everything unread",
  ),
  markets: list([], "symbols whose market.<symbol> channels a collector fills"),
  consumer: text("market-data", "its name as a consumer; another one for a second instance"),
};

/** The service. */
export const marketData: Service<typeof SETTINGS, typeof MARKET_DATA_COUNTERS> = defineService({
  name: "market-data",
  summary: "Serves books and trades over REST, a WebSocket stream, and a page.",
  settings: SETTINGS,
  counters: MARKET_DATA_COUNTERS,
  permissions: (values) => [
    ...channelPermissions(values, { paths: [values.stateDir, instrumentsDirectory(values)] }),
    ...serverPermissions(values),
  ],
  start,
});

type FeedCounters = Counters<typeof MARKET_DATA_COUNTERS>;

async function start(
  values: Values<typeof SETTINGS>,
  counters: FeedCounters,
): Promise<RunningService> {
  const { host, port, allowRemote, flushMs, clientsMax } = values;
  const { lagBytes, bufferedBytesMax, stallSeconds } = values;
  const instruments = openConfiguredInstruments(values);
  const clockOffsetMs = Date.now() - monotonicNs() / 1e6;
  const feed = new MarketFeed(instruments, { clockOffsetMs, timers: counters.values });
  const startMs = performance.now();
  using opened = new DisposableStack(); // What a failure below leaves open.
  const checkpoints = checkpointsOf(values, { feed, counters, opened });
  // What has changed while nobody listens is forgotten, or it would grow without end.
  let notify: () => void = () => Array.from(feed.markets, (market) => market.flush());
  const onBatch = () => {
    const { counts, sequence, isComplete } = feed;
    counters.update({ ...counts, sequence, complete: Number(isComplete) });
    notify();
  };
  const exchanges = exchangesOf(values, feed, opened, onBatch);
  const recovered = await engineOf(values, { feed, checkpoints, opened, onBatch });
  const sources = [recovered.source, ...exchanges];
  await Promise.all(sources.map((source) => source.catchUp()));
  const rebuildMs = Math.round(performance.now() - startMs);
  const rebuiltTo = feed.sequence;
  tellRecovery(counters, {
    recoveryMs: rebuildMs,
    replayed: Math.max(0, rebuiltTo - recovered.sequence),
    damaged: recovered.damaged,
  }, [recovered.channel]);
  const server = await serveMarketData(feed, {
    ...{ host, port, allowRemote, flushMs, clientsMax, assets: DASHBOARD },
    ...{ lagBytes, bufferedBytesMax, stallSeconds },
    onFlush: () => countClients(server.fanOut, counters),
  });
  notify = () => server.notify();
  feed.latencies.begin(monotonicNs());
  const open = opened.move();
  const { address } = server;
  const name = address.host.includes(":") ? `[${address.host}]` : address.host;
  return {
    ready: {
      ...{ host: address.host, port: address.port, url: `http://${name}:${address.port}/` },
      ...{ checkpointSequence: recovered.sequence, rebuiltTo, rebuildMs },
      isComplete: feed.isComplete,
    },
    ended: Promise.all(sources.map((source) => source.follow())).then(() => {}),
    sample: () => countClients(server.fanOut, counters),
    async stop() {
      await checkpoints?.finish();
      open.dispose();
      await server.stop();
      const { isComplete, sequence } = feed;
      return { sequence, isComplete, ...feed.counts, ...server.fanOut.counts };
    },
  };
}

function countClients(fanOut: FanOut, counters: FeedCounters): void {
  const { counts, clientCount: clients, behindCount: behind, bufferedBytes } = fanOut;
  counters.update({ ...counts, clients, behind, bufferedBytes });
}

function onProblem({ message }: Error): void {
  console.error(`mt market-data: ${message}`);
}

/** Where the feed is kept; undefined if it is not. */
function checkpointsOf(
  { stateDir, walDir, snapshotIntervalMs }: Values<typeof SETTINGS>,
  { feed, counters, opened }: {
    feed: MarketFeed;
    counters: FeedCounters;
    opened: DisposableStack;
  },
): EventCheckpoints | undefined {
  if (stateDir === undefined) return undefined;
  if (walDir === undefined) {
    throw new UsageError("Cannot use state_dir without wal_dir: expected a path");
  }
  return opened.use(
    new EventCheckpoints(`${stateDir}/market-data`, {
      ...{ stateId: "feed", state: feed, intervalMs: snapshotIntervalMs, onFailure: onProblem },
      counters,
    }),
  );
}

/** Where the engine's events come from, and the last one that was kept of them. */
async function engineOf(
  values: Values<typeof SETTINGS>,
  { feed, checkpoints, opened, onBatch }: {
    feed: MarketFeed;
    checkpoints: EventCheckpoints | undefined;
    opened: DisposableStack;
    onBatch: () => void;
  },
): Promise<{ source: FeedSource; channel: Channel; sequence: number; damaged: number }> {
  const name = ownChannel(values, "engine.events");
  const options = { ...toChannelOptions(values), schema: EngineEvent };
  const channel = opened.use(createChannel(name, options));
  const { consumer, sequence, damaged } = checkpoints === undefined
    ? { consumer: consumeFromTheFirst(channel, values.consumer), sequence: 0, damaged: 0 }
    : await recoverFeed(checkpoints, channel, values.consumer, onProblem);
  const source = new FeedSource(consumer, {
    apply: (message: FeedMessage, nowNs: number) => feed.applyEvent(message, nowNs),
    onBatch() {
      onBatch();
      checkpoints?.poke();
    },
  });
  return { source: opened.use(source), channel, sequence, damaged };
}

/** Where the messages of exchanges come from: always from the first one on. */
function exchangesOf(
  values: Values<typeof SETTINGS>,
  feed: MarketFeed,
  opened: DisposableStack,
  onBatch: () => void,
): FeedSource[] {
  return values.markets.map((symbol) => {
    const market = new ExchangeFeed(feed, symbol);
    const name = channelNamed(values, `market.${symbol.toLowerCase()}`);
    const channel = opened.use(createChannel(name, toChannelOptions(values)));
    const apply = (message: FeedMessage) => market.apply(message);
    const consumer = consumeFromTheFirst(channel, values.consumer);
    return opened.use(new FeedSource(consumer, { apply, onBatch }));
  });
}

if (import.meta.main) await serve(marketData);

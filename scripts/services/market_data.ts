/**
 * `mt market-data`: REST, a WebSocket stream and a page, out of the channel of engine events.
 *
 * @module
 */

import {
  EngineEvent,
  ExchangeFeed,
  type FeedMessage,
  FeedSource,
  type FeedSourceOptions,
  MarketFeed,
  serveMarketData,
} from "../../lib/exchange/mod.ts";
import { type Channel, createChannel, monotonicNs } from "../../mod.ts";
import {
  CHANNEL_SETTINGS,
  channelNamed,
  channelPermissions,
  ownChannel,
  SERVER_SETTINGS,
  serverPermissions,
  toChannelOptions,
} from "./_channels.ts";
import { DASHBOARD } from "./_dashboard.ts";
import {
  INSTRUMENT_SETTINGS,
  instrumentsDirectory,
  openConfiguredInstruments,
} from "./_instruments.ts";
import { defineService, serve, type Service } from "./_service.ts";
import { bytes, integer, list, text, type Values } from "./_settings.ts";

const SETTINGS = {
  ...CHANNEL_SETTINGS,
  ...SERVER_SETTINGS,
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
export const marketData: Service<typeof SETTINGS> = defineService({
  name: "market-data",
  summary: "Serves books and trades over REST, a WebSocket stream, and a page.",
  settings: SETTINGS,
  permissions: (values) => [
    ...channelPermissions(values, { paths: [instrumentsDirectory(values)] }),
    ...serverPermissions(values),
  ],
  async start(values) {
    const { host, port, allowRemote, flushMs, clientsMax, consumer } = values;
    const { lagBytes, bufferedBytesMax, stallSeconds } = values;
    const instruments = openConfiguredInstruments(values);
    const clockOffsetMs = Date.now() - monotonicNs() / 1e6;
    const feed = new MarketFeed(instruments, { clockOffsetMs });
    const startMs = performance.now();
    using opened = new DisposableStack(); // What a failure below leaves open.
    // What has changed while nobody listens is forgotten, or it would grow without end.
    const forget = () => Array.from(feed.markets, (market) => market.flush());
    let onBatch: () => void = forget;
    const sources = channelsOf(values, feed).map(({ channel, apply }) => {
      opened.use(channel);
      return opened.use(
        new FeedSource(channel, { name: consumer, apply, onBatch: () => onBatch() }),
      );
    });
    await Promise.all(sources.map((source) => source.catchUp()));
    const rebuildMs = Math.round(performance.now() - startMs);
    const rebuiltTo = feed.sequence;
    const server = await serveMarketData(feed, {
      ...{ host, port, allowRemote, flushMs, clientsMax, assets: DASHBOARD },
      ...{ lagBytes, bufferedBytesMax, stallSeconds },
    });
    onBatch = () => server.notify();
    feed.latencies.begin(monotonicNs());
    const open = opened.move();
    const { address } = server;
    const name = address.host.includes(":") ? `[${address.host}]` : address.host;
    return {
      ready: {
        ...{ host: address.host, port: address.port, url: `http://${name}:${address.port}/` },
        ...{ rebuiltTo, rebuildMs, isComplete: feed.isComplete },
      },
      ended: Promise.all(sources.map((source) => source.follow())).then(() => {}),
      async stop() {
        open.dispose();
        await server.stop();
        const { isComplete, sequence } = feed;
        return { sequence, isComplete, ...feed.counts, ...server.fanOut.counts };
      },
    };
  },
});

/** The channels that fill a feed, and who takes their messages. */
function channelsOf(
  values: Values<typeof SETTINGS>,
  feed: MarketFeed,
): { channel: Channel; apply: FeedSourceOptions["apply"] }[] {
  const options = toChannelOptions(values);
  const engineEvents = {
    channel: createChannel(ownChannel(values, "engine.events"), {
      ...options,
      schema: EngineEvent,
    }),
    apply: (message: FeedMessage, nowNs: number) => feed.applyEvent(message, nowNs),
  };
  const exchanges = values.markets.map((symbol) => {
    const market = new ExchangeFeed(feed, symbol);
    const name = channelNamed(values, `market.${symbol.toLowerCase()}`);
    const channel = createChannel(name, options);
    return { channel, apply: (message: FeedMessage) => market.apply(message) };
  });
  return [engineEvents, ...exchanges];
}

if (import.meta.main) await serve(marketData);

/**
 * `mt market-data`: REST, a WebSocket stream and a page, out of the channel of engine events.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { EngineEventSource } from "../../lib/exchange/market_source.ts";
import { EngineEvent, MarketFeed, serveMarketData } from "../../lib/exchange/mod.ts";
import { createChannel, monotonicNs } from "../../mod.ts";
import {
  CHANNEL_SETTINGS,
  channelPermissions,
  ownChannel,
  SERVER_SETTINGS,
  serverPermissions,
  toChannelOptions,
} from "./_channels.ts";
import { DASHBOARD_FILES, readDashboard } from "./_dashboard.ts";
import {
  INSTRUMENT_SETTINGS,
  instrumentsDirectory,
  openConfiguredInstruments,
} from "./_instruments.ts";
import { allow } from "./_permissions.ts";
import { defineService, serve, type Service } from "./_service.ts";
import { bytes, integer, text } from "./_settings.ts";

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
  consumer: text("market-data", "its name as a consumer; another one for a second instance"),
};

/** The service. */
export const marketData: Service<typeof SETTINGS> = defineService({
  name: "market-data",
  summary: "Serves books and trades over REST, a WebSocket stream, and a page.",
  settings: SETTINGS,
  permissions: (values) => [
    ...channelPermissions(values, { paths: [instrumentsDirectory(values)] }),
    ...allow("read", DASHBOARD_FILES.map((url) => fileURLToPath(url))),
    ...serverPermissions(values),
  ],
  async start(values) {
    const { host, port, allowRemote, flushMs, clientsMax, consumer } = values;
    const { lagBytes, bufferedBytesMax, stallSeconds } = values;
    const instruments = openConfiguredInstruments(values);
    const assets = await readDashboard();
    const options = { ...toChannelOptions(values), schema: EngineEvent };
    const channel = createChannel(ownChannel(values, "engine.events"), options);
    const clockOffsetMs = Date.now() - monotonicNs() / 1e6;
    const feed = new MarketFeed(instruments, { clockOffsetMs });
    const startMs = performance.now();
    const source = new EngineEventSource(channel, feed, consumer);
    await source.catchUp();
    const rebuildMs = Math.round(performance.now() - startMs);
    const rebuiltTo = feed.sequence;
    const server = await serveMarketData(feed, {
      ...{ host, port, allowRemote, flushMs, clientsMax, assets },
      ...{ lagBytes, bufferedBytesMax, stallSeconds },
    });
    const { address } = server;
    const name = address.host.includes(":") ? `[${address.host}]` : address.host;
    return {
      ready: {
        ...{ host: address.host, port: address.port, url: `http://${name}:${address.port}/` },
        ...{ rebuiltTo, rebuildMs, isComplete: feed.isComplete },
      },
      ended: source.follow(() => server.notify()),
      async stop() {
        source[Symbol.dispose]();
        await server.stop();
        channel.close();
        const { isComplete, sequence } = feed;
        return { sequence, isComplete, ...feed.counts, ...server.fanOut.counts };
      },
    };
  },
});

if (import.meta.main) await serve(marketData);

/**
 * The collector: an exchange's streams, or a recording of them, into `market.<symbol>`.
 *
 * @module
 */

import { dirname } from "node:path";
import {
  BINANCE_STREAMS,
  BinanceRest,
  type CollectedMarket,
  COLLECTOR_COUNTERS,
  type Instrument,
  type Instruments,
  LiveCollector,
  openInstruments,
  RecordedCollector,
  type Scales,
  UNTOLD_SCALES,
} from "../../lib/market/mod.ts";
import type { Counters } from "../../lib/observability/mod.ts";
import { type Channel, createChannel, openProducer } from "../../mod.ts";
import { ScriptError, UsageError } from "../_command.ts";
import {
  CHANNEL_SETTINGS,
  channelNamed,
  channelPermissions,
  toChannelOptions,
} from "./_channels.ts";
import { allow } from "./_permissions.ts";
import { defineService, type RunningService, serve } from "./_service.ts";
import { choice, flag, integer, list, needed, path, text, type Values } from "./_settings.ts";

const { bufferFile: _, ...PLACE_SETTINGS } = CHANNEL_SETTINGS; // It has a channel per symbol.

const SETTINGS = {
  ...PLACE_SETTINGS,
  symbols: list(
    ["BTCUSDT"],
    'what to collect: "BTCUSDT", or with decimals of prices and quantities "BTCUSDT:2:5"',
  ),
  instrumentsFile: path("file of the instruments' ids, shared by all services; needed"),
  feed: path("recording to collect"),
  pace: text("max", 'speed of a recording: "max", "real", or a factor such as "10x"'),
  live: flag("collect from Binance, over the internet"),
  url: text(undefined, "streams to collect, such as ws://127.0.0.1:9001, with rest"),
  rest: text(undefined, "where their snapshots are, such as http://127.0.0.1:9001"),
  market: choice(["spot", "futures"], "spot", "whose rules the exchange follows"),
  streams: list(BINANCE_STREAMS, "streams of each symbol"),
  depthLimit: integer({ min: 5, max: 5_000, byDefault: 1_000 }, "levels of a snapshot on a side"),
  refreshMs: integer(
    { min: 0, max: 86_400_000, byDefault: 60_000 },
    "between two snapshots for consumers that come later; 0 for none",
  ),
  silenceMs: integer(
    { min: 100, max: 86_400_000, byDefault: 60_000 },
    "without a message, until a connection is given up",
  ),
};

type CollectorValues = Values<typeof SETTINGS>;

const BINANCE = {
  spot: { url: "wss://stream.binance.com:9443", rest: "https://api.binance.com" },
  futures: { url: "wss://fstream.binance.com", rest: "https://fapi.binance.com" },
};

/** An exchange that does not tell the scales by then cannot be collected. */
const SCALES_MS = 30_000;

const DEFAULT_PORTS: Record<string, number> = {
  "ws:": 80,
  "http:": 80,
  "wss:": 443,
  "https:": 443,
};

interface Exchange {
  readonly url: string;
  readonly rest: string;
}

/** See {@linkcode SETTINGS}. */
export const collector = defineService({
  name: "collector",
  summary: "Collects an exchange's market data, or a recording of it, into market.<symbol>.",
  settings: SETTINGS,
  counters: COLLECTOR_COUNTERS,
  permissions(values) {
    const exchange = exchangeOf(values);
    const hosts = exchange === undefined ? [] : [hostOf(exchange.url), hostOf(exchange.rest)];
    return [
      ...channelPermissions(values, {
        paths: [dirname(needed(values, "instrumentsFile"))],
        isView: true,
      }),
      ...allow("read", [values.feed]),
      ...allow("net", [...new Set(hosts)]),
    ];
  },
  async start(values, counters) {
    const exchange = exchangeOf(values);
    const rest = exchange && new BinanceRest({
      url: exchange.rest,
      market: values.market,
      depthLimit: values.depthLimit,
      onTrouble: tellTrouble,
    });
    const instruments = await internAll(values, rest);
    const channels: Channel[] = [];
    try {
      const markets = instruments.map((instrument) => openMarket(instrument, values, channels));
      return run(
        values,
        { markets, channels, counters },
        rest && new LiveCollector({
          ...{ url: exchange.url, rest, markets, streams: values.streams },
          ...{ refreshMs: values.refreshMs, onTrouble: tellTrouble },
          times: { silenceMs: values.silenceMs },
          counters,
        }),
      );
    } catch (error) {
      for (const channel of channels) channel.close();
      throw error;
    }
  },
});

/** Where the streams are; undefined for a recording. */
function exchangeOf({ feed, live, url, rest, market }: CollectorValues): Exchange | undefined {
  const chosen = [feed, live || undefined, url].filter((source) => source !== undefined);
  if (chosen.length !== 1) {
    throw new UsageError(
      `Cannot collect from ${chosen.length} sources: expected one of feed, live and url`,
    );
  }
  if ((url === undefined) !== (rest === undefined)) {
    throw new UsageError("Cannot use url without rest, or rest without url: expected both");
  }
  if (live) return BINANCE[market];
  return url === undefined || rest === undefined ? undefined : { url, rest };
}

function hostOf(address: string): string {
  if (!URL.canParse(address)) {
    throw new UsageError(
      `Cannot use "${address}": expected an address such as ws://127.0.0.1:9001`,
    );
  }
  const { hostname, port, protocol } = new URL(address);
  return `${hostname}:${port === "" ? DEFAULT_PORTS[protocol] : port}`;
}

async function internAll(
  values: CollectorValues,
  rest: BinanceRest | undefined,
): Promise<Instrument[]> {
  const registry = openInstruments(needed(values, "instrumentsFile"));
  const wanted = values.symbols.map(parseSymbol);
  const untold = wanted.filter(({ scales }) => scales === undefined).map(({ symbol }) => symbol);
  const told = rest === undefined || untold.length === 0
    ? undefined
    : await askScales(rest, untold);
  return wanted.map(({ symbol, scales }) =>
    registry.intern(symbol, scales ?? told?.get(symbol) ?? scalesInFile(registry, symbol))
  );
}

function scalesInFile(registry: Instruments, symbol: string): Scales {
  return registry.find(symbol) ?? UNTOLD_SCALES;
}

function parseSymbol(entry: string): { symbol: string; scales: Scales | undefined } {
  const match = /^([A-Za-z0-9_-]+)(?::(\d{1,2}):(\d{1,2}))?$/.exec(entry);
  if (match === null) {
    throw new UsageError(
      `Cannot collect "${entry}": expected a symbol such as "BTCUSDT" or "BTCUSDT:2:5"`,
    );
  }
  const [, symbol, price, quantity] = match;
  const scales = price === undefined
    ? undefined
    : { priceDecimals: Number(price), quantityDecimals: Number(quantity) };
  return { symbol: symbol!, scales };
}

async function askScales(
  rest: BinanceRest,
  symbols: readonly string[],
): Promise<Map<string, Scales>> {
  const signal = AbortSignal.timeout(SCALES_MS);
  try {
    return await rest.scales(symbols, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new ScriptError(
      `Cannot learn the decimals of ${symbols.join(", ")} within ${SCALES_MS} ms: ` +
        `name them, such as "${symbols[0]}:2:5"`,
    );
  }
}

function openMarket(
  instrument: Instrument,
  values: CollectorValues,
  channels: Channel[],
): CollectedMarket {
  const channel = createChannel(channelName(values, instrument), toChannelOptions(values));
  channels.push(channel);
  return { instrument, producer: openProducer(channel, { name: "collector", view: true }) };
}

function channelName(values: CollectorValues, { symbol }: Instrument): string {
  return channelNamed(values, `market.${symbol.toLowerCase()}`);
}

function run(
  values: CollectorValues,
  { markets, channels, counters }: {
    markets: readonly CollectedMarket[];
    channels: readonly Channel[];
    counters: Counters<typeof COLLECTOR_COUNTERS>;
  },
  live: LiveCollector | undefined,
): RunningService {
  const source = live ?? new RecordedCollector({
    source: values.feed!,
    markets,
    pace: paceOf(values.pace),
    onTrouble: tellTrouble,
    counters,
  });
  const ended = source.run();
  ended.catch(() => {}); // The frame hears of it.
  return {
    ready: {
      source: live === undefined ? "recording" : "exchange",
      markets: markets.map(({ instrument }) => ({
        ...instrument,
        channel: channelName(values, instrument),
      })),
    },
    ended,
    sample: () => source.tellCounts(),
    async stop() {
      source.stop();
      await ended;
      source.tellCounts();
      for (const channel of channels) channel.close();
      return { ...source.counts };
    },
  };
}

function paceOf(pace: string): number {
  if (pace === "max") return 0;
  if (pace === "real") return 1;
  const factor = Number(/^(\d{1,6}(?:\.\d{1,3})?)x$/.exec(pace)?.[1] ?? 0);
  if (factor > 0) return factor;
  throw new UsageError(`Cannot use pace "${pace}": expected "max", "real", or such as "10x"`);
}

/** Once for each cause; how often it was so is in the counts. */
function tellTrouble(cause: string, detail: string): void {
  console.error(`collector: ${cause}: ${JSON.stringify(detail)}`);
}

if (import.meta.main) await serve(collector);

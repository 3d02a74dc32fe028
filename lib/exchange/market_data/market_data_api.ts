/**
 * The REST API of market data: what a path and a query are answered with.
 *
 * @module
 */

import { bookText, epochOf, tradesText } from "./feed_text.ts";
import { type InstrumentFeed, TRADES_KEPT } from "./instrument_feed.ts";
import type { MarketFeed } from "./market_feed.ts";

/** Levels of each side in an answer at most; the whole book is in the stream's snapshots. */
const DEPTH_MAX = 5_000;

/** An answer; its body is JSON. */
export interface ApiAnswer {
  status: number;
  body: string;
}

/** `/api/book/` or `/api/trades/`, and a symbol. */
const MARKET_PATH = /^\/api\/(book|trades)\/([^/]{1,512})$/;

/**
 * Answers a request for a path under `/api/`, whatever it is.
 *
 * @param stats Returns what `/api/stats` shows.
 */
export function answerApi(url: URL, feed: MarketFeed, stats: () => unknown): ApiAnswer {
  const { pathname, searchParams } = url;
  if (pathname === "/api/instruments") return answer(instrumentsOf(feed));
  if (pathname === "/api/stats") return answer(stats());
  const [, kind, encoded] = MARKET_PATH.exec(pathname) ?? [];
  if (encoded === undefined) return refusal(404, "unknown_path", `no ${pathname.slice(0, 64)}`);
  const symbol = decode(encoded);
  const market = symbol === undefined ? undefined : feed.market(symbol);
  if (market === undefined) return refusal(404, "unknown_symbol", "found no market of that symbol");
  return kind === "book"
    ? withCount(searchParams, "depth", 20, DEPTH_MAX, (depth) => book(market, feed.epoch, depth))
    : withCount(searchParams, "limit", 100, TRADES_KEPT, (limit) => trades(market, limit));
}

/** A refusal as the API words it. */
export function refusal(status: number, reason: string, text: string): ApiAnswer {
  return { status, body: JSON.stringify({ error: { reason, text } }) };
}

function instrumentsOf(feed: MarketFeed): unknown {
  const markets = [...feed.markets].map(({ instrument, isComplete, sequence }) => {
    const { symbol, priceDecimals, quantityDecimals } = instrument;
    return { symbol, priceDecimals, quantityDecimals, sequence, isComplete };
  });
  return { instruments: markets };
}

function book(market: InstrumentFeed, epoch: string, depth: number): ApiAnswer {
  const { instrument, sequence, isComplete, bids, asks } = market;
  return {
    status: 200,
    body: `{"symbol":${JSON.stringify(instrument.symbol)},"epoch":"${epochOf(market, epoch)}",` +
      `"sequence":${sequence},"isComplete":${isComplete},` +
      `"levels":{"bids":${bids.count},"asks":${asks.count}},${bookText(market, depth)}}`,
  };
}

function trades({ instrument, tape, sequence }: InstrumentFeed, limit: number): ApiAnswer {
  const from = Math.max(tape.firstNumber, tape.lastNumber - limit + 1);
  return {
    status: 200,
    body: `{"symbol":${JSON.stringify(instrument.symbol)},"sequence":${sequence},` +
      `"lastTrade":${tape.lastNumber},"trades":${tradesText(tape, instrument, from)}}`,
  };
}

function withCount(
  query: URLSearchParams,
  name: string,
  usual: number,
  max: number,
  make: (count: number) => ApiAnswer,
): ApiAnswer {
  const text = query.get(name) ?? `${usual}`;
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= max) return make(count);
  return refusal(400, "bad_count", `expected ${name} to be 1 to ${max}`);
}

function answer(value: unknown): ApiAnswer {
  return { status: 200, body: JSON.stringify(value) };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/**
 * What the demo reports, and whether everything was as promised.
 *
 * @module
 */

import { OrderBook, top20Sha256 } from "../../lib/market/mod.ts";
import type {
  Collected,
  FeedSettings,
  MarketFigures,
  Received,
  TradeFigures,
} from "./_protocol.ts";
import type { ConsumerOutcome, Outcome } from "./_run.ts";

/** Hand-off latency of one consumer, from publishing to the poll that delivered. */
export interface Latency {
  /** Messages that were measured. */
  count: number;
  p50Ns: number;
  p90Ns: number;
  p99Ns: number;
  p999Ns: number;
}

/** What arrived at one consumer. */
export interface Delivery extends Omit<Received, "endNs"> {
  onSlow: "block" | "drop" | "spill" | "hold";
  published: number;
  /** Records whose checksum was wrong. */
  damaged: number;
  /** Whether each sequence arrived once, in order, or was told as lost where that is allowed. */
  isComplete: boolean;
}

/** What of the feed could not be used, by cause. */
export interface Unused {
  /** Lines without a receive time or a message. */
  malformedLines: number;
  /** 1 if the recording was cut off. */
  tornLines: number;
  /** Messages that are no JSON object. */
  malformed: number;
  /** Messages of other kinds. */
  unknown: number;
  /** Messages in which a field is missing. */
  incomplete: number;
  /** Messages with a number that is no exact decimal. */
  inexact: number;
  /** Messages that tell no symbol. */
  unknownInstrument: number;
}

/**
 * The whole report. With `--json` it is printed as it is. The figures of the market are those of
 * the instrument with most messages; they come from the consumer that loses nothing.
 */
export interface Report extends Omit<MarketFigures, "instrumentId" | "tradedQuantityE8"> {
  /** Messages of the feed, of all instruments, used or not. */
  messages: number;
  tradedQuantityE8: bigint;
  /** Symbol of the instrument. */
  instrument: string | null;
  otherInstruments: { symbol: string; messages: number }[];
  /** What the consumer that may drop has made of that instrument's trades. */
  tradeStatistics: Omit<TradeFigures, "instrumentId"> | null;
  feed: FeedSettings;
  unused: Unused;
  /** From the first message read to the last one done by both consumers. */
  seconds: number;
  /** Messages per second. */
  rate: number;
  /** Records in the channel: a depth update with many levels is several. */
  records: number;
  recordBytes: number;
  ringBytes: number;
  /** Times that the ring was full. */
  backPressured: number;
  latency: Record<string, Latency>;
  /** Processor seconds per second of waiting; empty where it was not measured. */
  idleCpuShare: Record<string, number>;
  delivery: Record<string, Delivery>;
  /** What a person should know about the feed. */
  warnings: string[];
  /** What is not as promised. */
  problems: string[];
}

/** Puts the report together. */
export async function makeReport(outcome: Outcome, feed: FeedSettings): Promise<Report> {
  const { collected, books, trades } = outcome;
  const consumers = [books, trades];
  const markets = (books.finished.figures as MarketFigures[])
    .toSorted((left, right) => right.messages - left.messages);
  const symbolOf = ({ instrumentId }: MarketFigures) => collected.symbols[instrumentId - 1]!;
  const { instrumentId, ...figures } = markets[0] ?? await noFigures();
  const seconds = (Math.max(...consumers.map(({ finished }) => finished.endNs)) -
    collected.startNs) / 1e9;
  const byName = <T>(value: (consumer: ConsumerOutcome) => T): Record<string, T> =>
    Object.fromEntries(consumers.map((consumer) => [consumer.name, value(consumer)]));
  const isIdleKnown = books.idleCpuShare !== undefined;
  const report: Report = {
    ...figures,
    messages: collected.recording.messages,
    tradedQuantityE8: BigInt(figures.tradedQuantityE8),
    instrument: collected.symbols[instrumentId - 1] ?? null,
    otherInstruments: markets.slice(1)
      .map((market) => ({ symbol: symbolOf(market), messages: market.messages })),
    tradeStatistics: statisticsOf(trades, instrumentId),
    feed,
    unused: unusedOf(collected),
    seconds,
    rate: collected.recording.messages / seconds,
    records: collected.published,
    recordBytes: collected.bytes,
    ringBytes: outcome.ringBytes,
    backPressured: outcome.producer.backPressured,
    latency: byName(latencyOf),
    idleCpuShare: isIdleKnown ? byName(({ idleCpuShare }) => idleCpuShare!) : {},
    delivery: byName((consumer) => deliveryOf(consumer, collected.published)),
    warnings: [],
    problems: [],
  };
  report.warnings.push(...findWarnings(report));
  report.problems.push(...findProblems(report, outcome));
  return report;
}

/** The figures of a feed in which no instrument was named. */
async function noFigures(): Promise<MarketFigures> {
  const book = new OrderBook(1);
  const { broken, ...counts } = book.counts;
  return {
    ...{ instrumentId: 0, messages: 0, trades: 0, tradedQuantityE8: "0" },
    ...counts,
    ...{ brokenUpdates: broken, isInStep: false, finalUpdateId: 0, bidLevels: 0, askLevels: 0 },
    ...{ bestBid: null, bestAsk: null, tickerChecked: 0, tickerWrong: 0, tickerSkipped: 0 },
    top20Sha256: await top20Sha256(book),
  };
}

function statisticsOf(trades: ConsumerOutcome, instrumentId: number): Report["tradeStatistics"] {
  const tapes = trades.finished.figures as TradeFigures[];
  const tape = tapes.find((tape) => tape.instrumentId === instrumentId);
  if (tape === undefined) return null;
  const { instrumentId: _, ...statistics } = tape;
  return statistics;
}

function unusedOf({ recording, normalised }: Collected): Unused {
  const { malformed, unknown, incomplete, inexact, unknownInstrument } = normalised;
  return {
    malformedLines: recording.malformed,
    tornLines: recording.torn,
    ...{ malformed, unknown, incomplete, inexact, unknownInstrument },
  };
}

function latencyOf({ latency: { count, values } }: ConsumerOutcome): Latency {
  const [p50Ns = 0, p90Ns = 0, p99Ns = 0, p999Ns = 0] = values;
  return { count, p50Ns, p90Ns, p99Ns, p999Ns };
}

function deliveryOf({ finished, peer }: ConsumerOutcome, published: number): Delivery {
  const { received, lost, gaps, outOfOrder } = finished;
  const { onSlow, damaged } = peer;
  const isComplete = received + lost === published && outOfOrder === 0 && damaged === 0 &&
    lost === peer.lost && (onSlow === "drop" || lost === 0);
  return { onSlow, published, received, lost, gaps, outOfOrder, damaged, isComplete };
}

const UNUSED_WORDS: Record<Exclude<keyof Unused, "tornLines">, string> = {
  malformedLines: "lines without a receive time and a message",
  malformed: "messages that are no JSON object",
  unknown: "messages of kinds that are not used here",
  incomplete: "messages in which a field is missing",
  inexact: "messages with a number that is no exact decimal",
  unknownInstrument: "messages that tell no symbol",
};

function* findWarnings(report: Report): Iterable<string> {
  for (const [cause, words] of Object.entries(UNUSED_WORDS)) {
    const count = report.unused[cause as keyof Unused];
    if (count > 0) yield `left out of the feed: ${count} ${words}`;
  }
  if (report.gaps > 0) {
    const state = report.isInStep ? "a later snapshot has mended that" : "it stays empty";
    yield `the feed lacks updates of the book, gaps: ${report.gaps}; ${state}`;
  } else if (!report.isInStep && report.messages > 0) {
    yield "the feed has no snapshot that its updates go on from: the book stays empty";
  }
  for (const { symbol, messages } of report.otherInstruments) {
    yield `the feed also has ${messages} messages of ${symbol}, whose figures are not shown`;
  }
}

/**
 * Most processor time that a waiting consumer may use. One that sleeps uses 0.1 %; one that looks
 * all the time uses all of it, or what a busy machine leaves it.
 */
const IDLE_SHARE_MAX = 0.2;

function* findProblems(report: Report, outcome: Outcome): Iterable<string> {
  const { collected, books, trades } = outcome;
  if (report.messages === 0) yield "the feed has no message";
  if (report.unused.tornLines > 0) yield "the feed is cut off, and was used up to there";
  for (const [name, delivery] of Object.entries(report.delivery)) {
    if (!delivery.isComplete) {
      yield `${name} did not get every message: ${JSON.stringify(delivery)}`;
    }
  }
  for (const { name, peer } of [books, trades]) {
    if (peer.lateWakeups > 0) yield `${name} was woken late, ${peer.lateWakeups} times`;
  }
  for (const [name, share] of Object.entries(report.idleCpuShare)) {
    if (share > IDLE_SHARE_MAX) yield `${name} used ${Math.round(share * 100)} % of a core, idle`;
  }
  const { normalised } = collected;
  if (normalised.backPressured > 0) {
    yield `the collector gave ${normalised.backPressured} messages up`;
  }
  const markets = books.finished.figures as MarketFigures[];
  const sum = (figures: { trades: number }[]) =>
    figures.reduce((all, { trades }) => all + trades, 0);
  const expected = normalised.trades;
  if (sum(markets) !== expected) yield `${books.name} saw ${sum(markets)} of ${expected} trades`;
  const tapes = trades.finished.figures as TradeFigures[];
  if (trades.finished.lost === 0 && sum(tapes) !== expected) {
    yield `${trades.name} saw ${sum(tapes)} of ${expected} trades`;
  }
  for (const { instrumentId, tickerWrong, brokenUpdates } of markets) {
    const symbol = collected.symbols[instrumentId - 1];
    if (tickerWrong > 0) yield `the book of ${symbol} was not the exchange's ${tickerWrong} times`;
    if (brokenUpdates > 0) yield `the book of ${symbol} got ${brokenUpdates} incomplete updates`;
  }
}

/**
 * Market data over channels: fixed message layouts, instruments and their scales, a normaliser
 * for Binance's streams, live feeds and recordings into channels, order books that prove
 * themselves, and a made-up feed.
 *
 * @module
 */

export type { BackOffOptions } from "./collector/back_off.ts";
export {
  type BinanceCounts,
  BinanceNormaliser,
  type BinanceNormaliserOptions,
  type RecordSink,
  ScratchSink,
} from "./binance/binance.ts";
export {
  BinanceFeed,
  type BinanceFeedOptions,
  type FeedCounts,
  type FeedHandler,
  type FeedTimes,
} from "./binance/binance_feed.ts";
export { BinanceRest, type BinanceRestOptions, type RestCounts } from "./binance/binance_rest.ts";
export { BookSide, type ReadonlyBookSide } from "./book/book_side.ts";
export {
  type CollectedMarket,
  Collector,
  type CollectorCounts,
  type CollectorOptions,
} from "./collector/collector.ts";
export { CorruptInstrumentsError } from "../errors.ts";
export { DECIMALS_MAX, formatDecimal, isDecimals, parseDecimal } from "./decimal.ts";
export { type FeedOptions, generateFeed } from "./fake_exchange/feed_generator.ts";
export { COLLECTOR_COUNTERS, type CollectorDefinitions } from "./collector/collector_counters.ts";
export { JOURNAL_COUNTERS, type JournalDefinitions } from "./journal/journal_counters.ts";
export { Journal, type JournalOptions, type JournalStats } from "./journal/journal.ts";
export type { JournalRecord } from "./journal/journal_line.ts";
export {
  type JournalCounts,
  newJournalCounts,
  readJournal,
  type ReadJournalOptions,
} from "./journal/journal_reader.ts";
export { replayJournal, type ReplayOptions, type ReplayStats } from "./journal/journal_replay.ts";
export {
  type Instrument,
  type InstrumentFinder,
  Instruments,
  openInstruments,
  type Scales,
  UNTOLD_SCALES,
} from "./instruments.ts";
export {
  BOOK_TICKER_FIELDS,
  BookTicker,
  DELTA_CHAINED,
  DELTA_FIRST,
  DELTA_LAST,
  DELTA_LEVELS,
  DELTA_SNAPSHOT,
  KIND_BOOK_TICKER,
  KIND_ORDER_BOOK_DELTA,
  KIND_ORDER_BOOK_SNAPSHOT,
  KIND_TRADE,
  messageKind,
  ORDER_BOOK_DELTA_FIELDS,
  ORDER_BOOK_SNAPSHOT_FIELDS,
  OrderBookDelta,
  OrderBookSnapshot,
  SNAPSHOT_LEVELS,
  Trade,
  TRADE_FIELDS,
} from "./layouts.ts";
export {
  BINANCE_STREAMS,
  LiveCollector,
  type LiveCollectorOptions,
  type LiveCounts,
} from "./collector/live_collector.ts";
export {
  BOOK_APPLIED,
  BOOK_BROKEN,
  BOOK_BUFFERED,
  BOOK_DROPPED,
  BOOK_GAP,
  BOOK_PART,
  BOOK_SNAPSHOT_TOO_OLD,
  type Level,
  OrderBook,
  type OrderBookCounts,
  type OrderBookOptions,
} from "./book/order_book.ts";
export { openJournal } from "./journal/open_journal.ts";
export { Pacer } from "./pacer.ts";
export {
  RecordedCollector,
  type RecordedCollectorOptions,
  type RecordedCounts,
} from "./collector/recorded_collector.ts";
export {
  newRecordingCounts,
  parseRecordingLine,
  readRecording,
  type RecordedMessage,
  type RecordingCounts,
} from "./collector/recording.ts";
export { RingSink } from "./collector/ring_sink.ts";
export { type SnapshotHead, TopLevels } from "./book/top_levels.ts";
export { type TickerCounts, TickerOracle, top20Sha256 } from "./book/ticker_oracle.ts";

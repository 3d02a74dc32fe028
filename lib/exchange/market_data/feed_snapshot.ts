/**
 * A feed's books and trades as bytes: canonical, so that two feeds of the same state write the
 * same, and sealed by their own SHA-256. docs/format.md draws it.
 *
 * @module
 */

import { defineSchema } from "../../channel/schema.ts";
import { BookSide } from "../../market/book/book_side.ts";
import type { Instrument } from "../../market/instruments.ts";
import { type InstrumentFeed, type MarketState, TRADES_KEPT } from "./instrument_feed.ts";
import { SIDE_BUY, SIDE_SELL } from "../orders.ts";
import { check, readRows, rowOf, Rows } from "../snapshot_rows.ts";
import type { TapeTrade } from "./trade_tape.ts";

/** What a feed knows of engine events. */
export interface FeedState<Market> {
  /** Sequence of the last event; 0 before the first. */
  sequence: number;
  /** Whether none is missing. */
  isComplete: boolean;
  /** Whether there were events of an instrument that nobody knew. */
  hasUnknown: boolean;
  /** In any order. */
  markets: readonly Market[];
}

const MAGIC = "MTMARKET";
const VERSION = 1;
const FLAG_COMPLETE = 1;
const FLAG_UNKNOWN = 2;

const Header = defineSchema("feedSnapshot", {
  magic: "char[8]",
  version: "u32",
  flags: "u32",
  marketCount: "u32",
  levelCount: "u32",
  tradeCount: "u32",
  reserved: "u32",
  sequence: "u64",
});

const Market = defineSchema("feedMarket", {
  instrumentId: "u32",
  priceDecimals: "u16",
  quantityDecimals: "u16",
  flags: "u32",
  bidCount: "u32",
  askCount: "u32",
  tradeCount: "u32",
  sequence: "u64",
  lastTrade: "u64",
});

const Level = defineSchema("feedLevel", { price: "u64", quantity: "u64" });

const Trade = defineSchema("feedTrade", {
  sequence: "u64",
  price: "u64",
  quantity: "u64",
  timeMs: "u64",
  side: "u32",
  reserved: "u32",
});

const header = rowOf(Header);
const marketRow = rowOf(Market);
const levelRow = rowOf(Level);
const tradeRow = rowOf(Trade);

interface Counts {
  marketCount: number;
  levelCount: number;
  tradeCount: number;
}

function sizeOf({ marketCount, levelCount, tradeCount }: Counts): number {
  return Header.sizeBytes + marketCount * Market.sizeBytes + levelCount * Level.sizeBytes +
    tradeCount * Trade.sizeBytes;
}

/** Returns a feed's bytes without their hash: an image that does not change any more. */
export function imageOf(state: FeedState<InstrumentFeed>): Uint8Array<ArrayBuffer> {
  const { sequence, isComplete, hasUnknown } = state;
  const markets = state.markets.toSorted((a, b) => a.instrument.id - b.instrument.id);
  const counts: Counts = { marketCount: markets.length, levelCount: 0, tradeCount: 0 };
  for (const { bids, asks, tape } of markets) {
    counts.levelCount += bids.count + asks.count;
    counts.tradeCount += keptOf(tape.lastNumber);
  }
  const rows = new Rows(new Uint8Array(sizeOf(counts)));
  const flags = (isComplete ? FLAG_COMPLETE : 0) | (hasUnknown ? FLAG_UNKNOWN : 0);
  Object.assign(rows.next(header), { magic: MAGIC, version: VERSION, flags, ...counts, sequence });
  for (const market of markets) writeMarket(rows, market);
  return rows.bytes;
}

function writeMarket(rows: Rows, market: InstrumentFeed): void {
  const { instrument, bids, asks, tape } = market;
  const row = rows.next(marketRow);
  row.instrumentId = instrument.id;
  row.priceDecimals = instrument.priceDecimals;
  row.quantityDecimals = instrument.quantityDecimals;
  row.flags = market.isComplete ? FLAG_COMPLETE : 0;
  row.bidCount = bids.count;
  row.askCount = asks.count;
  row.tradeCount = keptOf(tape.lastNumber);
  row.sequence = market.sequence;
  row.lastTrade = tape.lastNumber;
  for (const side of [bids, asks]) {
    for (let depth = 0; depth < side.count; depth++) {
      const row = rows.next(levelRow);
      row.price = side.price(depth);
      row.quantity = side.quantity(depth);
    }
  }
  for (let number = tape.firstNumber; number <= tape.lastNumber; number++) {
    const { sequence, price, quantity, timeMs, side } = tape.at(number);
    const row = rows.next(tradeRow);
    row.sequence = sequence;
    row.price = price;
    row.quantity = quantity;
    row.timeMs = timeMs;
    row.side = side;
  }
}

/** How many trades a tape keeps of so many. */
function keptOf(lastTrade: number): number {
  return Math.min(lastTrade, TRADES_KEPT);
}

/**
 * Reads a snapshot.
 *
 * @param find Returns the instrument of an id.
 * @throws {CorruptSnapshotError} If it is damaged, or says what no feed writes.
 * @throws {TypeError} If it has an instrument that is unknown, or has other decimals by now.
 */
export function readFeed(
  snapshot: Uint8Array,
  find: (id: number) => Instrument | undefined,
): FeedState<MarketState> {
  return readRows(snapshot, (rows) => {
    const row = rows.next(header);
    check(row.magic === MAGIC, "no snapshot");
    check(row.version === VERSION, `version ${row.version}, where ${VERSION} is known`);
    const { flags, sequence, marketCount, levelCount, tradeCount, reserved } = row;
    check(flags <= (FLAG_COMPLETE | FLAG_UNKNOWN) && reserved === 0, "flags that it has not");
    const bytes = sizeOf({ marketCount, levelCount, tradeCount });
    check(bytes === rows.bytes.length, "another size than it says");
    const markets: MarketState[] = [];
    for (let i = 0; i < marketCount; i++) {
      const market = readMarket(rows, find, markets.at(-1)?.instrument.id ?? 0);
      check(market.sequence <= sequence, "a market that is ahead of its feed");
      markets.push(market);
    }
    check(rows.isAtEnd, "other counts than it says");
    const isComplete = (flags & FLAG_COMPLETE) !== 0;
    const isSound = isComplete || !markets.some((market) => market.isComplete);
    check(isSound, "a complete market of a feed that is not");
    return { sequence, isComplete, hasUnknown: (flags & FLAG_UNKNOWN) !== 0, markets };
  });
}

function readMarket(
  rows: Rows,
  find: (id: number) => Instrument | undefined,
  lastId: number,
): MarketState {
  const row = rows.next(marketRow);
  const { instrumentId: id, flags, sequence, lastTrade, tradeCount, bidCount, askCount } = row;
  const { priceDecimals, quantityDecimals } = row;
  const isSound = id > lastId && flags <= FLAG_COMPLETE && lastTrade <= sequence &&
    tradeCount === keptOf(lastTrade);
  check(isSound, `a market of instrument ${id} that no feed writes`);
  const instrument = find(id);
  const isKnown = instrument?.priceDecimals === priceDecimals &&
    instrument.quantityDecimals === quantityDecimals;
  if (!isKnown) {
    throw new TypeError(
      `Cannot restore a feed: found instrument ${id} with ${priceDecimals} and ` +
        `${quantityDecimals} decimals, which is not among those that it was given`,
    );
  }
  const bids = readSide(rows, "bid", bidCount);
  const asks = readSide(rows, "ask", askCount);
  const trades: Omit<TapeTrade, "number">[] = [];
  for (let i = 0; i < tradeCount; i++) {
    const trade = readTrade(rows, trades.at(-1)?.sequence ?? 0);
    check(trade.sequence <= sequence, "a trade that is ahead of its market");
    trades.push(trade);
  }
  const isComplete = flags === FLAG_COMPLETE;
  return { instrument, isComplete, sequence, bids, asks, lastTrade, trades };
}

function readSide(rows: Rows, name: "bid" | "ask", count: number): BookSide {
  const side = new BookSide(name);
  for (let depth = 0; depth < count; depth++) {
    const { price, quantity } = rows.next(levelRow);
    const isSound = price > 0 && quantity > 0 && side.set(price, quantity) === depth;
    check(isSound, `a level of ${quantity} at ${price} that no feed writes`);
  }
  return side;
}

function readTrade(rows: Rows, lastSequence: number): Omit<TapeTrade, "number"> {
  const { sequence, price, quantity, timeMs, side, reserved } = rows.next(tradeRow);
  const isSound = sequence > lastSequence && price > 0 && quantity > 0 && reserved === 0 &&
    (side === SIDE_BUY || side === SIDE_SELL);
  check(isSound, `a trade of ${quantity} at ${price} that no feed writes`);
  return { sequence, price, quantity, timeMs, side };
}

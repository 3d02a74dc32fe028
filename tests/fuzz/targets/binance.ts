/**
 * Messages of an exchange, through the normaliser into a book and a feed. Lines are messages.
 *
 * @module
 */

import { ExchangeFeed } from "../../../lib/exchange/mod.ts";
import {
  BinanceNormaliser,
  KIND_ORDER_BOOK_DELTA,
  messageKind,
  OrderBook,
  ScratchSink,
} from "../../../lib/market/mod.ts";
import { makeFeed } from "../../_market_data.ts";
import { depthText, snapshotText } from "../../_market.ts";
import { encode } from "../../_support.ts";
import { must, type Target } from "../_target.ts";

const decoder = new TextDecoder();
const INSTRUMENT = { id: 1, symbol: "BTCUSDT", priceDecimals: 2, quantityDecimals: 4 };
const INSTRUMENTS = {
  find: (symbol: string) => symbol === INSTRUMENT.symbol ? INSTRUMENT : undefined,
};
const TRADE = '{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000",' +
  '"q":"0.02000000","T":1723161255342,"m":true,"M":true}';
const TICKER = '{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78820000",' +
  '"a":"61837.64000000","A":"1.54690000"}';
const DEPTH = depthText(5, 9, [["61737.63", "0"], ["61730.17", "1.5"]], [["61837.64", "2.25"]]);
const SNAPSHOT = snapshotText(7, [["99.5", "1"]], [["100.5", "2"], ["101", "3"]]);
const FUTURES = '{"e":"depthUpdate","E":1,"T":2,"s":"BTCUSDT","U":5,"u":9,"pu":4,' +
  '"b":[["1.5","2"]],"a":[]}';

function run(input: Uint8Array): string {
  const book = new OrderBook(INSTRUMENT.id);
  const feed = makeFeed();
  const market = new ExchangeFeed(feed, "BTC-USD");
  let sequence = 0;
  const sink = new ScratchSink((view, offset, length) => {
    sequence++;
    const bytes = new DataView(view.buffer.slice(offset, offset + length) as ArrayBuffer);
    if (messageKind(bytes, 0) === KIND_ORDER_BOOK_DELTA) book.apply(bytes, 0, length);
    market.apply({ view: bytes, offset: 0, length, sequence });
  });
  const normaliser = new BinanceNormaliser({ sink, instruments: INSTRUMENTS, symbol: "BTCUSDT" });
  for (const line of decoder.decode(input).split("\n")) normaliser.normalise(line, 1);
  const { messages, ...causes } = normaliser.counts;
  const counted = Object.entries(causes).filter(([, count]) => count > 0);
  const sum = counted.reduce((total, [, count]) => total + count, 0);
  must(sum === messages, `${messages} messages, ${sum} counted`);
  for (const side of [book.bids, book.asks]) must(side.count >= 0, "levels");
  return `${counted.map(([name]) => name)} ${book.isInStep}`;
}

/** Opens it. */
export function open(): Target {
  const combined = `{"stream":"btcusdt@trade","data":${TRADE}}`;
  return {
    seeds: [TRADE, TICKER, DEPTH, SNAPSHOT, FUTURES, combined, `${DEPTH}\n${SNAPSHOT}\n${DEPTH}`]
      .map(encode),
    run,
  };
}

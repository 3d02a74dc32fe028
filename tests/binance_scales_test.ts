// Scales of instruments, and what Binance's futures say besides.
import { assertEquals } from "@std/assert";
import * as layouts from "../lib/market/layouts.ts";
import { futuresText, type LevelText, Recorder, snapshotText } from "./_market.ts";

const TRADE = '{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000",' +
  '"q":"0.02000000","T":1723161255342,"m":true,"M":true}';
const TICKER =
  '{"e":"bookTicker","E":7,"T":6,"u":50093239212,"s":"BTCUSDT","b":"61837.6","B":"3",' +
  '"a":"61837.7","A":"1"}';
const SNAPSHOT = snapshotText(50093239218, [["99.5", "1"]], [["100.5", "2"], ["101", "3"]]);

const trade = layouts.Trade.accessor();
const ticker = layouts.BookTicker.accessor();
const delta = layouts.OrderBookDelta.accessor();

function values(object: object, names: readonly string[]): unknown[] {
  return names.map((name) => (object as Record<string, unknown>)[name]);
}

Deno.test("BinanceNormaliser.normalise() uses each instrument's own scales", () => {
  const scales: Record<string, [number, number]> = { A: [2, 5], B: [0, 8], C: [4, 3] };
  const find = (symbol: string) => {
    const [priceDecimals, quantityDecimals] = scales[symbol] ?? [8, 8];
    return { id: 1 + "ABC".indexOf(symbol) || 9, symbol, priceDecimals, quantityDecimals };
  };
  const recorder = new Recorder({ find });
  const fields = ["priceDecimals", "quantityDecimals", "instrumentId", "price", "quantity"];
  const message = (symbol: string, price: string) =>
    TRADE.replace("BTCUSDT", symbol).replace("61837.63000000", price);
  // Also where the symbol comes last, and where it is told twice: as in JSON, the last one counts.
  const late = (symbol: string, price: string) =>
    message("B", price).replace('"s":"B",', "").replace('"m":', `"s":"${symbol}","m":`);
  const twice = (symbol: string, price: string) =>
    message("C", price).replace('"m":', `"s":"${symbol}","m":`);
  for (const way of [message, late, twice, message]) {
    for (const [symbol, price, value] of [["A", "5.25", 525], ["B", "7.00", 7], ["C", "1", 1e4]]) {
      const [record] = recorder.take(way(`${symbol}`, `${price}`));
      const [priceDecimals, quantityDecimals] = scales[symbol!]!;
      assertEquals(values(trade.wrap(record!, 0), fields), [
        ...[priceDecimals, quantityDecimals, 1 + "ABC".indexOf(`${symbol}`), value],
        2 * 10 ** (quantityDecimals - 2),
      ], `${way.name} ${symbol}`);
    }
    assertEquals(recorder.take(way("A", "5.255")), []);
    assertEquals(recorder.take(way("B", "5.5")), []);
  }
  assertEquals(recorder.normaliser.counts.inexact, 8);
  const [snapshot] = recorder.take(SNAPSHOT.replace("99.5", "99.50000000"));
  delta.wrap(snapshot!, 0);
  assertEquals([delta.priceDecimals, delta.prices(0), delta.quantities(0)], [8, 99.5e8, 1e8]);
});

Deno.test("BinanceNormaliser.normalise() tells what an update of futures follows", () => {
  const chained = layouts.DELTA_FIRST | layouts.DELTA_LAST | layouts.DELTA_CHAINED;
  const [record] = new Recorder().take(futuresText([5, 9, 3], [["1", "2"]], []));
  delta.wrap(record!, 0);
  assertEquals([delta.firstUpdateId, delta.lastUpdateId, delta.previousUpdateId], [5, 9, 3]);
  assertEquals(delta.flags, chained);
  const levels = Array.from({ length: 30 }, (_, index): LevelText => [`${index + 1}`, "1"]);
  for (const part of new Recorder().take(futuresText([5, 9, 3], levels, []))) {
    delta.wrap(part, 0);
    assertEquals([delta.previousUpdateId, delta.flags & layouts.DELTA_CHAINED], [3, 8]);
  }
  const named = TICKER;
  const [best] = new Recorder().take(named);
  assertEquals(ticker.wrap(best!, 0).eventTimeUs, 7_000);
  const recorder = new Recorder();
  for (const wrong of ["-1", "1.5", "9007199254740992", "null", '"3"']) {
    recorder.take(futuresText([5, 9, 3], [], []).replace('"pu":3', `"pu":${wrong}`));
  }
  const { inexact, incomplete, depthUpdates } = recorder.normaliser.counts;
  assertEquals([inexact, incomplete, depthUpdates], [3, 2, 0]);
});

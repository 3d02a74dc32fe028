/**
 * The recorded feed beside the checkout, which not everybody has.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type OrderBook, type TickerOracle, top20Sha256 } from "../lib/market/mod.ts";
import { isThere } from "./_support.ts";

/** Path of the recording. */
export const RECORDING = new URL(
  "../../shared/data/binance-spot-btcusdt-20240808.ndjson.gz",
  import.meta.url,
).pathname;

/** Whether it is there. Says so where it is not: tests on it are skipped then. */
export const HAS_RECORDING = isThere(RECORDING);
if (!HAS_RECORDING) console.warn(`no ${RECORDING}, so tests on recorded data are skipped`);

/** Compares with what an independent program has found in the recording: ../../shared/data. */
export async function assertRecordedBook(book: OrderBook, oracle: TickerOracle): Promise<void> {
  const { depthApplied, depthDropped, gaps } = book.counts;
  assertEquals([depthApplied, depthDropped, gaps], [3_449, 2, 0]);
  assertEquals(book.finalUpdateId, 50_093_421_584);
  assertEquals(book.levels, { bids: 1_209, asks: 2_196 });
  assertEquals(book.bestBid(), { price: 6_168_599_000_000, quantity: 100_870_000 });
  assertEquals(book.bestAsk(), { price: 6_168_600_000_000, quantity: 229_327_000 });
  assertEquals(oracle.counts, { tickerChecked: 3_449, tickerWrong: 0, tickerSkipped: 0 });
  assertEquals(
    await top20Sha256(book),
    "7f64fc84716bb0fcf969cf90a4fd3a204bbf917939f1dc44cf3fa4e95e1d845a",
  );
}

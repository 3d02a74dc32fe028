import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type BinanceCounts,
  BinanceNormaliser,
  ScratchSink,
} from "../lib/market/binance/binance.ts";
import { formatDecimal } from "../lib/market/decimal.ts";
import { generateFeed } from "../lib/market/fake_exchange/feed_generator.ts";
import * as layouts from "../lib/market/layouts.ts";
import { depthText, INSTRUMENT, type LevelText, Recorder, snapshotText } from "./_market.ts";
import { oneInstrument } from "./_market.ts";

const SEED = 20_240_808;
const TRADE = '{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000",' +
  '"q":"0.02000000","T":1723161255342,"m":true,"M":true}';
const TICKER = '{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000",' +
  '"a":"61837.64000000","A":"1.54698000"}';
const DEPTH = depthText(5, 9, [["61737.63", "0"], ["61730.17", "1.5"]], [["61837.64", "2.25"]]);
const SNAPSHOT = snapshotText(50093239218, [["99.5", "1"]], [["100.5", "2"], ["101", "3"]]);

const trade = layouts.Trade.accessor();
const ticker = layouts.BookTicker.accessor();
const delta = layouts.OrderBookDelta.accessor();

function combined(stream: string, data: string): string {
  return `{"stream":"btcusdt@${stream}","data":${data}}`;
}

/** The one cause that the message is counted under, besides `messages`. */
function cause(json: string): string {
  const { normaliser } = new Recorder();
  normaliser.normalise(json, 0);
  const { messages, ...rest } = normaliser.counts;
  const causes = Object.entries(rest).filter(([, count]) => count > 0);
  assertEquals([messages, causes.length], [1, 1], json);
  return causes[0]![0];
}

function values(object: object, names: readonly string[]): unknown[] {
  return names.map((name) => (object as Record<string, unknown>)[name]);
}

/** Levels of an update's records as text, and the checks that hold for every update. */
function levelsOf(records: DataView[]): { bids: LevelText[]; asks: LevelText[] } {
  const [bids, asks]: [LevelText[], LevelText[]] = [[], []];
  for (const [part, record] of records.entries()) {
    delta.wrap(record, 0);
    const { FIRST, LAST } = { FIRST: part === 0, LAST: part === records.length - 1 };
    assertEquals(delta.part, part);
    assertEquals((delta.flags & layouts.DELTA_FIRST) !== 0, FIRST);
    assertEquals((delta.flags & layouts.DELTA_LAST) !== 0, LAST);
    const count = delta.bidCount + delta.askCount;
    assert(LAST || count === layouts.DELTA_LEVELS, "only the last part may have room left");
    for (let index = 0; index < layouts.DELTA_LEVELS; index++) {
      const [price, quantity] = [delta.prices(index), delta.quantities(index)];
      if (index >= count) assertEquals([price, quantity], [0, 0], "unused levels are zero");
      else {(index < delta.bidCount ? bids : asks).push([
          formatDecimal(price, 8),
          formatDecimal(quantity, 8),
        ]);}
    }
  }
  return { bids, asks };
}

Deno.test("BinanceNormaliser.normalise() turns a trade into a Trade", () => {
  for (const json of [TRADE, combined("trade", TRADE)]) {
    const [record] = new Recorder().take(json, 1_723_161_254_087_896);
    trade.wrap(record!, 0, 64);
    assertEquals(values(trade, layouts.Trade.fields.map((field) => field.name)), [
      ...[layouts.KIND_TRADE, 8, 8, INSTRUMENT, 1_723_161_255_343_000, 1_723_161_254_087_896],
      ...[3_735_683_259, 6_183_763_000_000, 2_000_000, 1_723_161_255_342_000, true, 0, 0, 0],
    ]);
    assertEquals(layouts.messageKind(record!, 0), layouts.KIND_TRADE);
  }
});

Deno.test("BinanceNormaliser.normalise() turns a book ticker into a BookTicker", () => {
  for (const json of [TICKER, combined("bookTicker", TICKER)]) {
    const [record] = new Recorder().take(json, 5);
    ticker.wrap(record!, 0, 64);
    assertEquals(values(ticker, layouts.BookTicker.fields.map((field) => field.name)), [
      ...[layouts.KIND_BOOK_TICKER, 8, 8, INSTRUMENT, 0, 5, 50_093_239_212],
      ...[6_183_763_000_000, 378_826_000, 6_183_764_000_000, 154_698_000],
    ]);
  }
});

Deno.test("BinanceNormaliser.normalise() turns levels into OrderBookDeltas", () => {
  const names = ["kind", "priceDecimals", "quantityDecimals", "instrumentId", "eventTimeUs"];
  names.push("firstUpdateId", "lastUpdateId", "flags", "bidCount", "askCount");
  names.push("reserved0", "previousUpdateId", "reserved1");
  const [update] = new Recorder().take(combined("depth@100ms", DEPTH));
  const whole = layouts.DELTA_FIRST | layouts.DELTA_LAST;
  assertEquals(values(delta.wrap(update!, 0, 256), names), [
    ...[layouts.KIND_ORDER_BOOK_DELTA, 8, 8, INSTRUMENT, 1_000, 5, 9, whole, 2, 1, 0, 0, 0],
  ]);
  assertEquals(levelsOf([update!]), {
    bids: [["61737.63000000", "0.00000000"], ["61730.17000000", "1.50000000"]],
    asks: [["61837.64000000", "2.25000000"]],
  });
  const [snapshot] = new Recorder().take(SNAPSHOT);
  assertEquals(values(delta.wrap(snapshot!, 0, 256), names), [
    ...[layouts.KIND_ORDER_BOOK_DELTA, 8, 8, INSTRUMENT, 0, 50_093_239_218, 50_093_239_218],
    ...[whole | layouts.DELTA_SNAPSHOT, 1, 2, 0, 0, 0],
  ]);
});

Deno.test("BinanceNormaliser.normalise() splits a large update over deltas of 12 levels", () => {
  const counts = [0, 1, 11, 12, 13, 24, 25, 100];
  for (const bidCount of counts) {
    for (const askCount of counts) {
      const side = (count: number, start: number): LevelText[] =>
        Array.from(
          { length: count },
          (_, index) => [formatDecimal((start + index) * 1e8, 8), "0.5"],
        );
      const [bids, asks] = [side(bidCount, 1), side(askCount, 1_000)];
      const recorder = new Recorder();
      const records = recorder.take(depthText(1, 2, bids, asks));
      assertEquals(records.length, Math.max(1, Math.ceil((bidCount + askCount) / 12)));
      const padded = (levels: LevelText[]) => levels.map(([price]) => [price, "0.50000000"]);
      assertEquals(levelsOf(records) as unknown, { bids: padded(bids), asks: padded(asks) });
      assertEquals(recorder.normaliser.counts.depthUpdates, 1);
    }
  }
});

Deno.test("BinanceNormaliser.normalise() accepts microseconds, and ids up to 2^53 - 1", () => {
  const [record] = new Recorder().take(
    TRADE.replace("1723161255343", "1723161255343001").replace("3735683259", "9007199254740991"),
  );
  trade.wrap(record!, 0);
  assertEquals([trade.eventTimeUs, trade.tradeTimeUs], [1723161255343001, 1723161255342000]);
  assertEquals(trade.tradeId, Number.MAX_SAFE_INTEGER);
});

Deno.test("BinanceNormaliser.normalise() ignores order, white space and unknown fields", () => {
  const expected = new Recorder().take(combined("trade", TRADE));
  const fields = JSON.parse(TRADE);
  const reordered = JSON.stringify({
    data: Object.fromEntries(
      [...Object.entries(fields), ["x", { e: [{ s: "no" }, null] }]].reverse(),
    ),
    id: -1.5e-3,
    stream: 'x"\\\u00e9\ud83d',
  });
  const spaced = JSON.stringify(JSON.parse(reordered), null, "\t").replaceAll("\n", " \r\n");
  for (const json of [reordered, spaced, ` ${spaced} `]) {
    assertEquals(new Recorder().take(json), expected);
  }
  const spacedDepth = JSON.stringify(JSON.parse(DEPTH), null, 2);
  assertEquals(new Recorder().take(spacedDepth), new Recorder().take(DEPTH));
});

Deno.test("BinanceNormaliser.normalise() reads messages of any length", () => {
  const last = TRADE.replace(',"M":true}', "}").replace(/("q":"[^"]*"),(.*)}/, "$2,$1}");
  const expected = new Recorder().take(last);
  const lengths = [2, 3].flatMap((thousands) => {
    const full = 2 ** (10 + thousands);
    return Array.from({ length: 40 }, (_, index) => full - 20 + index);
  });
  for (const length of lengths) {
    assertEquals(new Recorder().take(last.padStart(length)), expected, `${length} bytes`);
    assertEquals(cause(last.slice(0, -3).padStart(length)), "malformed", `${length} bytes`);
  }
  const symbol = "币".repeat(5_000);
  assertEquals(new Recorder().take(TRADE.replace("BTCUSDT", symbol)).length, 1);
});

Deno.test("BinanceNormaliser.normalise() counts what it cannot use by cause", () => {
  const price = (text: string) => TRADE.replace("61837.63000000", text);
  const cases: Record<keyof BinanceCounts, string[]> = {
    malformed: [
      ...["", " ", "null", "7", "[]", '"trade"', "{", "}", "{}}", "{,}", '{"a"}', '{"a":}'],
      ...[TRADE.slice(0, -1), `${TRADE}x`, TRADE + TRADE, TRADE.replace("true", "tru")],
      ...['{"a":01}', '{"a":"\\x"}', '{"a":"\n"}', '{"a":1,}', "{'a':1}", '{"a":+1}', '{"a":.5}'],
      ...['{"e":"trade"', `\ufeff${TRADE}`, TRADE.replace("61837.63000000", "\\u12g4")],
      `{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}`,
    ],
    unknown: [
      ...["{}", '{"result":null,"id":1}', '{"e":"serverShutdown","E":1770123456789}'],
      ...[TRADE.replace('"trade"', '"aggTrade"'), TRADE.replace('"trade"', "1")],
      ...[TRADE.replace('"trade"', '"trades"'), combined("depth20", SNAPSHOT)],
      ...[combined("trade", `[${TRADE}]`), `{"stream":"x","data":{"data":${TRADE}}}`],
    ],
    incomplete: [
      ...["E", "s", "t", "p", "q", "T", "m"].map((key) => TRADE.replace(`"${key}":`, '"x":')),
      ...["u", "s", "b", "B", "a", "A"].map((key) => TICKER.replace(`"${key}":`, '"x":')),
      ...["E", "s", "U", "u", "b", "a"].map((key) => DEPTH.replace(`"${key}":`, '"x":')),
      ...["bids", "asks"].map((key) => SNAPSHOT.replace(`"${key}":`, '"x":')),
      ...[TRADE.replace("1723161255343", '"1723161255343"'), TRADE.replace("true", "1")],
      ...[price("1").replace('"1"', "1"), TRADE.replace('"BTCUSDT"', "null")],
      ...[SNAPSHOT.replace('[["99.5","1"]]', "{}"), DEPTH.replace("9", "null")],
    ],
    inexact: [
      ...["", "-1", "+1", "1e3", ".5", "1.", "01", "1.123456789", "90071992.54740992", "x"]
        .map(price),
      ...["9007199254740992", "99999999999999999999", "1.5", "1e3", "-3"]
        .map((id) => TRADE.replace("3735683259", id)),
      ...[TRADE.replace("1723161255343", "9007199254740992"), TICKER.replace("3.78826", "3.7882x")],
      ...['["1"]', '["1",2]', "[]", "1", '["1","-2"]', '["1","2","3"]', '["1","2"],', '["1"," 2"]']
        .map((level) => DEPTH.replace('["61730.17","1.5"]', level)).filter(isJson),
      SNAPSHOT.replace('"100.5"', '"1e2"'),
    ],
    unknownInstrument: [TRADE.replace("BTCUSDT", "")],
    messages: [],
    trades: [TRADE],
    depthUpdates: [DEPTH, DEPTH.replace('["61730.17","1.5"]', '["61730.17" , "1.5" ] ')],
    bookTickers: [TICKER],
    snapshots: [SNAPSHOT],
    backPressured: [],
  };
  const together = new Recorder();
  for (const [expected, messages] of Object.entries(cases)) {
    for (const json of messages) {
      assertEquals(cause(json), expected, json);
      together.take(json);
      assertEquals(
        together.take(TRADE),
        new Recorder().take(TRADE),
        "what was before is forgotten",
      );
    }
  }
});

Deno.test("BinanceNormaliser.normalise() asks once for the instrument of a known symbol", () => {
  const asked: string[] = [];
  const ids: Record<string, number> = { BTCUSDT: 1, "币安人生USDT": 4_294_967_295, Aa: 3, BB: 4 };
  const find = (symbol: string) => {
    asked.push(symbol);
    return symbol in ids ? { ...oneInstrument().found, id: ids[symbol]!, symbol } : undefined;
  };
  const seen: number[] = [];
  const normaliser = new BinanceNormaliser({
    sink: new ScratchSink((view, offset) => seen.push(trade.wrap(view, offset).instrumentId)),
    instruments: { find },
  });
  // "Aa" and "BB" have the same hash.
  const symbols = ["BTCUSDT", "币安人生USDT", "Aa", "BB", "NEW"];
  for (const symbol of [...symbols, ...symbols]) {
    normaliser.normalise(TRADE.replace("BTCUSDT", symbol), 0);
  }
  assertEquals(seen, [1, 4_294_967_295, 3, 4, 1, 4_294_967_295, 3, 4]);
  assertEquals(normaliser.counts.unknownInstrument, 2);
  normaliser.normalise(SNAPSHOT, 0);
  assertEquals(normaliser.counts.unknownInstrument, 3, "a snapshot tells no symbol");
  assertEquals(asked, [...symbols, "NEW"]);
  assertEquals(normaliser.normalise(SNAPSHOT, 0, "BTCUSDT"), 1);
});

Deno.test("BinanceNormaliser.normalise() gives a message up when the sink has no room", () => {
  let room = 2;
  const scratch = new ScratchSink(() => room--);
  const sink = {
    view: scratch.view,
    offset: 0,
    claim: (sizeBytes: number) => room > 0 && scratch.claim(sizeBytes),
    publish: () => scratch.publish(),
  };
  const normaliser = new BinanceNormaliser({ sink, instruments: oneInstrument() });
  const levels = Array.from({ length: 40 }, (_, index): LevelText => [`${index + 1}`, "1"]);
  assertEquals(normaliser.normalise(depthText(1, 2, levels, []), 0), 2, "2 of 4 deltas");
  for (const json of [TRADE, TICKER]) assertEquals(normaliser.normalise(json, 0), 0);
  assertEquals(normaliser.counts.backPressured, 3);
  assertEquals(normaliser.counts.depthUpdates, 0);
});

Deno.test("BinanceNormaliser throws RangeError for a caller's wrong number", () => {
  const recorder = new Recorder();
  for (const receiveUs of [NaN, 0.5, 2 ** 53, Infinity]) {
    assertThrows(() => recorder.take(TRADE, receiveUs), RangeError, `found ${receiveUs}`);
  }
  for (const id of [-1, 0, 0.5, 2 ** 32, NaN]) {
    const sink = new ScratchSink(() => assert(false));
    const instruments = { find: () => ({ ...oneInstrument().found, id }) };
    const normaliser = new BinanceNormaliser({ sink, instruments });
    assertThrows(() => normaliser.normalise(TRADE, 0), RangeError, `found ${id}`);
  }
  assertEquals(recorder.records.length, 0);
});

Deno.test("BinanceNormaliser.normalise() calls malformed what JSON.parse refuses", () => {
  const samples = [...generateFeed({ seed: SEED, messages: 150 })]
    .map((line) => line.slice(line.indexOf(" ") + 1)).concat(TRADE, TICKER, DEPTH, SNAPSHOT);
  const letters = fc.constantFrom(...'{}[]",:.0123456789-+eE tfn\\u \n\0é😀');
  const edit = fc.tuple(fc.nat(), fc.nat(2), fc.nat(3), fc.array(letters, { maxLength: 3 }));
  const property = fc.property(fc.constantFrom(...samples), fc.array(edit), (sample, edits) => {
    let text = sample;
    for (const [place, keep, length, letters] of edits) {
      const at = place % (text.length + 1);
      text = text.slice(0, at) + (keep === 0 ? "" : letters.join("")) + text.slice(at + length);
    }
    const recorder = new Recorder();
    const records = recorder.take(text);
    const isObject = isJson(text) && /^\s*\{/.test(text);
    assertEquals(recorder.normaliser.counts.malformed, isObject ? 0 : 1, text);
    if (records.length > 0) agree(JSON.parse(text), records);
  });
  fc.assert(property, { seed: SEED, numRuns: 5_000 });
});

Deno.test("BinanceNormaliser.normalise() agrees with JSON.parse on a whole feed", () => {
  const recorder = new Recorder();
  for (const line of generateFeed({ seed: SEED, messages: 5_000 })) {
    const json = line.slice(line.indexOf(" ") + 1);
    agree(JSON.parse(json), recorder.take(json));
  }
  const { messages, trades, depthUpdates, bookTickers, snapshots } = recorder.normaliser.counts;
  assertEquals(trades + depthUpdates + bookTickers + snapshots, messages);
  assertGreater(Math.min(trades, depthUpdates, bookTickers, snapshots), 0);
});

/** Compares records with the message as JSON.parse sees it. */
// deno-lint-ignore no-explicit-any -- It is whatever the exchange, or a mutation of it, says.
function agree(message: any, records: DataView[]): void {
  const said = message.data?.e !== undefined || message.data?.u ? message.data : message;
  const full = (text: string) => formatDecimal(Math.round(Number(text) * 1e8), 8);
  const kind = layouts.messageKind(records[0]!, 0);
  if (kind === layouts.KIND_TRADE) {
    trade.wrap(records[0]!, 0);
    assertEquals(
      [
        trade.tradeId,
        formatDecimal(trade.price, 8),
        formatDecimal(trade.quantity, 8),
        trade.isBuyerMaker,
      ],
      [said.t, full(said.p), full(said.q), said.m],
    );
  } else if (kind === layouts.KIND_BOOK_TICKER) {
    ticker.wrap(records[0]!, 0);
    assertEquals(
      [ticker.updateId, formatDecimal(ticker.bidPrice, 8), formatDecimal(ticker.askQuantity, 8)],
      [said.u, full(said.b), full(said.A)],
    );
  } else {
    const levels = (side: LevelText[]) =>
      side.map(([price, amount]) => [full(price), full(amount)]);
    const expected = { bids: levels(said.b ?? said.bids), asks: levels(said.a ?? said.asks) };
    assertEquals(levelsOf(records) as unknown, expected);
    assertEquals(delta.lastUpdateId, said.u ?? said.lastUpdateId);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

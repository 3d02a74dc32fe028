import { assertEquals, assertThrows } from "@std/assert";
import { ExchangeFeed, FanOut, MarketFeed } from "../lib/exchange/mod.ts";
import type { Instrument } from "../lib/market/mod.ts";
import { depthText, INSTRUMENT, Recorder, snapshotText } from "./_market.ts";
import { ClientView, frameText } from "./_market_data.ts";

const BITCOIN: Instrument = {
  ...{ id: INSTRUMENT, symbol: "BTCUSDT", priceDecimals: 8, quantityDecimals: 8 },
};

/** A feed of one exchange's market, and a client that follows it. */
class Session {
  readonly feed: MarketFeed = new MarketFeed({ at: () => BITCOIN, all: () => [BITCOIN] });
  readonly exchange: ExchangeFeed = new ExchangeFeed(this.feed, "BTCUSDT");
  readonly view: ClientView = new ClientView();
  readonly #fanOut: FanOut = new FanOut(this.feed);
  readonly #recorder: Recorder = new Recorder();
  #taken = 0;
  #sequence = 0;

  constructor() {
    const view = this.view;
    const client = this.#fanOut.add({
      bufferedBytes: 0,
      send: (frame) => view.take(frameText(frame)),
      close: () => {},
    });
    this.#fanOut.request(client, JSON.stringify({ type: "subscribe", symbols: ["BTCUSDT"] }));
  }

  /** Lets the exchange send something. */
  send(...texts: string[]): void {
    for (const text of texts) this.#recorder.normaliser.normalise(text, 0);
    const { records } = this.#recorder;
    for (; this.#taken < records.length; this.#taken++) this.take(records[this.#taken]!);
  }

  /** Takes bytes as a message of the channel. */
  take(view: DataView): void {
    const message = { offset: view.byteOffset, length: view.byteLength };
    const whole = new DataView(view.buffer as ArrayBuffer);
    this.exchange.apply({ view: whole, ...message, sequence: ++this.#sequence });
    this.#fanOut.flush();
  }

  /** What the client knows. */
  get market() {
    const { isComplete, bids, asks, lastTrade } = this.view.markets.get("BTCUSDT")!;
    return { isComplete, bids, asks, lastTrade };
  }
}

Deno.test("ExchangeFeed follows an exchange's book and trades", () => {
  const session = new Session();
  session.send(
    snapshotText(7, [["100.5", "2"], ["100", "1"]], [["101", "3"]]),
    depthText(8, 9, [["100.5", "0"], ["99", "4"]], [["101", "2.5"]]),
    '{"e":"trade","E":1,"s":"BTCUSDT","t":5,"p":"100.5","q":"2","T":1700000000000,"m":true}',
  );
  assertEquals(session.market, {
    ...{ isComplete: true, lastTrade: 1 },
    bids: { "100.00000000": "1", "99.00000000": "4" },
    asks: { "101.00000000": "2.5" },
  });
  assertEquals(session.view.counts, { snapshot: 1, update: 2 });
});

Deno.test("ExchangeFeed has an empty, incomplete book from a gap to the next snapshot", () => {
  const session = new Session();
  session.send(snapshotText(7, [["100", "1"]], []), depthText(8, 9, [["99", "4"]], []));
  session.send(depthText(12, 13, [["98", "1"]], []));
  assertEquals(session.market, { isComplete: false, lastTrade: 0, bids: {}, asks: {} });
  session.send(snapshotText(12, [["97", "1"]], []));
  const bids = { "97.00000000": "1", "98.00000000": "1" };
  assertEquals(session.market, { isComplete: true, lastTrade: 0, bids, asks: {} });
});

Deno.test("ExchangeFeed counts what is no message, and goes on", () => {
  const session = new Session();
  session.send(snapshotText(7, [["100", "1"]], []));
  for (const length of [0, 1, 2, 63, 255]) {
    for (const kind of [0, 1, 2, 3, 4, 99]) {
      const bytes = new Uint8Array(length).fill(0xff);
      if (length >= 2) bytes.set([kind, 0]);
      session.take(new DataView(bytes.buffer));
    }
  }
  session.send(depthText(8, 8, [["99", "1"]], []));
  const bids = { "100.00000000": "1", "99.00000000": "1" };
  assertEquals(session.market, { isComplete: true, lastTrade: 0, bids, asks: {} });
});

Deno.test("ExchangeFeed() refuses a symbol that is no instrument's", () => {
  const feed = new MarketFeed({ at: () => BITCOIN, all: () => [BITCOIN] });
  assertThrows(() => new ExchangeFeed(feed, "DOGE"), RangeError, "DOGE");
});

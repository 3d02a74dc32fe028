/**
 * What tests of live feeds share: a fake exchange, the collector of it, and a consumer whose book
 * is compared with the exchange's.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { BinanceRest } from "../lib/market/binance/binance_rest.ts";
import {
  FakeExchange,
  type FakeExchangeOptions,
  type FakeLevel,
} from "../lib/market/fake_exchange/fake_exchange.ts";
import {
  LiveCollector,
  type LiveCollectorOptions,
} from "../lib/market/collector/live_collector.ts";
import {
  formatDecimal,
  type Instrument,
  KIND_ORDER_BOOK_DELTA,
  KIND_TRADE,
  messageKind,
  OrderBook,
  type ReadonlyBookSide,
  Trade,
} from "../lib/market/mod.ts";
import { type Channel, type Consumer, type Message, openConsumer, openProducer } from "../mod.ts";
import { Scratch } from "./_support.ts";

/** A test that has not got what it waits for by then has failed. */
const WATCHDOG_MS = 120_000;

/** Nothing waits for long here, and nothing is given up because the machine is busy. */
const FAST = {
  times: {
    connectMs: WATCHDOG_MS,
    silenceMs: WATCHDOG_MS,
    overlapMs: 20,
    backOff: { minMs: 1, maxMs: 20 },
    stableMs: 100,
  },
  backOff: { minMs: 1, maxMs: 20 },
};

/** A consumer of one instrument's channel. */
export class BookConsumer {
  readonly instrument: Instrument;
  readonly book: OrderBook;
  /** Ids of the trades in the order in which they came. */
  readonly tradeIds: number[] = [];
  /** Comparisons of the book with the exchange's. */
  compared = 0;
  #comparedId = 0;
  readonly #consumer: Consumer;
  readonly #exchange: FakeExchange;
  readonly #trade = Trade.accessor();

  constructor(channel: Channel, instrument: Instrument, exchange: FakeExchange) {
    this.instrument = instrument;
    this.#exchange = exchange;
    this.book = new OrderBook(instrument.id);
    this.#consumer = openConsumer(channel, { from: "latest" });
  }

  /** Takes what there is, and compares the book, if it is in step. */
  poll(): void {
    const handler = ({ view, offset }: Message) => {
      const kind = messageKind(view, offset);
      if (kind === KIND_ORDER_BOOK_DELTA) this.book.apply(view, offset);
      if (kind === KIND_TRADE) this.tradeIds.push(this.#trade.wrap(view, offset).tradeId);
    };
    while (this.#consumer.poll(handler) > 0);
    if (this.book.isInStep && this.book.finalUpdateId !== this.#comparedId) this.#compare();
  }

  #compare(): void {
    const { book, instrument } = this;
    const { bids, asks } = this.#exchange.bookAt(instrument.symbol, book.finalUpdateId);
    assertEquals(this.#texts(book.bids), bids);
    assertEquals(this.#texts(book.asks), asks);
    this.#comparedId = book.finalUpdateId;
    this.compared++;
  }

  #texts(side: ReadonlyBookSide): FakeLevel[] {
    const { priceDecimals, quantityDecimals } = this.instrument;
    const text = (value: number, decimals: number) =>
      formatDecimal(value, decimals) + "0".repeat(8 - decimals);
    return Array.from({ length: side.count }, (_, depth) => [
      text(side.price(depth), priceDecimals),
      text(side.quantity(depth), quantityDecimals),
    ]);
  }
}

/** How a {@linkcode Station} is. */
export interface StationOptions {
  exchange?: FakeExchangeOptions;
  live?: Partial<LiveCollectorOptions>;
  /** Milliseconds after which a REST request is given up. Default: the watchdog's. */
  restTimeoutMs?: number;
  /** Bytes of each ring. */
  sizeBytes?: number;
}

/** Exchange, collector, channels and consumers, in one process. */
export class Station implements AsyncDisposable {
  readonly exchange: FakeExchange;
  readonly collector: LiveCollector;
  readonly consumers: BookConsumer[];
  /** Causes that were told. */
  readonly troubles: string[] = [];
  /** The collector's end. */
  readonly running: Promise<void>;
  /** Whether consumers take what comes. */
  isPolling = true;
  readonly #scratch = new Scratch();
  readonly #channels: Channel[] = [];

  private constructor(exchange: FakeExchange, options: StationOptions) {
    const { exchange: { symbols = ["BTCUSDT"], market = "spot" } = {}, live } = options;
    const { restTimeoutMs: timeoutMs = WATCHDOG_MS } = options;
    this.exchange = exchange;
    this.consumers = [];
    const markets = symbols.map((symbol, index) => {
      const instrument = { id: index + 3, symbol, priceDecimals: 2, quantityDecimals: 5 };
      const channel = this.#scratch.create(
        { sizeBytes: options.sizeBytes ?? 1024 * 1024 },
        `market.${symbol.toLowerCase()}`,
      );
      this.#channels.push(channel);
      this.consumers.push(new BookConsumer(channel, instrument, exchange));
      return { instrument, producer: openProducer(channel) };
    });
    const onTrouble = (cause: string) => void this.troubles.push(cause);
    this.collector = new LiveCollector({
      url: exchange.url,
      rest: new BinanceRest({
        ...{ url: exchange.restUrl, market, depthLimit: 5_000, timeoutMs },
        ...{ weightPerMinute: 1e9, backOff: FAST.backOff, onTrouble },
      }),
      markets,
      onTrouble,
      ...FAST,
      ...live,
      times: { ...FAST.times, ...live?.times },
    });
    this.running = this.collector.run();
    this.running.catch(() => {}); // Told at the end.
  }

  static async start(options: StationOptions = {}): Promise<Station> {
    const exchange = await FakeExchange.start({
      rateHz: 0,
      retryAfterSeconds: 0,
      ...options.exchange,
    });
    return new Station(exchange, options);
  }

  /** The first consumer. */
  get consumer(): BookConsumer {
    return this.consumers[0]!;
  }

  /** Whether all books are in step. */
  get isInStep(): boolean {
    return this.consumers.every(({ book }) => book.isInStep);
  }

  /** Lets time go on at the exchange and everywhere, until something has become true. */
  async until(what: string, condition: () => boolean, steps = 10): Promise<void> {
    const end = performance.now() + WATCHDOG_MS;
    while (!condition()) {
      if (performance.now() > end) {
        const { counts } = this.collector;
        throw new Error(`Cannot wait until ${what}: found ${JSON.stringify(counts)}`);
      }
      this.exchange.advance(steps);
      await this.turn();
    }
  }

  /** Lets everything happen that is under way, and takes what has come. */
  async turn(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (this.isPolling) { for (const consumer of this.consumers) consumer.poll(); }
  }

  /** Adds a consumer of the first instrument, which has missed what came before. */
  addConsumer(): BookConsumer {
    const { instrument } = this.consumer;
    const consumer = new BookConsumer(this.#channels[0]!, instrument, this.exchange);
    this.consumers.push(consumer);
    return consumer;
  }

  /** Takes the channels away from everybody. */
  closeChannels(): void {
    this.consumers.length = 0;
    for (const channel of this.#channels) channel.close();
  }

  /** Goes on until all books are in step, and some comparisons more. */
  async untilInStep(): Promise<void> {
    await this.until("all books are in step", () => this.isInStep);
    const enough = this.consumers.map(({ compared }) => compared + 5);
    await this.until(
      "they have been compared",
      () => this.isInStep && this.consumers.every(({ compared }, i) => compared >= enough[i]!),
    );
  }

  /** Ends the collector, which must not have failed. */
  async stop(): Promise<void> {
    this.collector.stop();
    await this.running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.stop();
    } finally {
      await this.exchange.stop();
      this.#scratch[Symbol.dispose]();
    }
  }
}

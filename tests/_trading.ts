/**
 * A matching engine that trades at random and publishes what comes of it, for tests of those who
 * listen.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { KIND_TRADED, MatchingEngine, SIDE_BUY } from "../lib/exchange/mod.ts";
import type { Instrument } from "../lib/market/mod.ts";
import { packRequest, readEvent, RequestStream } from "./_exchange.ts";

/** What it trades. */
export const TRADED: Instrument[] = [
  { id: 1, symbol: "BTC-USD", priceDecimals: 0, quantityDecimals: 0 },
  { id: 2, symbol: "ETH-USD", priceDecimals: 0, quantityDecimals: 0 },
];

/** Rows of prices and quantities, as `/api/book` has them. */
type Levels = [price: string, quantity: string][];

/** What market data has to say of an instrument. */
export interface Market {
  bids: Levels;
  asks: Levels;
  lastTrade: number;
}

/** An engine, and what market data has to make of its events. */
export class Trading {
  readonly #stream: RequestStream;
  readonly #trades = [0, 0, 0];
  readonly #engine: MatchingEngine;

  /** Begins; the seed gives the same events again. */
  constructor(seed: number, publish: (event: Uint8Array<ArrayBuffer>) => void) {
    this.#stream = new RequestStream(seed);
    this.#engine = new MatchingEngine({
      instruments: TRADED,
      onEvent: (view, offset, sizeBytes) => {
        publish(new Uint8Array(view.buffer, view.byteOffset + offset, sizeBytes));
        const { kind, instrumentId } = readEvent(view, offset);
        if (kind === KIND_TRADED) this.#trades[instrumentId]!++;
      },
    });
  }

  /** Number of the last event. */
  get lastSequence(): number {
    return this.#engine.lastEventNumber;
  }

  /** Takes so many requests. */
  trade(count: number): void {
    for (let i = 0; i < count; i++) {
      const bytes = packRequest(this.#stream.next());
      const sequence = this.#engine.lastSequence + 1;
      this.#engine.apply(new DataView(bytes.buffer), 0, sequence, bytes.length);
    }
  }

  /** Its books, level by level, and its trades. */
  market(id: number): Market {
    const sides = { bids: new Map<number, number>(), asks: new Map<number, number>() };
    for (const { instrumentId, side, price, remaining } of this.#engine.restingOrders()) {
      const levels = side === SIDE_BUY ? sides.bids : sides.asks;
      if (instrumentId === id) levels.set(price, (levels.get(price) ?? 0) + remaining);
    }
    const rows = (levels: Map<number, number>): Levels =>
      Array.from(levels, ([price, quantity]) => [`${price}`, `${quantity}`]);
    return { bids: rows(sides.bids), asks: rows(sides.asks), lastTrade: this.#trades[id]! };
  }

  /** Compares what a service of market data answers. */
  async check(port: number): Promise<void> {
    for (const { id, symbol } of TRADED) {
      const get = async (path: string) =>
        await (await fetch(`http://127.0.0.1:${port}/api/${path}`)).json();
      const { bids, asks, isComplete } = await get(`book/${symbol}?depth=5000`);
      const { lastTrade } = await get(`trades/${symbol}?limit=1`);
      assertEquals({ bids, asks, lastTrade }, this.market(id), symbol);
      assertEquals(isComplete, true);
    }
  }
}

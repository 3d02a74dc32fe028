/**
 * What the demo asks market data over REST.
 *
 * @module
 */

import type { MarketDataReport } from "../../lib/exchange/mod.ts";
import { ScriptError } from "../_command.ts";

/** Price and quantity as decimal text. */
export type LevelText = [price: string, quantity: string];

/** A book, best levels first. */
export interface BookText {
  symbol: string;
  sequence: number;
  isComplete: boolean;
  bids: LevelText[];
  asks: LevelText[];
}

/** Levels of a side that are compared: as many as market data hands out. */
const DEPTH = 5_000;

/** Asks one server. */
export class MarketDataClient {
  readonly #url: string;

  /** Takes its address, with a slash at the end. */
  constructor(url: string) {
    this.#url = url;
  }

  /** Returns how it stands. */
  async stats(): Promise<MarketDataReport> {
    return await this.#get("api/stats") as MarketDataReport;
  }

  /** Returns a book. */
  async book(symbol: string): Promise<BookText> {
    return await this.#get(`api/book/${encodeURIComponent(symbol)}?depth=${DEPTH}`) as BookText;
  }

  async #get(path: string): Promise<unknown> {
    const response = await fetch(`${this.#url}${path}`);
    if (response.ok) return await response.json();
    const text = await response.text();
    throw new ScriptError(`Cannot read "${path}" from market data: found ${text}`);
  }
}

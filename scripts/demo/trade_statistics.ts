/**
 * The demo's trade statistics: prices and quantities of each instrument's trades. They may miss
 * some when they are slow, so they never hold the collector back.
 *
 * @module
 */

import { E8, formatE8, KIND_TRADE, messageKind, Trade } from "../../lib/market/mod.ts";
import type { Message } from "../../mod.ts";
import { runChild } from "./_child.ts";
import { runConsumer, type Work } from "./_consumer.ts";
import { ExactSum } from "./_exact_sum.ts";
import { TRADE_STATISTICS, type TradeFigures } from "./_protocol.ts";

/** The trades of one instrument. */
class Tape {
  readonly instrumentId: number;
  readonly #quantity = new ExactSum();
  readonly #bought = new ExactSum();
  #trades = 0;
  /** Sum of price × quantity, as a float: it is for an average that is rounded. */
  #turnover = 0;
  #lowest = Infinity;
  #highest = 0;
  #priceDecimals = 0;

  constructor(instrumentId: number) {
    this.instrumentId = instrumentId;
  }

  add(price: number, quantity: number, isBuy: boolean, priceDecimals: number): void {
    this.#trades++;
    this.#quantity.add(quantity);
    if (isBuy) this.#bought.add(quantity);
    this.#turnover += (price / E8) * (quantity / E8);
    this.#lowest = Math.min(this.#lowest, price);
    this.#highest = Math.max(this.#highest, price);
    this.#priceDecimals = Math.max(this.#priceDecimals, priceDecimals);
  }

  figures(): TradeFigures {
    const quantity = Number(this.#quantity.value) / E8;
    return {
      instrumentId: this.instrumentId,
      trades: this.#trades,
      quantityE8: `${this.#quantity.value}`,
      averagePrice: quantity === 0 ? 0 : this.#turnover / quantity,
      lowestPrice: formatE8(this.#lowest, this.#priceDecimals),
      highestPrice: formatE8(this.#highest, this.#priceDecimals),
      buyShare: quantity === 0 ? 0 : Number(this.#bought.value) / E8 / quantity,
    };
  }
}

class TradeStatistics implements Work {
  readonly name = TRADE_STATISTICS;
  readonly onSlow = "drop";
  readonly view = false;
  readonly #trade = Trade.accessor();
  /** By instrument id. */
  readonly #tapes = new Map<number, Tape>();

  take({ view, offset, length }: Message): void {
    if (messageKind(view, offset) !== KIND_TRADE) return;
    const trade = this.#trade.wrap(view, offset, length);
    const { instrumentId, price, quantity, isBuyerMaker, priceDecimals } = trade;
    let tape = this.#tapes.get(instrumentId);
    if (tape === undefined) this.#tapes.set(instrumentId, tape = new Tape(instrumentId));
    tape.add(price, quantity, !isBuyerMaker, priceDecimals);
  }

  tellProgress(): void {}

  figures(): Promise<TradeFigures[]> {
    return Promise.resolve([...this.#tapes.values()].map((tape) => tape.figures()));
  }
}

if (import.meta.main) await runChild((settings) => runConsumer(settings, new TradeStatistics()));

/**
 * The demo's trade statistics: prices and quantities of each instrument's trades. They may miss
 * some when they are slow, so they never hold the collector back.
 *
 * @module
 */

import {
  formatDecimal,
  KIND_TRADE,
  messageKind,
  Trade,
  UNTOLD_SCALES,
} from "../../lib/market/mod.ts";
import type { Message } from "../../mod.ts";
import { runChild } from "./_child.ts";
import { runConsumer, type Work } from "./_consumer.ts";
import { ExactSum } from "./_exact_sum.ts";
import { TRADE_STATISTICS, type TradeFigures } from "./_protocol.ts";

const PRICE_UNITS = 10 ** UNTOLD_SCALES.priceDecimals;
const QUANTITY_UNITS = 10 ** UNTOLD_SCALES.quantityDecimals;

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

  constructor(instrumentId: number) {
    this.instrumentId = instrumentId;
  }

  add(price: number, quantity: number, isBuy: boolean): void {
    this.#trades++;
    this.#quantity.add(quantity);
    if (isBuy) this.#bought.add(quantity);
    this.#turnover += (price / PRICE_UNITS) * (quantity / QUANTITY_UNITS);
    this.#lowest = Math.min(this.#lowest, price);
    this.#highest = Math.max(this.#highest, price);
  }

  figures(): TradeFigures {
    const quantity = Number(this.#quantity.value) / QUANTITY_UNITS;
    return {
      instrumentId: this.instrumentId,
      trades: this.#trades,
      quantityE8: `${this.#quantity.value}`,
      averagePrice: quantity === 0 ? 0 : this.#turnover / quantity,
      lowestPrice: formatDecimal(this.#lowest, UNTOLD_SCALES.priceDecimals),
      highestPrice: formatDecimal(this.#highest, UNTOLD_SCALES.priceDecimals),
      buyShare: quantity === 0 ? 0 : Number(this.#bought.value) / QUANTITY_UNITS / quantity,
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
    const { instrumentId, price, quantity, isBuyerMaker } = trade;
    let tape = this.#tapes.get(instrumentId);
    if (tape === undefined) this.#tapes.set(instrumentId, tape = new Tape(instrumentId));
    tape.add(price, quantity, !isBuyerMaker);
  }

  tellProgress(): void {}

  figures(): Promise<TradeFigures[]> {
    return Promise.resolve([...this.#tapes.values()].map((tape) => tape.figures()));
  }
}

if (import.meta.main) await runChild((settings) => runConsumer(settings, new TradeStatistics()));

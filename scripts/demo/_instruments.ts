/**
 * Which instrument a message is about. A snapshot does not say.
 *
 * @module
 */

import {
  type Instrument,
  KIND_ORDER_BOOK_DELTA,
  messageKind,
  OrderBookDelta,
  UNTOLD_SCALES,
} from "../../lib/market/mod.ts";

/** Ids of symbols, in the order in which they came, from 1 on. */
export class Instruments {
  /** Symbol of each id: that of 1 is the first. */
  readonly symbols: string[] = [];
  /** Update id that was seen last for each of them; 0 before the first. */
  readonly #updateIds: number[] = [];
  readonly #delta = OrderBookDelta.accessor();

  /** Returns the instrument of a symbol; a new one gets the next id. */
  find(symbol: string): Instrument {
    const id = this.symbols.indexOf(symbol) + 1 || this.symbols.push(symbol);
    this.#updateIds[id - 1] ??= 0;
    return { id, symbol, ...UNTOLD_SCALES };
  }

  /** Takes note of a record's update id. */
  see(view: DataView, offset: number): void {
    if (messageKind(view, offset) !== KIND_ORDER_BOOK_DELTA) return;
    const { instrumentId, lastUpdateId } = this.#delta.wrap(view, offset);
    this.#updateIds[instrumentId - 1] = lastUpdateId;
  }

  /**
   * Returns the symbol of a snapshot: the one whose updates are nearest to its id. Each book of an
   * exchange counts for itself, so they are far apart. Undefined while there is no symbol.
   */
  symbolOfSnapshot(updateId: number): string | undefined {
    const distances = this.#updateIds.map((id) => Math.abs(id - updateId));
    return this.symbols[distances.indexOf(Math.min(...distances))];
  }
}

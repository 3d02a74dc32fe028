/**
 * Which instrument a message is about. A snapshot does not say.
 *
 * @module
 */

import { KIND_ORDER_BOOK_DELTA, messageKind, OrderBookDelta } from "../../lib/market/mod.ts";

/** Ids of symbols, in the order in which they came, from 1 on. */
export class Instruments {
  /** Symbol of each id: that of 1 is the first. */
  readonly symbols: string[] = [];
  /** Update id that was seen last for each of them; 0 before the first. */
  readonly #updateIds: number[] = [];
  readonly #delta = OrderBookDelta.accessor();

  /** Returns the id of a symbol; a new one gets the next. */
  idOf(symbol: string): number {
    const known = this.symbols.indexOf(symbol) + 1;
    if (known > 0) return known;
    this.#updateIds.push(0);
    return this.symbols.push(symbol);
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

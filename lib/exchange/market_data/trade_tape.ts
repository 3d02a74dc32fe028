/**
 * The last trades of one instrument, numbered 1, 2, 3 … in flat arrays.
 *
 * @module
 */

/** One trade as market data tells it. */
export interface TapeTrade {
  /** 1, 2, 3 … of its instrument, since the feed began. */
  number: number;
  /** Sequence of the message that told it. */
  sequence: number;
  /** In the instrument's units. */
  price: number;
  /** In the instrument's units. */
  quantity: number;
  /** `SIDE_BUY` or `SIDE_SELL`: of who took. */
  side: number;
  /** Milliseconds since 1970 by this host's clock; 0 = unknown. */
  timeMs: number;
}

/** A ring of trades: the newest push the oldest out. Thread: its isolate's only. */
export class TradeTape {
  readonly #capacity: number;
  readonly #fields: Float64Array;
  #count = 0;

  /** Makes an empty tape for `capacity` trades. */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#fields = new Float64Array(capacity * 5);
  }

  /** Number of the newest trade, which is how many there have been; 0 before the first. */
  get lastNumber(): number {
    return this.#count;
  }

  /** Number of the oldest trade that is kept; one more than the newest where none is. */
  get firstNumber(): number {
    return Math.max(1, this.#count - this.#capacity + 1);
  }

  /** Forgets all, and gives the next trade the number behind this one. */
  begin(lastNumber: number): void {
    this.#count = lastNumber;
  }

  /** Adds a trade, and gives it its number. Allocates nothing. */
  add({ sequence, price, quantity, side, timeMs }: Omit<TapeTrade, "number">): void {
    const at = (this.#count++ % this.#capacity) * 5;
    const fields = this.#fields;
    fields[at] = sequence;
    fields[at + 1] = price;
    fields[at + 2] = quantity;
    fields[at + 3] = side;
    fields[at + 4] = timeMs;
  }

  /** Reads a trade by its number, as a new object. Assumes that it is kept. */
  at(number: number): TapeTrade {
    const at = ((number - 1) % this.#capacity) * 5;
    const fields = this.#fields;
    return {
      number,
      sequence: fields[at]!,
      price: fields[at + 1]!,
      quantity: fields[at + 2]!,
      side: fields[at + 3]!,
      timeMs: fields[at + 4]!,
    };
  }
}

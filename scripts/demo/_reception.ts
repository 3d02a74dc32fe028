/**
 * Checks that every sequence arrives once.
 *
 * @module
 */

import type { Gap } from "../../mod.ts";

/** Follows what one consumer receives, from the first message of its channel on. */
export class Reception {
  /** Messages that arrived. */
  received = 0;
  /** Messages that the consumer was told it had lost. */
  lost = 0;
  /** Gaps that they were lost in. */
  gaps = 0;
  /** Messages and gaps that did not begin with the sequence that was expected. */
  outOfOrder = 0;
  #next = 1;

  /** Last sequence that is accounted for. */
  get last(): number {
    return this.#next - 1;
  }

  /** A message arrived. */
  takeMessage(sequence: number): void {
    if (sequence !== this.#next) this.outOfOrder++;
    this.#next = sequence + 1;
    this.received++;
  }

  /** The consumer was told of a gap. */
  takeGap({ from, to }: Gap): void {
    if (from !== this.#next) this.outOfOrder++;
    this.#next = to + 1;
    this.lost += to - from + 1;
    this.gaps++;
  }
}

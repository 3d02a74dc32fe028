/**
 * Knows when consumers of an instrument need a snapshot, and gets it.
 *
 * @module
 */

import { setTimeout as sleep } from "node:timers/promises";
import { backOffMs, type BackOffOptions } from "../collector/back_off.ts";
import { KIND_ORDER_BOOK_DELTA, messageKind } from "../layouts.ts";
import { BOOK_BUFFERED, BOOK_GAP, OrderBook } from "./order_book.ts";

/** What a {@linkcode BookSync} needs. */
export interface BookSyncOptions {
  /** The instrument whose records it sees. */
  readonly instrumentId: number;
  /** Fetches a snapshot and publishes it, so that {@linkcode BookSync.see} sees it as well. */
  readonly publishSnapshot: (signal: AbortSignal) => Promise<void>;
  /** Between two snapshots for consumers that come later or were overtaken; 0 = never. */
  readonly refreshMs: number;
  /** Between snapshots that did not help. */
  readonly backOff: BackOffOptions;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Told of errors that no further attempt would mend. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Keeps the book that a consumer of the channel has, from the same records, and publishes a
 * snapshot whenever that book waits for one.
 *
 * With the consumers' own code: a second rule for gaps would be a second answer. The levels cost a
 * binary search each, which is less than reading them from JSON.
 */
export class BookSync {
  /** The book, as every consumer has it that has seen the records since the last snapshot. */
  readonly book: OrderBook;
  /** Times that a snapshot was needed, besides those at fixed intervals. */
  resyncs = 0;
  readonly #options: BookSyncOptions;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isAsking = false;

  /** Waits for the first record. */
  constructor(options: BookSyncOptions) {
    this.#options = options;
    this.book = new OrderBook(options.instrumentId);
  }

  /** Takes note of a record that is being published. */
  see(view: DataView, offset: number): void {
    if (messageKind(view, offset) !== KIND_ORDER_BOOK_DELTA) return;
    const result = this.book.apply(view, offset);
    if (this.#isAsking || result !== BOOK_GAP && result !== BOOK_BUFFERED) return;
    this.resyncs++;
    this.#ask();
  }

  #ask(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#askRegularly();
    this.#askUntilInStep()
      .catch((error) => {
        if (!this.#options.signal.aborted) this.#options.onFailure(error);
      })
      .finally(() => this.#isAsking = false);
  }

  #askRegularly(): void {
    const { refreshMs, signal } = this.#options;
    if (refreshMs === 0 || this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#ask(), refreshMs);
    signal.addEventListener("abort", () => clearInterval(this.#timer), { once: true });
  }

  async #askUntilInStep(): Promise<void> {
    const { signal, publishSnapshot, backOff } = this.#options;
    for (let failures = 1;; failures++) {
      await publishSnapshot(signal);
      if (this.book.isInStep) return;
      await sleep(backOffMs(failures, backOff), undefined, { signal });
    }
  }
}

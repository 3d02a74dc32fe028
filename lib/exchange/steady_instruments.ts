/**
 * Instruments as a server looks them up: whatever a client asks for, the look-up does not fail.
 *
 * @module
 */

import { CorruptInstrumentsError } from "../errors.ts";
import type { Instrument } from "../market/instruments.ts";
import type { InstrumentLookup } from "./order_entry.ts";

/** What it looks in. */
export type InstrumentSource = InstrumentLookup & { all(): readonly Instrument[] };

/** Instruments of which, when their file is damaged, those that are known stay known. */
export class SteadyInstruments implements InstrumentSource {
  readonly #source: InstrumentSource;
  readonly #onDamage: (error: CorruptInstrumentsError) => void;
  #all: readonly Instrument[] = [];
  #isDamaged = false;

  /** Looks in `source`; `onDamage` is told once. */
  constructor(source: InstrumentSource, onDamage: (error: CorruptInstrumentsError) => void) {
    this.#source = source;
    this.#onDamage = onDamage;
  }

  /** See {@linkcode InstrumentLookup}. */
  find(symbol: string): Instrument | undefined {
    return this.#look(() => this.#source.find(symbol), undefined);
  }

  /** See {@linkcode InstrumentLookup}. */
  at(id: number): Instrument | undefined {
    return this.#look(() => this.#source.at(id), undefined);
  }

  /** All of them, in the order of their ids. */
  all(): readonly Instrument[] {
    return this.#all = this.#look(() => this.#source.all(), this.#all);
  }

  #look<T>(look: () => T, otherwise: T): T {
    try {
      return look();
    } catch (error) {
      if (!(error instanceof CorruptInstrumentsError)) throw error;
      if (!this.#isDamaged) this.#onDamage(error);
      this.#isDamaged = true;
      return otherwise;
    }
  }
}

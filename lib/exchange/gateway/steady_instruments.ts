/**
 * Instruments as a server looks them up: whatever a client asks for, the look-up does not fail, and
 * costs little.
 *
 * @module
 */

import { CorruptInstrumentsError } from "../../errors.ts";
import type { Instrument } from "../../market/instruments.ts";
import type { InstrumentLookup } from "./order_entry.ts";
import { TokenBucket } from "./token_bucket.ts";

/** What it looks in. */
export type InstrumentSource = InstrumentLookup & { all(): readonly Instrument[] };

/**
 * Looks in a second for what is not known. Each looks at a file, and reads it where it has changed
 * or is damaged; whoever sends unknown symbols decides how often. Arbitrary: nobody waits long for
 * an instrument that was just added.
 */
const LOOKS_PER_SECOND = 20;

/** Instruments of which, when their file is damaged, those that are known stay known. */
export class SteadyInstruments implements InstrumentSource {
  readonly #source: InstrumentSource;
  readonly #onDamage: (error: CorruptInstrumentsError) => void;
  readonly #looks = new TokenBucket(LOOKS_PER_SECOND);
  /** Those that were found: they never change. */
  readonly #bySymbol = new Map<string, Instrument>();
  readonly #byId = new Map<number, Instrument>();
  #isDamaged = false;

  /** Looks in `source`; `onDamage` is told once. */
  constructor(source: InstrumentSource, onDamage: (error: CorruptInstrumentsError) => void) {
    this.#source = source;
    this.#onDamage = onDamage;
    this.#learn();
  }

  /** See {@linkcode InstrumentLookup}. */
  find(symbol: string): Instrument | undefined {
    if (!this.#bySymbol.has(symbol) && this.#looks.take(performance.now())) this.#learn();
    return this.#bySymbol.get(symbol);
  }

  /** See {@linkcode InstrumentLookup}. */
  at(id: number): Instrument | undefined {
    if (!this.#byId.has(id) && this.#looks.take(performance.now())) this.#learn();
    return this.#byId.get(id);
  }

  /** All of them, in the order of their ids. */
  all(): readonly Instrument[] {
    if (this.#looks.take(performance.now())) this.#learn();
    return [...this.#byId.values()];
  }

  #learn(): void {
    try {
      const all = this.#source.all();
      if (all.length === this.#byId.size) return;
      for (const instrument of all) {
        this.#bySymbol.set(instrument.symbol, instrument);
        this.#byId.set(instrument.id, instrument);
      }
    } catch (error) {
      if (!(error instanceof CorruptInstrumentsError)) throw error;
      if (!this.#isDamaged) this.#onDamage(error);
      this.#isDamaged = true;
    }
  }
}

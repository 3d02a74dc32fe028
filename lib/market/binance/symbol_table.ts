/**
 * Finds instruments by the bytes of their symbols, so that no text is made for a known one.
 *
 * @module
 */

import type { Instrument, InstrumentFinder } from "../instruments.ts";

interface KnownSymbol {
  readonly bytes: Uint8Array;
  readonly instrument: Instrument;
}

/** Symbols that were asked for before, and whom to ask for others. */
export class SymbolTable {
  readonly #finder: InstrumentFinder;
  readonly #decoder = new TextDecoder();
  readonly #encoder = new TextEncoder();
  readonly #byHash = new Map<number, readonly KnownSymbol[]>();
  #last: KnownSymbol | undefined;

  /** Makes a table without symbols. */
  constructor(finder: InstrumentFinder) {
    this.#finder = finder;
  }

  /** Returns the instrument of a symbol that was found before; asks nobody. */
  find(bytes: Uint8Array, start: number, end: number): Instrument | undefined {
    const last = this.#last;
    if (last !== undefined && isSameBytes(last.bytes, bytes, start, end)) return last.instrument;
    const known = this.#byHash.get(hashOf(bytes, start, end))
      ?.find((symbol) => isSameBytes(symbol.bytes, bytes, start, end));
    if (known !== undefined) this.#last = known;
    return known?.instrument;
  }

  /**
   * Returns the instrument of a symbol, found before or not. The finder is asked once for each
   * symbol that it knows, and again and again for others.
   *
   * @throws {RangeError} If the finder's instrument has an id that is no u32 above 0.
   */
  ask(bytes: Uint8Array, start: number, end: number): Instrument | undefined {
    const known = this.find(bytes, start, end);
    return known ?? (start === end ? undefined : this.#learn(bytes.slice(start, end)));
  }

  /** Returns the instrument of a symbol in text; see {@linkcode SymbolTable.ask}. */
  askText(symbol: string): Instrument | undefined {
    const bytes = this.#encoder.encode(symbol);
    return this.ask(bytes, 0, bytes.length);
  }

  #learn(bytes: Uint8Array): Instrument | undefined {
    const text = this.#decoder.decode(bytes);
    const instrument = this.#finder.find(text);
    if (instrument === undefined) return undefined;
    if (instrument.id !== instrument.id >>> 0 || instrument.id === 0) {
      throw new RangeError(`Cannot use the id of "${text}" as u32: found ${instrument.id}`);
    }
    const hash = hashOf(bytes, 0, bytes.length);
    this.#last = { bytes, instrument };
    this.#byHash.set(hash, [...this.#byHash.get(hash) ?? [], this.#last]);
    return instrument;
  }
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0;
  return hash;
}

function isSameBytes(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let index = 0; index < known.length; index++) {
    if (known[index] !== bytes[start + index]) return false;
  }
  return true;
}

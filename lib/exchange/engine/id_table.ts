/**
 * A hash table from a group and an id in it to a small number, in one flat buffer.
 *
 * @module
 */

/** An entry: `f64` id, `i32` group, `i32` value + 1, of which 0 is a free place. One cache line. */
const ENTRY_WORDS = 4;
const GROUP_WORD = 2;
const VALUE_WORD = 3;

/** Where a table begins. Arbitrary: it doubles when it is half full. */
const CAPACITY_MIN = 1024;

/**
 * Finds a small number by a group and an id in it: an order by its session and client order id.
 *
 * Open addressing with linear probing; an entry that goes is filled from behind, so that nothing is
 * left over by churn. Each table hashes with a seed of its own, as strangers choose the ids; what
 * it finds does not depend on that.
 *
 * Cost: one cache miss and a few nanoseconds; no allocation but when it doubles.
 */
export class IdTable {
  readonly #seed = crypto.getRandomValues(new Int32Array(1))[0]!;
  #ids = new Float64Array(0);
  #words = new Int32Array(0);
  #mask = 0;
  #count = 0;

  constructor() {
    this.#allocate(CAPACITY_MIN);
  }

  /** Returns the value; -1 if there is none. */
  find(group: number, id: number): number {
    const words = this.#words;
    return words[this.#placeOf(group, id) * ENTRY_WORDS + VALUE_WORD]! - 1;
  }

  /** Sets the value, from 0 to 2^31 - 2. */
  set(group: number, id: number, value: number): void {
    const place = this.#placeOf(group, id);
    const at = place * ENTRY_WORDS;
    if (this.#words[at + VALUE_WORD] === 0) this.#count++;
    this.#ids[place * 2] = id;
    this.#words[at + GROUP_WORD] = group;
    this.#words[at + VALUE_WORD] = value + 1;
    if (this.#count * 2 > this.#mask) this.#grow();
  }

  /** Removes an entry, if there is one. */
  delete(group: number, id: number): void {
    const words = this.#words;
    const ids = this.#ids;
    const mask = this.#mask;
    let hole = this.#placeOf(group, id);
    if (words[hole * ENTRY_WORDS + VALUE_WORD] === 0) return;
    this.#count--;
    for (let next = hole;;) {
      next = (next + 1) & mask;
      const at = next * ENTRY_WORDS;
      if (words[at + VALUE_WORD] === 0) break;
      const home = this.#homeOf(words[at + GROUP_WORD]!, ids[next * 2]!);
      // It may move to the hole unless its home lies behind the hole.
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      ids[hole * 2] = ids[next * 2]!;
      words[hole * ENTRY_WORDS + GROUP_WORD] = words[at + GROUP_WORD]!;
      words[hole * ENTRY_WORDS + VALUE_WORD] = words[at + VALUE_WORD]!;
      hole = next;
    }
    words[hole * ENTRY_WORDS + VALUE_WORD] = 0;
  }

  /** The place of an entry, or the free one where it belongs. */
  #placeOf(group: number, id: number): number {
    const words = this.#words;
    const ids = this.#ids;
    const mask = this.#mask;
    for (let place = this.#homeOf(group, id);; place = (place + 1) & mask) {
      const at = place * ENTRY_WORDS;
      if (words[at + VALUE_WORD] === 0) return place;
      if (ids[place * 2] === id && words[at + GROUP_WORD] === group) return place;
    }
  }

  /** Mixes as MurmurHash3 does at its end (Appleby). */
  #homeOf(group: number, id: number): number {
    const high = id < 2 ** 32 ? 0 : Math.floor(id / 2 ** 32);
    let hash = Math.imul((id - high * 2 ** 32) ^ this.#seed, 0xcc9e_2d51);
    hash = Math.imul(hash ^ hash >>> 16 ^ high, 0x85eb_ca6b);
    hash = Math.imul(hash ^ hash >>> 13 ^ group, 0xc2b2_ae35);
    return (hash ^ hash >>> 16) & this.#mask;
  }

  #grow(): void {
    const ids = this.#ids;
    const words = this.#words;
    const end = this.#mask + 1;
    this.#allocate(end * 2);
    for (let place = 0; place < end; place++) {
      const at = place * ENTRY_WORDS;
      const value = words[at + VALUE_WORD]! - 1;
      if (value >= 0) this.set(words[at + GROUP_WORD]!, ids[place * 2]!, value);
    }
  }

  #allocate(capacity: number): void {
    const buffer = new ArrayBuffer(capacity * ENTRY_WORDS * Int32Array.BYTES_PER_ELEMENT);
    this.#ids = new Float64Array(buffer);
    this.#words = new Int32Array(buffer);
    this.#mask = capacity - 1;
    this.#count = 0;
  }
}

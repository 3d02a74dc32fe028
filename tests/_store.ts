/**
 * What the tests of stores share: a store in a temporary directory, and keys and values to put in.
 *
 * @module
 */

import { monotonicNs, openStore, type Store } from "../mod.ts";

monotonicNs(); // Loads the library, for good: in a test that would be taken for a leak.

/** A temporary directory for one store, which ends with the scope that has it. */
export class StoreScratch implements Disposable {
  readonly #parent: string = Deno.makeTempDirSync();
  readonly #stores: Store[] = [];
  /** The store's directory, which is not made yet. */
  readonly directory: string = `${this.#parent}/store`;
  /** LMDB's file. */
  readonly file: string = `${this.directory}/data.mdb`;

  /** Opens the store with a small map. */
  open(mapBytes = 2 ** 18): Store {
    const store = openStore({ directory: this.directory, mapBytes });
    this.#stores.push(store);
    return store;
  }

  /** Changes one byte of LMDB's file. */
  flip(offset: number, mask: number): void {
    using file = Deno.openSync(this.file, { read: true, write: true });
    const byte = new Uint8Array(1);
    file.seekSync(offset, Deno.SeekMode.Start);
    file.readSync(byte);
    byte[0]! ^= mask;
    file.seekSync(offset, Deno.SeekMode.Start);
    file.writeSync(byte);
  }

  [Symbol.dispose](): void {
    for (const store of this.#stores) store.close();
    Deno.removeSync(this.#parent, { recursive: true });
  }
}

/** Bytes that a key's value has in its `version`, of a length that is its own as well. */
export function valueOf(key: string, version: number, length: number): Uint8Array<ArrayBuffer> {
  const seed = [...key].reduce((sum, letter) => sum * 31 + letter.codePointAt(0)! | 0, version);
  return Uint8Array.from({ length }, (_, place) => seed + place * 7 + (place >> 8));
}

/** All keys and values. */
export async function contentOf(store: Store): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const content = new Map<string, Uint8Array<ArrayBuffer>>();
  for await (const key of store.keys()) content.set(key, (await store.get(key))!);
  return content;
}

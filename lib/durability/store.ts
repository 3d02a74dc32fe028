/**
 * A store: keys and values that survive the host. What checkpoints are kept in.
 *
 * @module
 */

import { checkDirectory } from "../channel/directory.ts";
import {
  OPERATION_DELETE,
  OPERATION_DELETE_PREFIX,
  OPERATION_PUT,
  STORE_KEY_BYTES_MAX,
  STORE_MAP_BYTES_MAX,
  STORE_MAP_BYTES_MIN,
} from "../native/_layout.ts";
import * as native from "../native/store.ts";

/** How a store is opened. */
export interface StoreOptions {
  /**
   * The store's own directory. Made with mode 0700 if it is missing and its parent exists. Needs
   * `--allow-read` and `--allow-write` for it.
   */
  directory: string;
  /**
   * Bytes of address space that the map begins with: 256 KiB to 16 TiB. It is doubled whenever a
   * commit needs more. Default: 1 GiB, which costs no memory.
   */
  mapBytes?: number;
}

/** A change that a commit makes. Keys are 1 to 511 bytes of UTF-8, not beginning with U+0000. */
export type StoreOperation =
  | {
    /** Key whose value is made or replaced. */
    put: string;
    /** The value. */
    value: Uint8Array;
  }
  | {
    /** Key that is removed, if it is there. */
    delete: string;
  }
  | {
    /** All keys that begin so are removed; with an empty text, all. */
    deletePrefix: string;
  };

/** How full a store is. */
export interface StoreStats {
  /** Bytes of address space of its map. */
  mapBytes: number;
  /** Bytes of its file up to the last page in use. Freed pages are used again; none goes away. */
  usedBytes: number;
  /** Keys that it has. */
  entries: number;
  /** Number of its last commit; rises by one with each. */
  transaction: number;
}

const DEFAULT_MAP_BYTES = 2 ** 30;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Opens the store in a directory and becomes its one owner. Makes it if there is none.
 *
 * The file is checked before it is used: the pages of its trees are read, not the values. Cost: a
 * few milliseconds, and 4 KiB read for about each 30 keys.
 *
 * @example
 * ```ts
 * import { openStore } from "message_transport";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = Deno.makeTempDirSync();
 * using store = openStore({ directory: `${directory}/store` });
 * await store.commit([{ put: "cursor/orders", value: new Uint8Array([42]) }]);
 * assertEquals(await store.get("cursor/orders"), new Uint8Array([42]));
 * store.close();
 * Deno.removeSync(directory, { recursive: true });
 * ```
 *
 * @throws {Deno.errors.Busy} If another process, or this one, has it open: the text has the pid.
 * @throws {CorruptStoreError} If its file is damaged.
 * @throws {Deno.errors.PermissionDenied} If others may write to it.
 * @throws {Deno.errors.NotSupported} If it is on a network file system.
 */
export function openStore(options: StoreOptions): Store {
  const { directory, mapBytes = DEFAULT_MAP_BYTES } = options;
  const isInRange = mapBytes >= STORE_MAP_BYTES_MIN && mapBytes <= STORE_MAP_BYTES_MAX;
  if (!Number.isSafeInteger(mapBytes) || !isInRange) {
    throw new RangeError(
      `Cannot open a store with mapBytes ${mapBytes}: expected a whole number from ` +
        `${STORE_MAP_BYTES_MIN} to ${STORE_MAP_BYTES_MAX}`,
    );
  }
  const path = checkDirectory(directory);
  return new Store(native.openStore(path, { mapBytes, makeDirectory: true }));
}

/**
 * Keys and values on disk. Made by {@linkcode openStore}.
 *
 * Each call is complete in itself; calls under way at the same time take turns, in any order, on
 * threads of Deno's pool. A Worker that is terminated closes its stores.
 */
export class Store implements Disposable {
  /** Its directory. */
  readonly directory: string;
  readonly #store: native.StoreHandle;
  /** Memory of a commit that is over, for the next one: new pages cost more than the copy. */
  #spare: WeakRef<ArrayBuffer> | undefined;

  /** Takes an open store over. */
  constructor(store: native.StoreHandle) {
    this.#store = store;
    this.directory = store.path;
  }

  /**
   * Applies operations in order, in one transaction, and makes them durable: when the promise
   * resolves they survive a power cut, all of them. When it is rejected, none has been applied; but
   * after a {@linkcode DurabilityError} only reopening tells.
   *
   * @param operations Copied before this returns. At most 256 MiB together.
   * @throws {NoSpaceError} If the disk is full. The store goes on when there is room.
   * @throws {DurabilityError} If the disk failed. So does every later call, until it is reopened.
   * @throws {CorruptStoreError} If the file was damaged while it was open.
   * @throws {StoreClosedError} If it is closed.
   */
  async commit(operations: Iterable<StoreOperation>): Promise<void> {
    const batch = native.packOperations(Array.from(operations, pack), this.#spare?.deref());
    this.#spare = undefined;
    await native.commitBatch(this.#store, batch);
    this.#spare = new WeakRef(batch.buffer);
  }

  /**
   * Returns the value of a key, verified, or undefined if there is none. Cost: some system calls;
   * for a key that is not there the file is checked as at opening.
   *
   * @throws {CorruptStoreError} If it does not match its checksum: with the key. Other keys are
   * not concerned.
   */
  async get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await native.getValue(this.#store, encodeKey(key), key);
  }

  /**
   * Copies the value of a key to `out`, verified. Returns its size, or undefined if there is none.
   * If the size is more than `out` has, nothing was copied. Otherwise as {@linkcode get}, without
   * memory of its own.
   *
   * @param out At least one byte. Not to be looked at before the promise resolves.
   * @throws {CorruptStoreError} If it does not match its checksum: as {@linkcode get}.
   */
  async copy(key: string, out: Uint8Array<ArrayBuffer>): Promise<number | undefined> {
    if (out.length === 0) throw new RangeError("Cannot copy a value: expected a byte or more");
    return await native.copyValue(this.#store, encodeKey(key), key, out);
  }

  /**
   * Iterates over the keys that begin with `prefix`, in the order of their UTF-8 bytes.
   *
   * They are read some hundred at a time: a commit meanwhile may or may not be seen, but keys that
   * it does not touch come once.
   */
  async *keys(prefix = ""): AsyncGenerator<string, void, void> {
    const start = prefix === "" ? encoder.encode("") : encodeKey(prefix);
    let after = encoder.encode("");
    while (true) {
      const keys = await native.listKeys(this.#store, start, after);
      const last = keys.at(-1);
      if (last === undefined) return;
      after = last;
      yield* keys.map((key) => decoder.decode(key));
    }
  }

  /**
   * Returns how full it is. Does not wait.
   *
   * @throws {StoreClosedError} If it is closed.
   */
  stats(): StoreStats {
    return native.readStoreReport(this.#store);
  }

  /** Closes it, after the calls that are under way. Closing twice does nothing. */
  close(): void {
    native.closeStore(this.#store);
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function pack(operation: StoreOperation): native.PackedOperation {
  if ("put" in operation) {
    const { put, value } = operation;
    return { code: OPERATION_PUT, key: encodeKey(put), value };
  }
  if ("delete" in operation) {
    return { code: OPERATION_DELETE, key: encodeKey(operation.delete) };
  }
  const { deletePrefix } = operation;
  const key = deletePrefix === "" ? encoder.encode("") : encodeKey(deletePrefix);
  return { code: OPERATION_DELETE_PREFIX, key };
}

function encodeKey(key: string): Uint8Array<ArrayBuffer> {
  const bytes = encoder.encode(key);
  const isSize = bytes.length > 0 && bytes.length <= STORE_KEY_BYTES_MAX;
  if (isSize && bytes[0] !== 0 && key.isWellFormed()) return bytes;
  const shown = isSize ? JSON.stringify(key) : `${bytes.length} bytes`;
  throw new RangeError(
    `Cannot use ${shown} as a key: expected 1 to ${STORE_KEY_BYTES_MAX} bytes of UTF-8, ` +
      `not beginning with U+0000`,
  );
}

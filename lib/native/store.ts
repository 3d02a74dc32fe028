/**
 * Stores across the border: keys and values in LMDB.
 *
 * Thin typed calls: arguments in, a value or an error out. All but opening, closing and the report
 * run on a thread of Deno's pool and take turns there.
 *
 * @module
 */

import { CorruptStoreError, DurabilityError, NoSpaceError, StoreClosedError } from "../errors.ts";
import * as layout from "./_layout.ts";
import { describeOwner, Detail, fileFailure } from "./failure.ts";
import { native } from "./library.ts";
import { grantedPath } from "./path.ts";

/** An open store. */
export interface StoreHandle {
  /** What the native side knows it by. */
  handle: number;
  /** Its directory, for error texts. */
  path: string;
}

/** A kind of operation: a code of `_layout.ts`. */
export type OperationCode =
  | typeof layout.OPERATION_PUT
  | typeof layout.OPERATION_DELETE
  | typeof layout.OPERATION_DELETE_PREFIX;

/** An operation of a batch, in bytes. */
export interface PackedOperation {
  code: OperationCode;
  key: Uint8Array;
  value?: Uint8Array | undefined;
}

function failure(status: number, action: string, path: string, detail: Detail): Error {
  const cannot = `Cannot ${action} store "${path}"`;
  switch (status) {
    case layout.CLOSED:
      return new StoreClosedError(path);
    case layout.BUSY:
      return new Deno.errors.Busy(`${cannot}: found ${describeOwner(detail)} as its owner`);
    case layout.NOT_FOUND:
      return new Deno.errors.NotFound(`${cannot}: found no such directory, or no parent of it`);
    case layout.NO_SPACE:
      return new NoSpaceError(path, detail.needed, detail.available, action);
    case layout.TRUNCATED:
      return new CorruptStoreError(path, "its file truncated while it was open");
    case layout.CORRUPT_STORE:
      return new CorruptStoreError(path, `${detail.name} at offset ${detail.offset} of data.mdb`);
    case layout.STORE_FAILED:
      return new DurabilityError(path, detail.errno);
    case layout.TOO_LONG:
      return new RangeError(
        `${cannot}: expected a batch of at most ${layout.STORE_BATCH_BYTES_MAX} bytes`,
      );
    default:
      return fileFailure(status, cannot, path, detail) ??
        new Error(`${cannot}: found unexpected status ${status}`);
  }
}

/** Opens the store in a directory, and makes what is missing of it. */
export function openStore(
  path: string,
  settings: { mapBytes: number; makeDirectory: boolean },
): StoreHandle {
  const detail = new Detail();
  const handle = native().mt_store_open(
    grantedPath(path, "read", "write"),
    settings.mapBytes,
    Number(settings.makeDirectory),
    detail.bytes,
  );
  if (handle < 0) throw failure(handle, "open", path, detail);
  return { handle, path };
}

/** Returns the bytes of a batch, in `spare` if they fit: that must not be in use any more. */
export function packOperations(
  operations: PackedOperation[],
  spare?: ArrayBuffer,
): Uint8Array<ArrayBuffer> {
  const sizeOf = ({ key, value }: PackedOperation) =>
    layout.OPERATION_HEAD_SIZE + key.length + (value?.length ?? 0);
  const size = operations.reduce((sum, operation) => sum + sizeOf(operation), 0);
  const limit = layout.STORE_BATCH_BYTES_MAX;
  if (size > limit) {
    throw new RangeError(`Cannot commit a batch of ${size} bytes: expected at most ${limit}`);
  }
  const isSpare = spare !== undefined && spare.byteLength >= size;
  const bytes = new Uint8Array(isSpare ? spare : new ArrayBuffer(size), 0, size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { code, key, value } of operations) {
    bytes.fill(0, at, at + layout.OPERATION_HEAD_SIZE);
    view.setUint8(at + layout.OPERATION_HEAD_KIND_OFFSET, code);
    view.setUint16(at + layout.OPERATION_HEAD_KEY_BYTES_OFFSET, key.length, true);
    view.setUint32(at + layout.OPERATION_HEAD_VALUE_BYTES_OFFSET, value?.length ?? 0, true);
    at += layout.OPERATION_HEAD_SIZE;
    bytes.set(key, at);
    at += key.length;
    if (value === undefined) continue;
    bytes.set(value, at);
    at += value.length;
  }
  return bytes;
}

/** Applies a packed batch in one transaction. Resolves when it is durable. */
export async function commitBatch(
  { handle, path }: StoreHandle,
  batch: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const detail = new Detail();
  const status = await native().mt_store_commit_wait(handle, batch, batch.length, detail.bytes);
  if (status < 0) throw failure(status, "commit to", path, detail);
}

/** Bytes that a value may have to be read by one call; a longer one takes two. */
const FIRST_GET_BYTES = 16 * 1024;

/** Returns a value, or undefined if there is none. `name` is the key for error texts. */
export async function getValue(
  store: StoreHandle,
  key: Uint8Array<ArrayBuffer>,
  name: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  for (let size = FIRST_GET_BYTES;;) {
    const out = new Uint8Array(size);
    const found = await copyValue(store, key, name, out);
    if (found === undefined) return undefined;
    if (found <= size) return size === found ? out : out.slice(0, found);
    size = found; // Another commit may have changed it by the next call.
  }
}

/**
 * Copies a value to `out`, which has at least one byte. Returns its size, or undefined if there is
 * none. If the size is more than `out` has, nothing was copied.
 */
export async function copyValue(
  { handle, path }: StoreHandle,
  key: Uint8Array<ArrayBuffer>,
  name: string,
  out: Uint8Array<ArrayBuffer>,
): Promise<number | undefined> {
  const detail = new Detail();
  const found = await native()
    .mt_store_get_wait(handle, key, key.length, out, out.length, detail.bytes);
  if (found === layout.NOT_FOUND) return undefined;
  if (found === layout.CORRUPT_VALUE) {
    const [expected, actual] = [detail.expected.toString(16), detail.actual.toString(16)];
    const what = `checksum 0x${actual} where 0x${expected} belongs`;
    throw new CorruptStoreError(path, what, name);
  }
  if (found < 0) throw failure(found, "read", path, detail);
  return found;
}

/** Bytes of keys that one call lists. */
const LIST_BYTES = 16 * 1024;

/** Returns some keys that begin with `prefix` and come after `after`, in order; none at the end. */
export async function listKeys(
  { handle, path }: StoreHandle,
  prefix: Uint8Array<ArrayBuffer>,
  after: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const detail = new Detail();
  const out = new Uint8Array(LIST_BYTES);
  const size = await native().mt_store_next_wait(
    handle,
    prefix,
    prefix.length,
    after,
    after.length,
    out,
    out.length,
    detail.bytes,
  );
  if (size < 0) throw failure(size, "read", path, detail);
  const view = new DataView(out.buffer);
  const keys: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < size;) {
    const end = at + 2 + view.getUint16(at, true);
    keys.push(out.subarray(at + 2, end));
    at = end;
  }
  return keys;
}

/** How full a store is. */
export interface StoreReport {
  /** Bytes of address space that its map has. */
  mapBytes: number;
  /** Bytes of its file up to the last page in use. */
  usedBytes: number;
  /** Keys that it has. */
  entries: number;
  /** Number of its last commit. */
  transaction: number;
}

/** Returns how full a store is. Never waits. */
export function readStoreReport({ handle, path }: StoreHandle): StoreReport {
  const bytes = new Uint8Array(layout.STORE_REPORT_SIZE);
  const status = native().mt_store_report(handle, bytes);
  if (status < 0) throw failure(status, "read", path, new Detail());
  const view = new DataView(bytes.buffer);
  return {
    mapBytes: view.getFloat64(layout.STORE_REPORT_MAP_BYTES_OFFSET, true),
    usedBytes: view.getFloat64(layout.STORE_REPORT_USED_BYTES_OFFSET, true),
    entries: view.getFloat64(layout.STORE_REPORT_ENTRIES_OFFSET, true),
    transaction: view.getFloat64(layout.STORE_REPORT_TRANSACTION_OFFSET, true),
  };
}

/** An entry that was read without owning its store. */
export interface GlancedEntry {
  key: Uint8Array<ArrayBuffer>;
  value: Uint8Array<ArrayBuffer>;
  /** Whether the value is that of its checksum. */
  isSound: boolean;
}

/** Bytes of entries that are read at once, with their keys. */
const GLANCE_BYTES = 1024 * 1024;

/**
 * Reads the entries whose keys begin with `prefix` without owning the store, as many as 1 MiB has
 * room for. Undefined if its owner has committed too often meanwhile.
 */
export async function glanceStore(
  path: string,
  prefix: Uint8Array<ArrayBuffer>,
): Promise<GlancedEntry[] | undefined> {
  const detail = new Detail();
  const out = new Uint8Array(GLANCE_BYTES);
  const report = new Uint8Array(layout.STORE_REPORT_SIZE);
  const place = grantedPath(path, "read");
  const size = await native().mt_store_glance_wait(
    place,
    prefix,
    prefix.length,
    out,
    out.length,
    report,
    detail.bytes,
  );
  if (size === layout.BUSY) return undefined;
  if (size < 0) throw failure(size, "read", path, detail);
  const view = new DataView(out.buffer);
  const entries: GlancedEntry[] = [];
  for (let at = 0; at < size;) {
    const keyBytes = view.getUint32(at + layout.STORE_ENTRY_HEAD_KEY_BYTES_OFFSET, true);
    const valueBytes = view.getUint32(at + layout.STORE_ENTRY_HEAD_VALUE_BYTES_OFFSET, true);
    const isSound = view.getUint32(at + layout.STORE_ENTRY_HEAD_IS_SOUND_OFFSET, true) === 1;
    const key = at + layout.STORE_ENTRY_HEAD_SIZE;
    const value = key + keyBytes;
    at = value + valueBytes;
    entries.push({ key: out.subarray(key, value), value: out.subarray(value, at), isSound });
  }
  return entries;
}

/** Closes a store, after the calls that are under way. */
export function closeStore({ handle }: StoreHandle): void {
  native().mt_close(handle);
}

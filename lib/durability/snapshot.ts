/**
 * Snapshots: images of a state, in chunks that a store holds.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { CorruptStoreError } from "../errors.ts";
import type { Store, StoreOperation } from "./store.ts";

/** A state's bytes: whole, or part by part. */
export type State =
  | Uint8Array
  | Iterable<Uint8Array>
  | AsyncIterable<Uint8Array>;

/** What a checkpoint says of its snapshot, so that any change to it is found. */
export interface SnapshotSeal {
  /** Bytes of the state. */
  bytes: number;
  /** Chunks that it is stored in. */
  chunks: number;
  /** SHA-256 of the state, in hexadecimal. */
  sha256: string;
}

/** Bytes of a chunk. A checksum of its own for each bounds what one damaged page takes along. */
const CHUNK_BYTES = 1024 * 1024;

/** Chunks of one transaction: each costs a sync, and each is held in memory. */
const CHUNKS_PER_COMMIT = 8;

/** Where the chunks of a snapshot lie. */
export function chunkPrefix(stateId: string, id: number): string {
  return `snap/${stateId}/${id.toString().padStart(16, "0")}/`;
}

/** Where one of them lies. */
export function chunkKey(stateId: string, id: number, index: number): string {
  return `${chunkPrefix(stateId, id)}${index.toString().padStart(8, "0")}`;
}

/** What a chunk's key says; undefined of another key. */
export function parseChunkKey(key: string): { stateId: string; id: number } | undefined {
  const [, stateId = "", digits] = /^snap\/([^/]+)\/(\d{16})\/\d{8}$/.exec(key) ?? [];
  const id = Number(digits);
  return Number.isSafeInteger(id) ? { stateId, id } : undefined;
}

/**
 * Writes a state's bytes. Nothing points to them yet: that is the checkpoint's part.
 *
 * Memory: some chunks, whatever the state's size, if it comes part by part.
 */
export async function writeSnapshot(
  store: Store,
  stateId: string,
  id: number,
  state: State,
): Promise<SnapshotSeal> {
  const hash = createHash("sha256");
  const seal = { bytes: 0, chunks: 0, sha256: "" };
  // Of an attempt that was cut short.
  let operations: StoreOperation[] = [{ deletePrefix: chunkPrefix(stateId, id) }];
  for await (const chunk of cut(state)) {
    hash.update(chunk);
    operations.push({ put: chunkKey(stateId, id, seal.chunks++), value: chunk });
    seal.bytes += chunk.length;
    if (operations.length < CHUNKS_PER_COMMIT) continue;
    await store.commit(operations);
    operations = [];
  }
  if (operations.length > 0) await store.commit(operations);
  seal.sha256 = hash.digest("hex");
  return seal;
}

/** Cuts a state into chunks: views where it can, copies where a chunk has several parts. */
async function* cut(state: State): AsyncGenerator<Uint8Array> {
  const parts = state instanceof Uint8Array ? [state] : state;
  let open: Uint8Array[] = [];
  let size = 0;
  for await (let part of parts) {
    while (size + part.length >= CHUNK_BYTES) {
      const taken = part.subarray(0, CHUNK_BYTES - size);
      yield join([...open, taken], CHUNK_BYTES);
      part = part.subarray(taken.length);
      open = [];
      size = 0;
    }
    if (part.length === 0) continue;
    open.push(part.slice()); // Its maker may use it again.
    size += part.length;
  }
  if (size > 0) yield join(open, size);
}

function join(parts: Uint8Array[], size: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * Reads a snapshot's chunks, verified: each by its own checksum, and before the last is over all
 * of them by their number and their SHA-256.
 *
 * @throws {CorruptStoreError} If it is not what was sealed.
 */
export async function* readSnapshot(
  store: Store,
  stateId: string,
  id: number,
  seal: SnapshotSeal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const hash = createHash("sha256");
  let bytes = 0;
  for (let index = 0; index < seal.chunks; index++) {
    const key = chunkKey(stateId, id, index);
    const chunk = await store.get(key);
    if (chunk === undefined) throw new CorruptStoreError(store.directory, "no such chunk", key);
    bytes += chunk.length;
    hash.update(chunk);
    if (index === seal.chunks - 1) {
      check(store, chunkPrefix(stateId, id), seal, bytes, hash.digest("hex"));
    }
    yield chunk;
  }
}

function check(
  store: Store,
  key: string,
  seal: SnapshotSeal,
  bytes: number,
  sha256: string,
): void {
  if (bytes === seal.bytes && sha256 === seal.sha256) return;
  const found = `a snapshot of ${bytes} bytes with SHA-256 ${sha256} where ${seal.bytes} bytes ` +
    `with ${seal.sha256} belong`;
  throw new CorruptStoreError(store.directory, found, key);
}

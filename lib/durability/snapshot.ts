/**
 * Snapshots: images of a state, in chunks that a store holds.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { setImmediate } from "node:timers";
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
function chunkKey(prefix: string, index: number): string {
  return `${prefix}${index.toString().padStart(8, "0")}`;
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
 * While a transaction is on its way to the disk the next one is cut and summed. The event loop gets
 * a turn after each chunk.
 *
 * Memory: the chunks of some transactions, whatever the state's size, if it comes part by part.
 */
export async function writeSnapshot(
  store: Store,
  stateId: string,
  id: number,
  state: State,
): Promise<SnapshotSeal> {
  const hash = createHash("sha256");
  const seal = { bytes: 0, chunks: 0, sha256: "" };
  const prefix = chunkPrefix(stateId, id);
  // Of an attempt that was cut short.
  let operations: StoreOperation[] = [{ deletePrefix: prefix }];
  const commits = new Commits(store);
  try {
    for await (const chunk of cut(state)) {
      hash.update(chunk);
      operations.push({ put: chunkKey(prefix, seal.chunks++), value: chunk });
      seal.bytes += chunk.length;
      await turn();
      if (operations.length < CHUNKS_PER_COMMIT) continue;
      await commits.add(operations);
      operations = [];
    }
    if (operations.length > 0) await commits.add(operations);
  } finally {
    await commits.end();
  }
  seal.sha256 = hash.digest("hex");
  return seal;
}

/** Commits in order, of which one is under way at a time. */
class Commits {
  readonly #store: Store;
  #underWay: Promise<void> = Promise.resolve();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Begins a commit when the one before is durable. */
  async add(operations: StoreOperation[]): Promise<void> {
    await this.#underWay;
    this.#underWay = this.#store.commit(operations);
    this.#underWay.catch(() => {}); // Told of by the next call.
  }

  /** Waits until the last one is durable. */
  async end(): Promise<void> {
    await this.#underWay;
  }
}

/** Lets the event loop do what else is to be done. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** Cuts a state into chunks: views of a whole one, copies of parts, which change meanwhile. */
async function* cut(state: State): AsyncGenerator<Uint8Array> {
  if (state instanceof Uint8Array) {
    for (let at = 0; at < state.length; at += CHUNK_BYTES) {
      yield state.subarray(at, at + CHUNK_BYTES);
    }
    return;
  }
  let open = new Uint8Array(CHUNK_BYTES);
  let size = 0;
  for await (let part of state) {
    while (part.length > 0) {
      const taken = part.subarray(0, CHUNK_BYTES - size);
      open.set(taken, size);
      size += taken.length;
      part = part.subarray(taken.length);
      if (size < CHUNK_BYTES) continue;
      yield open;
      open = new Uint8Array(CHUNK_BYTES);
      size = 0;
    }
  }
  if (size > 0) yield open.subarray(0, size);
}

/**
 * Returns a snapshot's state, verified: each chunk by its own checksum, and all of them by their
 * number and their SHA-256. Read in its place: costs the memory of the state alone.
 *
 * @throws {CorruptStoreError} If it is not what was sealed.
 */
export async function readSnapshot(
  store: Store,
  stateId: string,
  id: number,
  seal: SnapshotSeal,
): Promise<Uint8Array<ArrayBuffer>> {
  const { usedBytes } = store.stats();
  if (seal.bytes > usedBytes) {
    const found = `a snapshot of ${seal.bytes} bytes in a store of ${usedBytes}`;
    throw new CorruptStoreError(store.directory, found, chunkPrefix(stateId, id));
  }
  const state = new Uint8Array(seal.bytes);
  await readChunks(store, chunkPrefix(stateId, id), seal, (_, offset) => state.subarray(offset));
  return state;
}

/**
 * Reads a snapshot as {@linkcode readSnapshot} does, and keeps nothing.
 *
 * @param onChunk Told of each chunk that verifies.
 * @throws {CorruptStoreError} If it is not what was sealed.
 */
export async function verifySnapshot(
  store: Store,
  stateId: string,
  id: number,
  seal: SnapshotSeal,
  onChunk: (key: string, bytes: number) => void = () => {},
): Promise<void> {
  const places = [new Uint8Array(CHUNK_BYTES), new Uint8Array(CHUNK_BYTES)] as const;
  const prefix = chunkPrefix(stateId, id);
  await readChunks(store, prefix, seal, (index) => places[index % 2]!, (index, bytes) => {
    onChunk(chunkKey(prefix, index), bytes);
  });
}

/** Reads chunks to their places, each while the one before is summed. */
async function readChunks(
  store: Store,
  prefix: string,
  seal: SnapshotSeal,
  placeOf: (index: number, offset: number) => Uint8Array<ArrayBuffer>,
  onChunk: (index: number, bytes: number) => void = () => {},
): Promise<void> {
  const hash = createHash("sha256");
  let bytes = 0;
  let underWay: Promise<Uint8Array> | undefined;
  for (let index = 0; index <= seal.chunks; index++) {
    const chunk = await underWay;
    bytes += chunk?.length ?? 0;
    if (index < seal.chunks) {
      underWay = readChunk(store, prefix, index, placeOf(index, bytes));
      underWay.catch(() => {}); // Told of by the next turn.
    }
    if (chunk === undefined) continue;
    hash.update(chunk);
    onChunk(index - 1, chunk.length);
  }
  const sha256 = hash.digest("hex");
  if (bytes === seal.bytes && sha256 === seal.sha256) return;
  const found = `a snapshot of ${bytes} bytes with SHA-256 ${sha256} where ${seal.bytes} bytes ` +
    `with ${seal.sha256} belong`;
  throw new CorruptStoreError(store.directory, found, prefix);
}

async function readChunk(
  store: Store,
  prefix: string,
  index: number,
  place: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array> {
  const key = chunkKey(prefix, index);
  const size = place.length === 0 ? Infinity : await store.copy(key, place);
  if (size === undefined) throw new CorruptStoreError(store.directory, "no such chunk", key);
  if (size <= place.length) return place.subarray(0, size);
  throw new CorruptStoreError(store.directory, "more bytes than its manifest has", key);
}

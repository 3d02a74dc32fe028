/**
 * Verifying stores and checkpoints: every value, every manifest, every snapshot. Nothing is renamed
 * and nothing repaired.
 *
 * @module
 */

import { checkDirectory } from "../channel/directory.ts";
import { CorruptStoreError } from "../errors.ts";
import { type Cursor, type Manifest, parseManifestKey, readManifest } from "./manifest.ts";
import { chunkPrefix, parseChunkKey, verifySnapshot } from "./snapshot.ts";
import { openStore, type Store } from "./store.ts";
import { asideIn, STORE_NAMES } from "./vault.ts";
import type { VerifyProgress } from "./verify.ts";

/** Something in a store that does not verify. */
export interface StoreFinding {
  /** Key that is concerned; empty where it is the store as a whole. */
  key: string;
  /** What was found. */
  text: string;
}

/** What a store is found to be. */
export interface StoreVerification {
  /** Its directory. */
  directory: string;
  /** Keys that it has. */
  entries: number;
  /** Bytes of the values that verify. */
  bytes: number;
  /** Bytes of its file up to the last page in use. */
  usedBytes: number;
  /** Number of its last commit; 0 where it could not be opened. */
  transaction: number;
  /** Everything that does not verify. */
  findings: StoreFinding[];
}

/** What one checkpoint is found to be. */
export interface CheckpointVerification {
  /** Its number. */
  id: number;
  /** Name of the store that has it: `a` or `b`. */
  store: string;
  /** Wall clock when it was made; 0 where its manifest does not verify. */
  createdMs: number;
  /** How far its consumers were. */
  cursors: readonly Cursor[];
  /** Bytes of the state. */
  bytes: number;
  /** Chunks that these are stored in. */
  chunks: number;
  /** Why recovery would pass it over; undefined if it is sound. */
  damage: string | undefined;
}

/** The checkpoints of one state. */
export interface StateVerification {
  /** Its name. */
  id: string;
  /** Its checkpoints, the newest first: recovery takes the first that is sound. */
  checkpoints: CheckpointVerification[];
}

/** What a directory of checkpoints is found to be. */
export interface CheckpointsVerification {
  /** The directory. */
  directory: string;
  /** Its two stores. */
  stores: StoreVerification[];
  /** Its states, by name. */
  states: StateVerification[];
  /** Chunks of checkpoints that were cut short: no damage. */
  orphanedChunks: number;
  /** Their bytes. */
  orphanedBytes: number;
  /** Directories of stores that were set aside as damaged, and are not looked at. */
  setAside: string[];
}

/** How stores are verified. */
export interface VerifyStoreOptions {
  /** Called after each value: `done` and `total` are values. */
  onProgress?: (progress: VerifyProgress) => void;
}

/**
 * Verifies every value of a store, and the structure of its file. Changes nothing of it but the
 * pid in its `LOCK`, which it holds meanwhile.
 *
 * @throws {Deno.errors.Busy} If somebody has it open: its owner has to be stopped first.
 * @throws {Deno.errors.NotFound} If there is no store in the directory.
 */
export async function verifyStore(
  directory: string,
  { onProgress }: VerifyStoreOptions = {},
): Promise<StoreVerification> {
  const path = checkDirectory(directory);
  if (!hasStore(path)) throw notFound(path, "store");
  using reading = new StoreReading(path, "");
  const tally = new Tally([reading], onProgress);
  for (const key of await reading.keys()) await reading.readValue(key, tally);
  return reading.report;
}

/**
 * Verifies checkpoints: every value of both stores, every manifest, and every snapshot by number,
 * sizes and SHA-256 of its chunks. Goes on behind damage. Changes nothing, but holds the stores'
 * locks meanwhile.
 *
 * Memory: some chunks, and the keys.
 *
 * @param directory That which {@linkcode openCheckpoints} was given.
 * @throws {Deno.errors.Busy} If somebody has them open: their owner has to be stopped first.
 * @throws {Deno.errors.NotFound} If there are none in the directory.
 *
 * @example
 * ```ts
 * import { openCheckpoints, verifyCheckpoints } from "message_transport";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = Deno.makeTempDirSync();
 * const checkpoints = openCheckpoints({ directory });
 * await checkpoints.checkpoint("sum", { state: Uint8Array.of(7), consumers: [] });
 * checkpoints.close();
 * const { states, stores } = await verifyCheckpoints(directory);
 * assertEquals(states[0]?.checkpoints[0]?.damage, undefined);
 * assertEquals(stores.flatMap(({ findings }) => findings), []);
 * Deno.removeSync(directory, { recursive: true });
 * ```
 */
export async function verifyCheckpoints(
  directory: string,
  { onProgress }: VerifyStoreOptions = {},
): Promise<CheckpointsVerification> {
  const path = checkDirectory(directory);
  const setAside = asideIn(path);
  const there = STORE_NAMES.filter((name) => hasStore(`${path}/${name}`));
  if (there.length === 0 && setAside.length === 0) throw notFound(path, "checkpoints");
  using scope = new DisposableStack();
  const readings: StoreReading[] = [];
  for (const name of there) readings.push(scope.use(new StoreReading(`${path}/${name}`, name)));
  const tally = new Tally(readings, onProgress);
  const states = new Map<string, CheckpointVerification[]>();
  const chunks: { reading: StoreReading; key: string }[] = [];
  for (const reading of readings) {
    const keys = await reading.keys();
    await readCheckpoints(reading, keys, states, tally);
    for (const key of keys) {
      await reading.readValue(key, tally);
      if (parseChunkKey(key) !== undefined) chunks.push({ reading, key });
    }
  }
  for (const kept of states.values()) kept.sort((left, right) => right.id - left.id);
  const orphans = findOrphans(chunks, states);
  const stores = readings.map(({ report }) => report);
  for (const name of STORE_NAMES) {
    const isReplaced = setAside.some((aside) => aside.startsWith(`${path}/${name}.`));
    if (there.includes(name) || isReplaced) continue;
    if (states.size > 0) stores.push(missingStore(`${path}/${name}`));
  }
  return {
    directory: path,
    stores,
    states: [...states].map(([id, checkpoints]) => ({ id, checkpoints }))
      .sort((left, right) => left.id < right.id ? -1 : 1),
    ...orphans,
    setAside,
  };
}

/** Whether there is a store: opening it would make one else. */
function hasStore(directory: string): boolean {
  try {
    Deno.lstatSync(`${directory}/data.mdb`);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function notFound(path: string, what: string): Error {
  return new Deno.errors.NotFound(`Cannot verify "${path}": expected ${what}, found none in it`);
}

/** One of two stores is gone with its checkpoint: both are made before the first one. */
function missingStore(directory: string): StoreVerification {
  const findings = [{ key: "", text: `Cannot read store "${directory}": found no data.mdb in it` }];
  return { directory, entries: 0, bytes: 0, usedBytes: 0, transaction: 0, findings };
}

/** How far verifying is. */
class Tally {
  readonly #total: number;
  readonly #onProgress: ((progress: VerifyProgress) => void) | undefined;
  #done = 0;
  #bytes = 0;

  constructor(readings: StoreReading[], onProgress?: (progress: VerifyProgress) => void) {
    this.#total = readings.reduce((sum, { report }) => sum + report.entries, 0);
    this.#onProgress = onProgress;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    this.#onProgress?.({ done: ++this.#done, total: this.#total, bytes: this.#bytes });
  }
}

/** A store that is read as a whole. */
class StoreReading implements Disposable {
  readonly name: string;
  readonly report: StoreVerification;
  /** Bytes of the values that verify, by their keys. */
  readonly sizes = new Map<string, number>();
  readonly #damaged = new Set<string>();
  readonly #store: Store | undefined;

  constructor(directory: string, name: string) {
    this.name = name;
    this.report = missingStore(directory);
    this.report.findings = [];
    try {
      this.#store = openStore({ directory });
      const { entries, usedBytes, transaction } = this.#store.stats();
      Object.assign(this.report, { entries, usedBytes, transaction });
    } catch (error) {
      if (error instanceof Deno.errors.Busy) {
        throw new Deno.errors.Busy(`${error.message}; stop it first`, { cause: error });
      }
      this.note(error);
    }
  }

  /** Adds a finding, one for each key. What is no damage is thrown. */
  note(error: unknown): string {
    if (!(error instanceof CorruptStoreError)) throw error;
    const { key = "", message } = error;
    if (!this.#damaged.has(key)) this.report.findings.push({ key, text: message });
    this.#damaged.add(key);
    return message;
  }

  /** All its keys; none where the store as a whole is damaged. */
  async keys(): Promise<string[]> {
    if (this.#store === undefined) return [];
    try {
      return await Array.fromAsync(this.#store.keys());
    } catch (error) {
      this.note(error);
      return [];
    }
  }

  /** Reads a value, unless it was read before. */
  async readValue(key: string, tally: Tally): Promise<void> {
    if (this.sizes.has(key)) return;
    try {
      const value = await this.#store!.get(key);
      if (value === undefined) {
        throw new CorruptStoreError(this.report.directory, "no value of a key that it lists", key);
      }
      this.#count(key, value.length, tally);
    } catch (error) {
      this.note(error);
    }
  }

  #count(key: string, bytes: number, tally: Tally): void {
    this.sizes.set(key, bytes);
    this.report.bytes += bytes;
    tally.add(bytes);
  }

  /** Reads a checkpoint's manifest. */
  async readManifest(stateId: string, id: number): Promise<Manifest> {
    return await readManifest(this.#store!, stateId, id);
  }

  /** Reads a checkpoint's state. */
  async readSnapshot(stateId: string, manifest: Manifest, tally: Tally): Promise<void> {
    await verifySnapshot(this.#store!, stateId, manifest.id, manifest, (key, bytes) => {
      this.#count(key, bytes, tally);
    });
  }

  [Symbol.dispose](): void {
    this.#store?.close();
  }
}

/** Reads the manifests and snapshots of a store. */
async function readCheckpoints(
  reading: StoreReading,
  keys: readonly string[],
  states: Map<string, CheckpointVerification[]>,
  tally: Tally,
): Promise<void> {
  for (const key of keys) {
    const parsed = parseManifestKey(key);
    if (parsed === undefined) continue;
    const { stateId, id } = parsed;
    const checkpoint: CheckpointVerification = {
      ...{ id, store: reading.name, createdMs: 0, cursors: [], bytes: 0, chunks: 0 },
      damage: undefined,
    };
    try {
      const manifest = await reading.readManifest(stateId, id);
      const { createdMs, cursors, bytes, chunks } = manifest;
      Object.assign(checkpoint, { createdMs, cursors, bytes, chunks });
      await reading.readSnapshot(stateId, manifest, tally);
    } catch (error) {
      checkpoint.damage = reading.note(error);
    }
    states.set(stateId, [...states.get(stateId) ?? [], checkpoint]);
  }
}

/**
 * Finds chunks without a manifest. Those of a later checkpoint than all others are of one that was
 * cut short; else the manifest was there once.
 */
function findOrphans(
  chunks: readonly { reading: StoreReading; key: string }[],
  states: Map<string, CheckpointVerification[]>,
): { orphanedChunks: number; orphanedBytes: number } {
  let [orphanedChunks, orphanedBytes] = [0, 0];
  for (const { reading, key } of chunks) {
    const { stateId, id } = parseChunkKey(key)!;
    const kept = states.get(stateId) ?? [];
    states.set(stateId, kept);
    if (kept.some((checkpoint) => checkpoint.id === id && checkpoint.store === reading.name)) {
      continue;
    }
    const newest = Math.max(0, ...kept.map((checkpoint) => checkpoint.id));
    if (id < newest) {
      const { directory } = reading.report;
      const damage = reading.note(
        new CorruptStoreError(directory, "chunks of it, and no manifest", chunkPrefix(stateId, id)),
      );
      const lost = { createdMs: 0, cursors: [], bytes: 0, chunks: 0 };
      kept.push({ id, store: reading.name, ...lost, damage });
      continue;
    }
    orphanedChunks++;
    orphanedBytes += reading.sizes.get(key) ?? 0;
  }
  return { orphanedChunks, orphanedBytes };
}

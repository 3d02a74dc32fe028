/**
 * The checkpoints in a directory, listed without owning its stores: for looking at, while their
 * owner goes on.
 *
 * @module
 */

import { checkPermitted, toAbsolute } from "../native/path.ts";
import { CorruptStoreError } from "../errors.ts";
import { glanceStore } from "../native/store.ts";
import { type Cursor, parseManifest, parseManifestKey } from "./manifest.ts";
import { asideIn, STORE_NAMES } from "./vault.ts";

/** A checkpoint as its manifest has it. */
export interface ListedCheckpoint {
  /** Name of its state. */
  state: string;
  /** Its number. */
  id: number;
  /** Name of the store that has it: `a` or `b`. */
  store: string;
  /** Wall clock when it was made; 0 where its manifest does not verify. */
  createdMs: number;
  /** Bytes of the state. */
  bytes: number;
  /** How far its consumers were. */
  cursors: readonly Cursor[];
  /** Why recovery would pass it over; null if its manifest verifies. */
  damage: string | null;
}

/** What lies in a directory of checkpoints. */
export interface CheckpointList {
  /** The directory. */
  directory: string;
  /** By state, the newest first. */
  checkpoints: ListedCheckpoint[];
  /** What is wrong with a store as a whole, and what was set aside. */
  damage: string[];
}

/** Looks, while commits get in between. */
const ATTEMPTS = 4;
const PAUSE_MS = 20;

/**
 * Lists checkpoints. Takes no lock, so that nobody is kept from opening their stores, and changes
 * nothing. Verifies stores' structure and manifests, not the states: `verifyCheckpoints` does that.
 *
 * @returns undefined if there are none in the directory.
 * @throws {Deno.errors.NotCapable} If this process may not read it.
 */
export async function listCheckpoints(directory: string): Promise<CheckpointList | undefined> {
  const path = toAbsolute(directory);
  checkPermitted(path, "read");
  const there = STORE_NAMES.filter((name) => hasData(`${path}/${name}`));
  const aside = asideIn(path);
  if (there.length === 0 && aside.length === 0) return undefined;
  const list: CheckpointList = { directory: path, checkpoints: [], damage: [] };
  for (const name of aside) list.damage.push(`${name} was set aside as damaged`);
  for (const store of there) await addStore(list, store);
  list.checkpoints.sort((left, right) =>
    left.state === right.state ? right.id - left.id : left.state < right.state ? -1 : 1
  );
  return list;
}

function hasData(store: string): boolean {
  try {
    return Deno.lstatSync(`${store}/data.mdb`).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function addStore(list: CheckpointList, store: string): Promise<void> {
  const prefix = new TextEncoder().encode("ckpt/");
  let damage = "its owner commits without a pause";
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    try {
      const entries = await glanceStore(`${list.directory}/${store}`, prefix);
      if (entries === undefined) continue;
      list.checkpoints.push(...entries.flatMap((entry) => toCheckpoint(entry, store) ?? []));
      return;
    } catch (error) {
      // While a commit ends, what is read may not fit together: damage is what stays.
      if (!(error instanceof CorruptStoreError)) throw error;
      damage = error.message;
    }
  }
  list.damage.push(damage);
}

function toCheckpoint(
  { key, value, isSound }: { key: Uint8Array; value: Uint8Array; isSound: boolean },
  store: string,
): ListedCheckpoint | undefined {
  const parsed = parseManifestKey(new TextDecoder().decode(key));
  if (parsed === undefined) return undefined;
  const { stateId: state, id } = parsed;
  const manifest = isSound ? parseManifest(value) : undefined;
  if (manifest?.id === id) {
    const { createdMs, bytes, cursors } = manifest;
    return { state, id, store, createdMs, bytes, cursors, damage: null };
  }
  const damage = "its manifest does not verify";
  return { state, id, store, createdMs: 0, bytes: 0, cursors: [], damage };
}

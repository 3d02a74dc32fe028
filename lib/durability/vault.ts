/**
 * A vault: two stores, which take a state's checkpoints in turn. The structure of one may be
 * damaged as a whole, and then the other one has the checkpoint before.
 *
 * @module
 */

import { CorruptStoreError } from "../errors.ts";
import { checkDirectory } from "../channel/directory.ts";
import { checkpointIds, type Manifest, readManifest, stateIds } from "./manifest.ts";
import { openStore, type Store, type StoreOptions } from "./store.ts";

/** A checkpoint, and where it is. */
export interface Kept {
  store: Store;
  manifest: Manifest;
}

/** What recovery from one checkpoint would read again. */
export interface Need {
  stateId: string;
  consumer: string;
  /** First sequence that it needs. */
  from: number;
}

/** Something that was found damaged. */
export interface DamagedCheckpoint {
  /** Number of the checkpoint; 0 where it is a whole store. */
  id: number;
  /** What was found wrong with it. */
  error: Error;
}

/** Names of the two stores in their directory. */
export const STORE_NAMES = ["a", "b"] as const;

/** Directories of stores that were set aside as damaged. */
export function asideIn(directory: string): string[] {
  return [...Deno.readDirSync(directory)]
    .filter(({ name }) => /^[ab]\.damaged-\d+$/.test(name))
    .map(({ name }) => `${directory}/${name}`).sort();
}

/** Two stores in one directory. */
export class Vault {
  /** Their directory. */
  readonly directory: string;
  /** Stores that could not be opened, and were set aside. */
  readonly damaged: readonly DamagedCheckpoint[];
  readonly #stores: readonly [Store, Store];
  /** Checkpoints whose snapshots were found damaged: state and number. */
  readonly #passedOver = new Set<string>();

  /** Opens both, or none. */
  constructor(options: StoreOptions) {
    this.directory = checkDirectory(options.directory);
    Deno.mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    const damaged: DamagedCheckpoint[] = [];
    const first = openOrReplace({ ...options, directory: this.#path("a") }, damaged);
    try {
      this.#stores = [first, openOrReplace({ ...options, directory: this.#path("b") }, damaged)];
    } catch (error) {
      first.close();
      throw error;
    }
    this.damaged = damaged;
  }

  #path(name: typeof STORE_NAMES[number]): string {
    return `${this.directory}/${name}`;
  }

  /** The store that the next checkpoint goes to: not the one that has the newest. */
  other(store: Store | undefined): Store {
    const [first, second] = this.#stores;
    return store === first ? second : first;
  }

  /** A state's checkpoints, the newest first. `onDamage` is told of manifests that are none. */
  async kept(
    stateId: string,
    onDamage: (damage: DamagedCheckpoint) => void = () => {},
  ): Promise<Kept[]> {
    const kept: Kept[] = [];
    for (const store of this.#stores) {
      for (const id of await checkpointIds(store, stateId)) {
        try {
          kept.push({ store, manifest: await readManifest(store, stateId, id) });
        } catch (error) {
          if (!(error instanceof CorruptStoreError)) throw error;
          onDamage({ id, error });
        }
      }
    }
    return kept.sort((left, right) => right.manifest.id - left.manifest.id);
  }

  /** The newest checkpoint of a state that is not known to be damaged. */
  async newest(stateId: string): Promise<Kept | undefined> {
    const kept = await this.kept(stateId);
    return kept.find(({ manifest }) => !this.#passedOver.has(`${stateId}/${manifest.id}`));
  }

  /** Remembers that a checkpoint is damaged: the next one takes its place, not the sound one's. */
  passOver(stateId: string, id: number): void {
    this.#passedOver.add(`${stateId}/${id}`);
  }

  /** Forgets that: another one has its number now. */
  replaced(stateId: string, id: number): void {
    this.#passedOver.delete(`${stateId}/${id}`);
  }

  /** How far consumers of a channel were in each checkpoint, of whatever state. */
  async needs(channel: string): Promise<Need[]> {
    const needs: Need[] = [];
    const ids = await Promise.all(this.#stores.map(stateIds));
    for (const stateId of ids.reduce((left, right) => left.union(right))) {
      for (const { manifest } of await this.kept(stateId)) {
        for (const { channel: name, consumer, sequence } of manifest.cursors) {
          if (name === channel) needs.push({ stateId, consumer, from: sequence + 1 });
        }
      }
    }
    return needs;
  }

  /** Closes both. */
  close(): void {
    for (const store of this.#stores) store.close();
  }
}

/** Opens a store. One that is damaged is set aside: nothing of it may be used, nor thrown away. */
function openOrReplace(options: StoreOptions, damaged: DamagedCheckpoint[]): Store {
  try {
    return openStore(options);
  } catch (error) {
    if (!(error instanceof CorruptStoreError)) throw error;
    damaged.push({ id: 0, error });
    Deno.renameSync(options.directory, `${options.directory}.damaged-${Date.now()}`);
    return openStore(options);
  }
}

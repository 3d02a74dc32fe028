/**
 * Manifests: what a checkpoint says of itself. Kept as JSON, so that any tool can read it.
 *
 * @module
 */

import { CorruptStoreError } from "../errors.ts";
import type { SnapshotSeal } from "./snapshot.ts";
import type { Store } from "./store.ts";

/** How far a consumer was. */
export interface Cursor {
  /** Name of its channel. */
  channel: string;
  /** Its name. */
  consumer: string;
  /** Last sequence that the state contains. */
  sequence: number;
  /** Epoch of the channel's log then; 0 without one. */
  epoch: number;
}

/** One checkpoint. */
export interface Manifest extends SnapshotSeal {
  version: 1;
  id: number;
  /** Wall clock when it was made. */
  createdMs: number;
  cursors: readonly Cursor[];
}

/** Digits of a number in a key, so that keys stand in its order. */
const ID_DIGITS = 16;

/** Where a manifest lies. */
export function manifestKey(stateId: string, id: number): string {
  return `ckpt/${stateId}/${id.toString().padStart(ID_DIGITS, "0")}`;
}

/** What a manifest's key says; undefined of another key. */
export function parseManifestKey(key: string): { stateId: string; id: number } | undefined {
  const [, stateId = "", digits] = /^ckpt\/([^/]+)\/(\d{16})$/.exec(key) ?? [];
  const id = Number(digits);
  return Number.isSafeInteger(id) ? { stateId, id } : undefined;
}

/** The states that have checkpoints. */
export async function stateIds(store: Store): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const key of store.keys("ckpt/")) ids.add(key.split("/")[1]!);
  return ids;
}

/** The numbers of a state's checkpoints, the newest first. */
export async function checkpointIds(store: Store, stateId: string): Promise<number[]> {
  const ids: number[] = [];
  for await (const key of store.keys(`ckpt/${stateId}/`)) {
    const id = Number(key.slice(-ID_DIGITS));
    if (Number.isSafeInteger(id) && manifestKey(stateId, id) === key) ids.push(id);
  }
  return ids.sort((left, right) => right - left);
}

/**
 * Returns one manifest.
 *
 * @throws {CorruptStoreError} If it does not verify, or contradicts itself.
 */
export async function readManifest(store: Store, stateId: string, id: number): Promise<Manifest> {
  const key = manifestKey(stateId, id);
  const bytes = await store.get(key);
  const manifest = bytes && parseManifest(bytes);
  if (manifest?.id === id) return manifest;
  throw new CorruptStoreError(store.directory, "no manifest that this version knows", key);
}

/** What the bytes of a manifest say; undefined if they are none that this version knows. */
export function parseManifest(bytes: Uint8Array): Manifest | undefined {
  const manifest = parse(new TextDecoder().decode(bytes));
  return isManifest(manifest) ? manifest : undefined;
}

/** The bytes of a manifest. */
export function packManifest(manifest: Manifest): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(manifest));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== "object" || value === null) return false;
  const { version, id, createdMs, cursors, bytes, chunks, sha256 } = value as Partial<Manifest>;
  return version === 1 && isCount(id) && isCount(bytes) && isCount(chunks) &&
    typeof createdMs === "number" && typeof sha256 === "string" && Array.isArray(cursors) &&
    cursors.every(isCursor);
}

function isCursor(value: Partial<Cursor> | null): boolean {
  return typeof value === "object" && value !== null && typeof value.channel === "string" &&
    typeof value.consumer === "string" && isCount(value.sequence) && isCount(value.epoch);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

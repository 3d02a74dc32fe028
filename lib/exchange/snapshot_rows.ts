/**
 * Snapshots as rows of bytes, one behind the other, sealed by the SHA-256 of all of them.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Accessor, FieldMap, Schema } from "../channel/schema.ts";
import { CorruptSnapshotError } from "../errors.ts";

const HASH_BYTES = 32;

/** Bytes that are summed at once, between two of which a checkpoint gives the event loop a turn. */
const PART_BYTES = 1024 * 1024;

/** A kind of row. */
export interface Row<Fields extends FieldMap> {
  accessor: Accessor<Fields>;
  sizeBytes: number;
}

/** Returns the kind of row that a schema describes. */
export function rowOf<Fields extends FieldMap>(schema: Schema<Fields>): Row<Fields> {
  return { accessor: schema.accessor(), sizeBytes: schema.sizeBytes };
}

/** Rows, to be gone over from the first one on. */
export class Rows {
  /** All of them. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  #at = 0;

  /** Begins with the first one. */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  /** Whether all of them were gone over. */
  get isAtEnd(): boolean {
    return this.#at === this.bytes.length;
  }

  /** Points an accessor at the next row. */
  next<Fields extends FieldMap>({ accessor, sizeBytes }: Row<Fields>): Accessor<Fields> {
    accessor.wrap(this.#view, this.#at);
    this.#at += sizeBytes;
    return accessor;
  }
}

/** Returns the parts of a snapshot: its image, and its hash, which is computed on the way. */
export function* snapshotParts(
  image: Uint8Array<ArrayBuffer>,
): Generator<Uint8Array<ArrayBuffer>, void, void> {
  const hash = createHash("sha256");
  for (let at = 0; at < image.length; at += PART_BYTES) {
    const part = image.subarray(at, at + PART_BYTES);
    hash.update(part);
    yield part;
  }
  yield new Uint8Array(hash.digest());
}

/**
 * Hands out the rows of a snapshot whose hash is right.
 *
 * @throws {CorruptSnapshotError} If it is damaged, or its rows have a number beyond 2^53 - 1 or end
 *     too early.
 */
export function readRows<Result>(snapshot: Uint8Array, read: (rows: Rows) => Result): Result {
  const image = snapshot.subarray(0, Math.max(0, snapshot.length - HASH_BYTES));
  const found = new Uint8Array(createHash("sha256").update(image).digest());
  const seal = snapshot.subarray(image.length);
  check(seal.length === HASH_BYTES && found.every((byte, i) => byte === seal[i]), "another hash");
  try {
    return read(new Rows(image.slice()));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CorruptSnapshotError(error.message); // A number beyond 2^53, or too few bytes.
  }
}

/**
 * Checks what was read.
 *
 * @throws {CorruptSnapshotError} If it is not right.
 */
export function check(isRight: boolean, found: string): asserts isRight {
  if (!isRight) throw new CorruptSnapshotError(found);
}

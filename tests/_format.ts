/**
 * A second reader and writer of docs/format.md, which shares no code with the library: what both
 * agree on is the format.
 *
 * @module
 */

/** Offsets of the identity page's fields. */
export const IDENTITY = {
  version: 8,
  fingerprint: 12,
  headerBytes: 16,
  capacity: 24,
  alignment: 32,
  producersMax: 36,
  consumersMax: 40,
  flags: 44,
  salt: 48,
  bootId: 80,
  name: 96,
  crc: 4092,
  size: 4096,
} as const;

/** Offsets of the claim line's words from the start of the file. */
export const CLAIM_LINE = {
  position: 4096,
  sequence: 4104,
  last: 4112,
  limit: 4120,
  limitAnnounced: 4128,
} as const;

/** Offsets of the durability line's words from the start of the file. */
export const DURABILITY_LINE = { durable: 4608, logged: 4616, oldest: 4688 } as const;

/** Where the slots of producers begin, and the bytes of one. */
export const PRODUCER_SLOTS = { offset: 26240, size: 384 } as const;

/** Bits of a record's flags. */
export const FLAGS = {
  aborted: 2,
  firstFragment: 4,
  lastFragment: 8,
  timestamped: 16,
} as const;

/** CRC-32C bit by bit, started from the complement of `salt`. */
export function crc32c(bytes: Uint8Array, salt = 0): number {
  let state = ~salt;
  for (const byte of bytes) {
    state ^= byte;
    for (let i = 0; i < 8; i++) state = (state >>> 1) ^ (state & 1 ? 0x82f63b78 : 0);
  }
  return ~state >>> 0;
}

/** Rotates right by 15 bits and adds a constant, so that no checksum covers a bare one. */
export function mask(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** A record: its head and the bytes behind it, of which a timestamp is the first part. */
export interface DecodedRecord {
  sequence: number;
  flags: number;
  payload: Uint8Array<ArrayBuffer>;
}

/** The bytes of a record, padded to a multiple of `alignment`. */
export function encodeRecord(
  record: DecodedRecord,
  salt: number,
  alignment = 8,
): Uint8Array<ArrayBuffer> {
  const { sequence, flags, payload } = record;
  const end = 16 + payload.length;
  const bytes = new Uint8Array(Math.ceil((end + 4) / alignment) * alignment);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(sequence), true);
  view.setUint32(8, payload.length, true);
  view.setUint8(12, flags);
  bytes.set(payload, 16);
  view.setUint32(end, mask(crc32c(bytes.subarray(0, end), salt)), true);
  return bytes;
}

/** The record at the start of `bytes`; undefined if none verifies there. */
export function decodeRecord(
  bytes: Uint8Array<ArrayBuffer>,
  salt: number,
): DecodedRecord | undefined {
  if (bytes.length < 24) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = view.getUint32(8, true);
  const end = 16 + length;
  const padded = Math.ceil((end + 4) / 8) * 8;
  if (padded > bytes.length || bytes.subarray(13, 16).some((byte) => byte !== 0)) return undefined;
  if (view.getUint32(end, true) !== mask(crc32c(bytes.subarray(0, end), salt))) return undefined;
  if (bytes.subarray(end + 4, padded).some((byte) => byte !== 0)) return undefined;
  const sequence = Number(view.getBigUint64(0, true));
  return { sequence, flags: view.getUint8(12), payload: bytes.slice(16, end) };
}

/** What a test needs of a ring file's identity page. */
export interface RingShape {
  headerBytes: number;
  capacity: number;
  alignment: number;
  salt: number;
}

/** Reads the identity page of a ring file's bytes. */
export function readShape(file: Uint8Array<ArrayBuffer>): RingShape {
  const view = new DataView(file.buffer, file.byteOffset);
  return {
    headerBytes: Number(view.getBigUint64(IDENTITY.headerBytes, true)),
    capacity: Number(view.getBigUint64(IDENTITY.capacity, true)),
    alignment: view.getUint32(IDENTITY.alignment, true),
    salt: view.getUint32(IDENTITY.salt, true),
  };
}

/** Reads records from the start of a ring that was not lapped yet, until one does not verify. */
export function decodeRing(file: Uint8Array<ArrayBuffer>): DecodedRecord[] {
  const { headerBytes, alignment, salt } = readShape(file);
  const records: DecodedRecord[] = [];
  for (let at = headerBytes; at < file.length;) {
    const record = decodeRecord(file.subarray(at), salt);
    if (record?.sequence !== records.length + 1) break;
    records.push(record);
    at += Math.ceil((20 + record.payload.length) / alignment) * alignment;
  }
  return records;
}

/** Changes the identity page of a ring file and makes its checksum right again. */
export function forgeIdentity(path: string, change: (view: DataView<ArrayBuffer>) => void): void {
  const page = Deno.readFileSync(path).slice(0, IDENTITY.size);
  const view = new DataView(page.buffer);
  change(view);
  view.setUint32(IDENTITY.crc, mask(crc32c(page.subarray(0, IDENTITY.crc))), true);
  patchBytes(path, 0, page);
}

/** Writes bytes into a file; whoever has it mapped sees them at once. */
export function patchBytes(path: string, offset: number, bytes: Uint8Array): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(offset, Deno.SeekMode.Start);
  if (file.writeSync(bytes) !== bytes.length) throw new Error(`Cannot patch ${path}`);
}

/** Writes one 64-bit word into a file. */
export function patchU64(path: string, offset: number, value: bigint): void {
  patchBytes(path, offset, new Uint8Array(BigUint64Array.of(value).buffer));
}

/** Reads one 64-bit word of a file. */
export function readU64(path: string, offset: number): bigint {
  using file = Deno.openSync(path);
  file.seekSync(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(8);
  if (file.readSync(bytes) !== 8) throw new Error(`Cannot read ${path} at ${offset}`);
  return new DataView(bytes.buffer).getBigUint64(0, true);
}

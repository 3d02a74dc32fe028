/**
 * Changes to files as bytes: any bytes are some changes, so that files much longer than an input
 * can be fuzzed, and a kept case is good for files that are made anew each time.
 *
 * A cut is 8 bytes and what follows them: what to do, which file, where (4 bytes), how many bytes
 * follow (2 bytes).
 *
 * @module
 */

type Bytes = Uint8Array<ArrayBuffer>;

/** Files by their names. */
export type Files = ReadonlyMap<string, Bytes>;

/** Something to do to a file. */
const CUT = {
  /** Writes what follows. */
  write: 0,
  /** Flips the bits of what follows. */
  flip: 1,
  /** Cuts off, or adds zeros. */
  size: 2,
  /** Writes the first byte of what follows, as often as its next two say. */
  fill: 3,
  /** Copies from where the first four bytes of what follows say, as many as its next two say. */
  copy: 4,
  /** Makes checksums right again, so that what is behind them is reached. */
  seal: 5,
  /** Removes it. */
  remove: 6,
  /** Gives it the content of the next file. */
  swap: 7,
} as const;

const CUT_BYTES = 8;
const KINDS = Object.keys(CUT).length;

/** Bytes that follow one cut at most. */
const FOLLOWING_BYTES_MAX = 512;

/** Bytes by which a file may grow. Arbitrary. */
const GROWTH_BYTES_MAX = 8192;

/** Makes the checksums of a file right again. */
export type Seal = (bytes: Bytes, name: string) => void;

interface Cut {
  kind: number;
  at: number;
  following: Bytes;
}

/**
 * Applies changes to files.
 *
 * @returns All files as they are then; those that did not change are the same objects.
 */
export function operate(files: Files, input: Bytes, seal: Seal = () => {}): Map<string, Bytes> {
  const names = [...files.keys()];
  const changed = new Map(files);
  for (let at = 0; at + CUT_BYTES <= input.length;) {
    const view = new DataView(input.buffer, input.byteOffset + at);
    const index = view.getUint8(1) % names.length;
    const name = names[index]!;
    const size = view.getUint16(6, true) % (FOLLOWING_BYTES_MAX + 1);
    const following = input.slice(at + CUT_BYTES, at + CUT_BYTES + size);
    at += CUT_BYTES + size;
    const kind = view.getUint8(0) % KINDS;
    const before = changed.get(name);
    if (kind === CUT.remove) changed.delete(name);
    else if (kind === CUT.swap) {
      changed.set(name, files.get(names[(index + 1) % names.length]!)!);
    } else if (before !== undefined) {
      const after = apply(before, { kind, at: view.getUint32(2, true), following });
      if (kind === CUT.seal) seal(after, name);
      changed.set(name, after);
    }
  }
  return changed;
}

function apply(before: Bytes, { kind, at, following }: Cut): Bytes {
  if (kind === CUT.size) {
    const resized = new Uint8Array(at % (before.length + GROWTH_BYTES_MAX));
    resized.set(before.subarray(0, resized.length));
    return resized;
  }
  const after = before.slice();
  if (after.length === 0) return after;
  const place = at % after.length;
  const u16 = (offset: number) => (following[offset] ?? 0) + 256 * (following[offset + 1] ?? 0);
  switch (kind) {
    case CUT.write:
      after.set(following.subarray(0, after.length - place), place);
      break;
    case CUT.flip:
      following.forEach((bits, i) => place + i < after.length && (after[place + i]! ^= bits));
      break;
    case CUT.fill:
      after.fill(following[0] ?? 0, place, place + u16(1));
      break;
    case CUT.copy: {
      const from = (u16(0) + 65_536 * u16(2)) % after.length;
      after.copyWithin(place, from, from + u16(4));
      break;
    }
  }
  return after;
}

/** Writes a cut, for seeds. */
export function cut(
  kind: keyof typeof CUT,
  { file = 0, at = 0, bytes = [] }: { file?: number; at?: number; bytes?: readonly number[] } = {},
): Bytes {
  const written = new Uint8Array(CUT_BYTES + bytes.length);
  const view = new DataView(written.buffer);
  view.setUint8(0, CUT[kind]);
  view.setUint8(1, file);
  view.setUint32(2, at, true);
  view.setUint16(6, bytes.length, true);
  written.set(bytes, CUT_BYTES);
  return written;
}

/** Cuts that flip a byte every so many bytes of a file. */
export function flips(file: number, begin: number, end: number, stride: number): Bytes[] {
  const list: Bytes[] = [];
  for (let at = begin; at < end; at += stride) {
    list.push(cut("flip", { file, at, bytes: [0x11] }));
  }
  return list;
}

/** Makes the files of a directory these: whatever else is there goes, what is the same stays. */
export function writeFiles(directory: string, files: Files, before: Files): void {
  for (const entry of [...Deno.readDirSync(directory)]) {
    if (!entry.isFile || !files.has(entry.name)) {
      Deno.removeSync(`${directory}/${entry.name}`, { recursive: true });
    }
  }
  for (const [name, bytes] of files) {
    if (before.get(name) !== bytes) overwrite(`${directory}/${name}`, bytes);
  }
}

/** Makes a file these bytes in place, which costs a tenth of writing it anew. */
export function overwrite(path: string, bytes: Uint8Array): void {
  using file = Deno.openSync(path, { write: true, create: true });
  file.truncateSync(bytes.length);
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

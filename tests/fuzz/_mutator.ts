/**
 * Bytes made of other bytes, a little wrong.
 *
 * @module
 */

import { join } from "../_bytes.ts";
import type { Random } from "../_random.ts";

/** Longest input. Arbitrary: what is wrong with long ones is wrong with shorter ones as well. */
export const INPUT_BYTES_MAX = 4096;

/** Values at which counts, lengths and signs turn over. */
const INTERESTING = [
  ...[0, 1, 2, 3, 4, 7, 8, 16, 24, 32, 63, 64, 100, 125, 126, 127, 128, 255, 256, 512, 1000, 1024],
  ...[4095, 4096, 4097, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe],
  ...[0xffff_ffff, 0x20_0000_0000_0000, 0x7fff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff],
];

/** Pieces of text that mean something to one reader or another. */
const TOKENS = [
  ...["{", "}", "[", "]", '"', "\\", ":", ",", "\n", "\r\n", "\r\n\r\n", " ", "\0", "\t", "=", "#"],
  ...["-", "-0", "0", "1", ".", "1e999", "1e-7", "0.1", "99999999999999999999", "9007199254740993"],
  ...["null", "true", "false", "{}", "[]", '""', "NaN", "Infinity", "\\u0000", "\\ud800", '"""'],
  ...["__proto__", "constructor", "toString", "hasOwnProperty", "type", "data", "%", "%ff", "../"],
  ...["\u{feff}", "\u{1f600}", "\u202e", "[[", "]]", "nan", "inf", "0x", "1970-01-01", "'"],
].map((text) => new TextEncoder().encode(text));

/** One change to `bytes`, which are the function's to change; `other` is to be cut from. */
type Mutation = (bytes: Bytes, random: Random, other: Bytes) => Bytes;

type Bytes = Uint8Array<ArrayBuffer>;

const MUTATIONS: readonly Mutation[] = [
  /** Flips a bit. */
  (bytes, random) => {
    bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
    return bytes;
  },
  /** Sets a byte. */
  (bytes, random) => {
    bytes[random.below(bytes.length)] = random.below(256);
    return bytes;
  },
  /** Cuts off. */
  (bytes, random) => bytes.slice(0, random.below(bytes.length + 1)),
  /** Takes a piece out. */
  (bytes, random) => {
    const [from, size] = pieceOf(bytes, random);
    return join(bytes.subarray(0, from), bytes.subarray(from + size));
  },
  /** Repeats a piece, sometimes often. */
  (bytes, random) => {
    const [from, size] = pieceOf(bytes, random);
    const times = random.below(8) === 0 ? 1 + random.below(64) : 1;
    const piece = bytes.subarray(from, from + size);
    const end = bytes.subarray(from + size);
    return join(bytes.subarray(0, from + size), ...Array(times).fill(piece), end);
  },
  /** Puts a piece of another input in, or over what is there. */
  (bytes, random, other) => {
    const [from, size] = pieceOf(other, random);
    const at = random.below(bytes.length + 1);
    const end = random.below(2) === 0 ? at : Math.min(bytes.length, at + size);
    return join(bytes.subarray(0, at), other.subarray(from, from + size), bytes.subarray(end));
  },
  /** Begins as this one and ends as another. */
  (bytes, random, other) => {
    const [at, from] = [random.below(bytes.length + 1), random.below(other.length + 1)];
    return join(bytes.subarray(0, at), other.subarray(from));
  },
  /** Writes a whole number of 1, 2, 4 or 8 bytes, in either order. */
  (bytes, random) => {
    const size = 1 << random.below(4);
    if (bytes.length < size) return bytes;
    const at = random.below(bytes.length - size + 1);
    writeNumber(bytes, at, { size, isLittle: random.below(2) === 0, value: numberOf(random) });
    return bytes;
  },
  /** Adds a little to a whole number of 1, 2, 4 or 8 bytes: lengths that are just wrong. */
  (bytes, random) => {
    const size = 1 << random.below(4);
    if (bytes.length < size) return bytes;
    const at = random.below(bytes.length - size + 1);
    let carry = random.below(33) - 16;
    for (let i = 0; i < size && carry !== 0; i++) {
      const sum = bytes[at + i]! + carry;
      bytes[at + i] = sum;
      carry = Math.floor(sum / 256);
    }
    return bytes;
  },
  /** Puts in a word that some reader knows. */
  (bytes, random) => {
    const at = random.below(bytes.length + 1);
    const token = TOKENS[random.below(TOKENS.length)]!;
    const end = random.below(2) === 0 ? at : Math.min(bytes.length, at + token.length);
    return join(bytes.subarray(0, at), token, bytes.subarray(end));
  },
  /** Puts in bytes of any kind. */
  (bytes, random) => {
    const at = random.below(bytes.length + 1);
    const noise = Uint8Array.from({ length: 1 + random.below(16) }, () => random.below(256));
    return join(bytes.subarray(0, at), noise, bytes.subarray(at));
  },
  /** Sets a piece to one value. */
  (bytes, random) => {
    const [from, size] = pieceOf(bytes, random);
    return bytes.fill([0, 0xff, 0x20, random.below(256)][random.below(4)]!, from, from + size);
  },
];

/** Makes an input: of one of the corpus and changes to it, or now and then of nothing but noise. */
export function mutate(corpus: readonly Bytes[], random: Random): Bytes {
  if (corpus.length === 0 || random.below(50) === 0) {
    return Uint8Array.from({ length: random.below(200) }, () => random.below(256));
  }
  const pick = () => corpus[random.below(corpus.length)]!;
  let bytes = pick().slice();
  for (let count = 1 + random.below(1 << random.below(5)); count > 0; count--) {
    if (bytes.length === 0) bytes = pick().slice();
    if (bytes.length === 0) break;
    bytes = MUTATIONS[random.below(MUTATIONS.length)]!(bytes, random, pick());
    if (bytes.length > INPUT_BYTES_MAX) bytes = bytes.slice(0, INPUT_BYTES_MAX);
  }
  return bytes;
}

function pieceOf(bytes: Bytes, random: Random): [from: number, size: number] {
  const from = random.below(bytes.length + 1);
  const rest = bytes.length - from;
  return [from, Math.min(rest, random.below(random.below(4) === 0 ? rest + 1 : 17))];
}

function numberOf(random: Random): number {
  if (random.below(3) === 0) return random.below(2 ** 32);
  return INTERESTING[random.below(INTERESTING.length)]! + random.below(3) - 1;
}

function writeNumber(
  bytes: Bytes,
  at: number,
  { size, isLittle, value }: { size: number; isLittle: boolean; value: number },
): void {
  let rest = BigInt(value);
  for (let i = 0; i < size; i++) {
    bytes[isLittle ? at + i : at + size - 1 - i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
}

/**
 * Instruments: what is traded, under a number that never changes, with the scales of its prices and
 * quantities. Kept in a text file that several processes share.
 *
 * @module
 */

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import { CorruptInstrumentsError } from "../errors.ts";
import { DECIMALS_MAX, isDecimals } from "./decimal.ts";

/** How an instrument's prices and quantities are kept as integers. */
export interface Scales {
  /** Prices are integers in units of 10^-priceDecimals; 0 to 12. */
  readonly priceDecimals: number;
  /** Quantities are integers in units of 10^-quantityDecimals; 0 to 12. */
  readonly quantityDecimals: number;
}

/** Something that is traded. */
export interface Instrument extends Scales {
  /** Its number in messages, from 1 on. */
  readonly id: number;
  /** Its name, such as `"BTC-USD"`. */
  readonly symbol: string;
}

/** Who knows instruments by their symbols, such as {@linkcode Instruments}. */
export interface InstrumentFinder {
  /** Returns the instrument of a symbol, or undefined where there is none. */
  find(symbol: string): Instrument | undefined;
}

/** Scales of a feed that nobody has told about: all that Binance's spot market writes is exact. */
export const UNTOLD_SCALES: Scales = { priceDecimals: 8, quantityDecimals: 8 };

/** Instruments in one file. Arbitrary: twenty times what the largest exchange lists. */
const INSTRUMENTS_MAX = 65_536;

/** Longest file that is read: as many instruments with the longest symbols. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** One to 64 characters that are neither space nor invisible. */
const SYMBOL = /^[^\s\p{C}]{1,64}$/u;
const HEAD = "message_transport instruments 1\n";
const LINE = /^([1-9][0-9]{0,4}) (\S+) (0|[1-9][0-9]?) (0|[1-9][0-9]?)$/;

/**
 * The instruments of one file.
 *
 * An id, once given, stays: it is never another instrument's, and its scales never change. What
 * other processes add is seen when it is asked for. Any process may be killed at any time:
 * instruments that `intern` has returned are on the disk, and the lock is the kernel's.
 *
 * Thread: one; every process or worker opens its own. Cost: a lookup of what is known is one of a
 * map; of what is not, a look at the file; a new instrument writes the whole file anew and waits
 * for the disk.
 */
export class Instruments implements InstrumentFinder {
  /** The file. */
  readonly path: string;
  readonly #bySymbol = new Map<string, Instrument>();
  readonly #byId: Instrument[] = [];
  /** What the file looked like when it was read last. */
  #seen = "";

  /** Opened by {@linkcode openInstruments}. */
  constructor(path: string) {
    this.path = path;
    this.#read();
  }

  /**
   * Returns the instrument of a symbol, or undefined where no process has given it an id.
   *
   * @throws {CorruptInstrumentsError} If the file has changed and is damaged.
   */
  find(symbol: string): Instrument | undefined {
    const known = this.#bySymbol.get(symbol);
    if (known !== undefined) return known;
    this.#read();
    return this.#bySymbol.get(symbol);
  }

  /** Returns the instrument of an id, or undefined; throws as {@linkcode Instruments.find}. */
  at(id: number): Instrument | undefined {
    const known = this.#byId[id - 1];
    if (known !== undefined) return known;
    this.#read();
    return this.#byId[id - 1];
  }

  /** Returns all instruments in the order of their ids; throws as {@linkcode Instruments.find}. */
  all(): Instrument[] {
    this.#read();
    return [...this.#byId];
  }

  /**
   * Returns the instrument of a symbol, which gets the next id if it has none. On the disk, as all
   * instruments before it are, when this returns.
   *
   * @param symbol 1 to 64 characters, none of them a space or invisible.
   * @throws {RangeError} If the symbol or a scale is none, if the symbol has other scales, or if
   * the file is full.
   * @throws {CorruptInstrumentsError} If the file is damaged.
   */
  intern(symbol: string, scales: Scales): Instrument {
    const { priceDecimals, quantityDecimals } = scales;
    if (!SYMBOL.test(symbol)) {
      throw new RangeError(
        `Cannot intern ${JSON.stringify(symbol)} as a symbol of 1 to 64 visible characters: ` +
          `found ${symbol.length} characters`,
      );
    }
    if (!isDecimals(priceDecimals) || !isDecimals(quantityDecimals)) {
      throw new RangeError(
        `Cannot intern "${symbol}" with 0 to ${DECIMALS_MAX} decimals: ` +
          `found ${priceDecimals} and ${quantityDecimals}`,
      );
    }
    const found = this.find(symbol) ?? this.#add(symbol, scales);
    if (
      found.priceDecimals !== priceDecimals || found.quantityDecimals !== quantityDecimals
    ) {
      throw new RangeError(
        `Cannot intern "${symbol}" with ${priceDecimals} and ${quantityDecimals} decimals: ` +
          `found it in "${this.path}" with ${found.priceDecimals} and ${found.quantityDecimals}`,
      );
    }
    return found;
  }

  #add(symbol: string, { priceDecimals, quantityDecimals }: Scales): Instrument {
    using lock = Deno.openSync(`${this.path}.lock`, { create: true, write: true, mode: 0o600 });
    lock.lockSync(true); // The kernel lets go of it with the process.
    this.#read();
    const known = this.#bySymbol.get(symbol);
    if (known !== undefined) return known;
    const id = this.#byId.length + 1;
    if (id > INSTRUMENTS_MAX) {
      throw new RangeError(
        `Cannot intern "${symbol}" as one of at most ${INSTRUMENTS_MAX} instruments: found ` +
          `"${this.path}" full`,
      );
    }
    const added = { id, symbol, priceDecimals, quantityDecimals };
    replaceFile(this.path, print([...this.#byId, added]));
    this.#read();
    return this.#byId[id - 1]!;
  }

  /** Reads the file if it has changed, and learns what it has more than before. */
  #read(): void {
    const stat = statIfThere(this.path);
    if (stat === undefined) {
      if (this.#byId.length === 0) return;
      throw new CorruptInstrumentsError(this.path, "no file, where one was");
    }
    const seen = `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtime?.getTime()}`;
    if (seen === this.#seen) return;
    if (!stat.isFile || stat.size > FILE_BYTES_MAX) {
      throw new CorruptInstrumentsError(this.path, "no file of at most 16 MiB");
    }
    const instruments = parse(this.path, Deno.readFileSync(this.path));
    const changed = this.#byId.find((known, index) => !isSame(known, instruments[index]));
    if (changed !== undefined) {
      throw new CorruptInstrumentsError(
        this.path,
        `another instrument than "${changed.symbol}" with id ${changed.id}, or none`,
      );
    }
    // Whoever wrote it may have been killed before this: what is found here stays found.
    syncDirectory(this.path);
    for (const instrument of instruments.slice(this.#byId.length)) {
      this.#byId.push(instrument);
      this.#bySymbol.set(instrument.symbol, instrument);
    }
    this.#seen = seen;
  }
}

/**
 * Opens a file of instruments; there need not be one yet.
 *
 * Beside it, `<file>.lock` is made for whoever adds an instrument, and `<file>.new` for a moment.
 * Needs permission to read the file and its directory, and to write the three to add instruments.
 *
 * @param file Its directory must exist.
 * @throws {CorruptInstrumentsError} If it is damaged.
 * @example An instrument and its id
 * ```ts
 * import { openInstruments } from "message_transport/market";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = Deno.makeTempDirSync();
 * const instruments = openInstruments(`${directory}/instruments`);
 * const bitcoin = instruments.intern("BTC-USD", { priceDecimals: 2, quantityDecimals: 8 });
 * assertEquals(bitcoin.id, 1);
 * assertEquals(openInstruments(`${directory}/instruments`).find("BTC-USD"), bitcoin);
 * Deno.removeSync(directory, { recursive: true });
 * ```
 */
export function openInstruments(file: string | URL): Instruments {
  return new Instruments(file instanceof URL ? fileURLToPath(file) : file);
}

function print(instruments: readonly Instrument[]): string {
  const lines = instruments.map(({ id, symbol, priceDecimals, quantityDecimals }) =>
    `${id} ${symbol} ${priceDecimals} ${quantityDecimals}\n`
  );
  const text = HEAD + lines.join("");
  return `${text}crc32 ${checksum(text)}\n`;
}

function parse(path: string, bytes: Uint8Array): Instrument[] {
  const wrong = (found: string) => new CorruptInstrumentsError(path, found);
  const text = decode(bytes);
  if (!text?.startsWith(HEAD)) throw wrong("no such beginning");
  const end = text.lastIndexOf("\ncrc32 ") + 1;
  const body = text.slice(0, end);
  if (end === 0 || text.slice(end) !== `crc32 ${checksum(body)}\n`) {
    throw wrong("an end that is cut off, or a checksum that differs");
  }
  const lines = body.slice(HEAD.length, -1).split("\n");
  if (body === HEAD) lines.length = 0;
  if (lines.length > INSTRUMENTS_MAX) throw wrong(`${lines.length} instruments`);
  const symbols = new Set<string>();
  return lines.map((line, index) => {
    const [, id, symbol, price, quantity] = LINE.exec(line) ?? [];
    const [priceDecimals, quantityDecimals] = [Number(price), Number(quantity)];
    const isSound = Number(id) === index + 1 && SYMBOL.test(symbol!) &&
      isDecimals(priceDecimals) && isDecimals(quantityDecimals) && !symbols.has(symbol!);
    if (!isSound) throw wrong(`line ${index + 2}: ${JSON.stringify(line.slice(0, 100))}`);
    symbols.add(symbol!);
    return Object.freeze({ id: index + 1, symbol: symbol!, priceDecimals, quantityDecimals });
  });
}

/** The text, or undefined if it is not UTF-8. */
function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}

/** Replaces a file whole or not at all; on the disk once its directory is synced. */
function replaceFile(path: string, text: string): void {
  const temporary = `${path}.new`;
  const bytes = new TextEncoder().encode(text);
  {
    const options = { create: true, write: true, truncate: true, mode: 0o600 };
    using file = Deno.openSync(temporary, options);
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    file.syncSync();
  }
  Deno.renameSync(temporary, path);
}

/** Makes the names in a file's directory durable. */
function syncDirectory(path: string): void {
  using directory = Deno.openSync(dirname(path));
  directory.syncSync();
}

function statIfThere(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function isSame(known: Instrument, found: Instrument | undefined): boolean {
  return found !== undefined && known.symbol === found.symbol &&
    known.priceDecimals === found.priceDecimals &&
    known.quantityDecimals === found.quantityDecimals;
}

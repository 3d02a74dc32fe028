// The file of instruments: what is kept, what is refused. Death and several processes are in
// tests/fault/instruments_test.ts.

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { crc32 } from "node:zlib";
import { CorruptInstrumentsError, type Instruments, openInstruments } from "../lib/market/mod.ts";

const SEED = 20_240_808;
const SCALES = { priceDecimals: 2, quantityDecimals: 8 };

/** A directory with a file of instruments, which need not be there yet. */
class Place implements Disposable {
  readonly #directory = Deno.makeTempDirSync();
  readonly path = `${this.#directory}/instruments`;

  open(): Instruments {
    return openInstruments(this.path);
  }

  /** Writes a file with a right checksum. */
  forge(...lines: string[]): void {
    const text = ["message_transport instruments 1", ...lines, ""].join("\n");
    Deno.writeTextFileSync(this.path, `${text}crc32 ${hex(crc32(text))}\n`);
  }

  get names(): string[] {
    return [...Deno.readDirSync(this.#directory)].map(({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#directory, { recursive: true });
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}

Deno.test("Instruments.intern() gives ids from 1 on, and always the same", () => {
  using place = new Place();
  const instruments = place.open();
  assertEquals([instruments.all(), instruments.find("BTC-USD"), instruments.at(1)], [
    ...[[], undefined, undefined],
  ]);
  const bitcoin = instruments.intern("BTC-USD", SCALES);
  assertEquals(bitcoin, { id: 1, symbol: "BTC-USD", ...SCALES });
  const yen = instruments.intern("币安人生USDT", { priceDecimals: 0, quantityDecimals: 12 });
  assertEquals(yen.id, 2);
  assertEquals(instruments.intern("BTC-USD", SCALES), bitcoin);
  for (
    const opened of [instruments, place.open(), openInstruments(new URL(`file:${place.path}`))]
  ) {
    assertEquals(opened.all(), [bitcoin, yen]);
    assertEquals([opened.find("BTC-USD"), opened.at(2), opened.at(3)], [bitcoin, yen, undefined]);
    assertEquals([opened.at(0), opened.at(-1), opened.at(0.5), opened.find("")], [
      ...[undefined, undefined, undefined, undefined],
    ]);
  }
  assertEquals(place.names, ["instruments", "instruments.lock"]);
  assertEquals(Deno.statSync(place.path).mode! & 0o777, 0o600);
});

Deno.test("Instruments are seen by others that have the file open already", () => {
  using place = new Place();
  const [one, other] = [place.open(), place.open()];
  const added = one.intern("A", SCALES);
  assertEquals([other.find("A"), other.at(1), other.all()], [added, added, [added]]);
  const next = other.intern("B", SCALES);
  assertEquals([next.id, one.intern("C", SCALES).id, other.intern("A", SCALES).id], [2, 3, 1]);
  assertEquals(one.all(), other.all());
});

Deno.test("Instruments.intern() throws RangeError for what is none, or has other scales", () => {
  using place = new Place();
  const instruments = place.open();
  for (const symbol of ["", " ", "A B", "A\n", "\u200b", "x".repeat(65), "\ud800", "\u0000"]) {
    assertThrows(() => instruments.intern(symbol, SCALES), RangeError, "visible characters");
  }
  for (const priceDecimals of [-1, 0.5, 13, NaN]) {
    const scales = { priceDecimals, quantityDecimals: 8 };
    assertThrows(() => instruments.intern("A", scales), RangeError, `found ${priceDecimals} and 8`);
  }
  assertEquals(place.names, [], "nothing was written");
  instruments.intern("A", SCALES);
  const other = { priceDecimals: 3, quantityDecimals: 8 };
  const error = assertThrows(() => place.open().intern("A", other), RangeError);
  assert(error.message.endsWith("with 2 and 8"), error.message);
  assertEquals(place.open().find("A"), { id: 1, symbol: "A", ...SCALES });
});

Deno.test("openInstruments() refuses every cut and every flipped bit of a file", () => {
  using place = new Place();
  place.open().intern("BTC-USD", SCALES);
  place.open().intern("ETH-USD", SCALES);
  const bytes = Deno.readFileSync(place.path);
  for (let length = 0; length < bytes.length; length++) {
    Deno.writeFileSync(place.path, bytes.subarray(0, length));
    assertThrows(() => place.open(), CorruptInstrumentsError, place.path);
  }
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const damaged = bytes.slice();
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    Deno.writeFileSync(place.path, damaged);
    assertThrows(() => place.open(), CorruptInstrumentsError, place.path);
  }
  Deno.writeFileSync(place.path, bytes);
  assertEquals(place.open().all().length, 2);
});

Deno.test("openInstruments() refuses a file with a right checksum and wrong lines", () => {
  using place = new Place();
  place.forge("1 A 2 8");
  assertEquals(place.open().all().length, 1);
  place.forge();
  assertEquals(place.open().all(), []);
  const wrong = [
    ...[["2 A 2 8"], ["1 A 2 8", "1 B 2 8"], ["1 A 2 8", "2 A 2 8"], ["1 A 2 8", "3 B 2 8"]],
    ...[["1 A 2 13"], ["1 A -1 8"], ["1 A 2 8 "], ["1 A 2"], ["1  2 8"], ["01 A 2 8"], [""]],
    ...[["1 A 02 8"], ["1 A 2.0 8"], ["1 A\u200b 2 8"], [`1 ${"x".repeat(65)} 2 8`], ["# 1"]],
    ...[["1 A 2 8", "crc32 00000000", "2 B 2 8"], ["1 A 2 8", ""], ["1 A 2 8\r"]],
  ];
  for (const lines of wrong) {
    place.forge(...lines);
    assertThrows(() => place.open(), CorruptInstrumentsError, "found line", lines.join("|"));
  }
  Deno.writeTextFileSync(place.path, "message_transport instruments 2\ncrc32 00000000\n");
  assertThrows(() => place.open(), CorruptInstrumentsError, "no such beginning");
});

Deno.test("openInstruments() refuses what is no file, or too large, without reading it", () => {
  using place = new Place();
  Deno.mkdirSync(place.path);
  assertThrows(() => place.open(), CorruptInstrumentsError, "no file of at most 16 MiB");
  Deno.removeSync(place.path);
  Deno.writeFileSync(place.path, new Uint8Array(16 * 1024 * 1024 + 1));
  assertThrows(() => place.open(), CorruptInstrumentsError, "no file of at most 16 MiB");
});

Deno.test("Instruments that others have taken away or changed are an error", () => {
  using place = new Place();
  const instruments = place.open();
  instruments.intern("A", SCALES);
  instruments.intern("B", SCALES);
  const known = instruments.all();
  const changes: [() => void, string][] = [
    [() => Deno.removeSync(place.path), "no file, where one was"],
    [() => place.forge("1 A 2 8"), 'another instrument than "B" with id 2, or none'],
    [() => place.forge("1 A 2 8", "2 C 2 8", "3 B 2 8"), 'another instrument than "B"'],
    [() => place.forge("1 A 3 8", "2 B 2 8", "3 C 2 8"), 'another instrument than "A"'],
    [() => place.forge("2 A 2 8"), "line 2"],
  ];
  for (const [change, found] of changes) {
    change();
    assertThrows(() => instruments.find("C"), CorruptInstrumentsError, found);
    assertThrows(() => instruments.at(3), CorruptInstrumentsError, found);
    assertThrows(() => instruments.all(), CorruptInstrumentsError, found);
    assertThrows(() => instruments.intern("C", SCALES), CorruptInstrumentsError, found);
    assertEquals([instruments.find("A"), instruments.at(2)], [known[0], known[1]]);
  }
});

Deno.test("Instruments pass over what a process left that was killed", () => {
  using place = new Place();
  Deno.writeTextFileSync(`${place.path}.new`, "half a fi");
  Deno.writeTextFileSync(`${place.path}.lock`, "");
  assertEquals(place.open().intern("A", SCALES).id, 1);
  assertEquals(place.names, ["instruments", "instruments.lock"]);
});

Deno.test("Instruments.intern() passes errors of the file system on, and adds nothing", () => {
  using place = new Place();
  const instruments = openInstruments(`${place.path}/nowhere/instruments`);
  assertEquals(instruments.all(), []);
  assertThrows(() => instruments.intern("A", SCALES), Deno.errors.NotFound);
  assertEquals(instruments.all(), []);
});

Deno.test("Instruments of several openers agree whatever the order", () => {
  const step = fc.tuple(fc.nat(2), fc.nat(11));
  const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    using place = new Place();
    const openers = [place.open(), place.open(), place.open()];
    const model = new Map<string, number>();
    for (const [opener, number] of steps) {
      const symbol = `S${number}`;
      if (!model.has(symbol)) model.set(symbol, model.size + 1);
      const scales = { priceDecimals: number, quantityDecimals: 12 - number };
      assertEquals(openers[opener]!.intern(symbol, scales), {
        ...{ id: model.get(symbol)!, symbol, ...scales },
      });
    }
    for (const opener of openers) {
      assertEquals(opener.all().map(({ symbol }) => symbol), [...model.keys()]);
    }
  });
  fc.assert(property, { seed: SEED, numRuns: 40 });
});

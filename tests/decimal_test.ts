import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DecimalReader, formatE8, parseE8 } from "../lib/market/decimal.ts";

const SEED = 20_240_808;

/** What the text means, by bigint; -1 where it is not what an exchange writes or not exact. */
function reference(text: string): number {
  const match = /^(0|[1-9][0-9]*)(?:\.([0-9]{1,8}))?$/.exec(text);
  if (match === null) return -1;
  const value = BigInt(match[1]! + (match[2] ?? "").padEnd(8, "0"));
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : -1;
}

Deno.test("parseE8() reads what an exchange writes, exactly", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["0.00000000", 0],
    ["0.00000001", 1],
    ["0.1", 10_000_000],
    ["61685.99000000", 6_168_599_000_000],
    ["61685.99", 6_168_599_000_000],
    ["1", 100_000_000],
    ["90071992.54740991", Number.MAX_SAFE_INTEGER],
    ["90071992.54740992", -1],
    ["90071992.54740993", -1],
    ["90071993", -1],
    ["99999999999999999999", -1],
  ];
  for (const [text, value] of cases) assertEquals(parseE8(text), value, text);
});

Deno.test("parseE8() refuses anything else", () => {
  const wrong = [
    ...["", ".", "1.", ".5", "-1", "+1", "1e3", "1E3", "1,5", " 1", "1 ", "1.5 ", "0x10", "NaN"],
    ...["00", "01", "00.1", "1.000000000", "1.0000000000000001", "1..2", "1.2.3", "1.2345678x"],
    ...["Infinity", "１", "1\0", "1.5\0", "\0", "1_000", "1.1234567/", "1.1234567:"],
  ];
  for (const text of wrong) assertEquals(parseE8(text), -1, JSON.stringify(text));
});

Deno.test("parseE8() agrees with bigint on any decimal", () => {
  const decimal = fc.tuple(
    fc.oneof(fc.nat(9), fc.nat(), fc.integer({ min: 90_071_990, max: 90_071_995 })),
    fc.oneof(fc.constant(""), fc.stringMatching(/^\.[0-9]{1,10}$/)),
  ).map(([whole, fraction]) => `${whole}${fraction}`);
  const check = fc.property(decimal, (text) => assertEquals(parseE8(text), reference(text), text));
  fc.assert(check, { seed: SEED, numRuns: 2_000 });
});

Deno.test("parseE8() agrees with bigint on near misses", () => {
  const letters = fc.constantFrom(..."0123456789.-+eE /:;\0");
  const text = fc.array(letters, { maxLength: 14 }).map((list) => list.join(""));
  const check = fc.property(text, (text) => assertEquals(parseE8(text), reference(text), text));
  fc.assert(check, { seed: SEED, numRuns: 5_000 });
});

Deno.test("formatE8() prints what parseE8() read, with the decimals that were counted", () => {
  const property = fc.property(fc.maxSafeNat(), fc.nat(8), (value, decimals) => {
    const text = formatE8(value, 8);
    assertEquals(parseE8(text), value);
    const cut = decimals === 0 ? text.slice(0, -9) : text.slice(0, text.length - 8 + decimals);
    const reader = new DecimalReader();
    const bytes = new Uint8Array(cut.length + 9);
    new TextEncoder().encodeInto(cut, bytes);
    assertEquals(reader.read(new DataView(bytes.buffer), 0), cut.length);
    assertEquals(reader.decimals, decimals);
    assertEquals(formatE8(reader.value, decimals), cut, "as the exchange wrote it");
  });
  fc.assert(property, { seed: SEED, numRuns: 1_000 });
});

Deno.test("DecimalReader.read() stops behind the decimal, and refuses a ninth digit", () => {
  const read = (text: string): number => {
    const bytes = new TextEncoder().encode(`${text}\0\0\0\0\0\0\0\0\0`);
    return new DecimalReader().read(new DataView(bytes.buffer), 0);
  };
  assertEquals([read('1.5"'), read('1.12345678"'), read("12,3"), read("1.5.")], [3, 10, 2, 3]);
  assertEquals([read("1.123456789"), read("1.0000000000"), read("")], [-1, -1, -1]);
});

Deno.test("formatE8() throws RangeError for what it cannot print", () => {
  const cases = [[-1, 8], [0.5, 8], [NaN, 8], [2 ** 53, 8], [1, 9], [1, -1], [1, 1.5], [15, 7]];
  for (const [value, decimals] of cases) {
    assertThrows(() => formatE8(value!, decimals!), RangeError, `found ${value}`);
  }
});

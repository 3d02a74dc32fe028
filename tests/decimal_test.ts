import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DecimalReader, formatDecimal, parseDecimal } from "../lib/market/decimal.ts";

const SEED = 20_240_808;
const SCALES = Array.from({ length: 13 }, (_, decimals) => decimals);
const anyScale = fc.constantFrom(...SCALES);

/** What the text means, by bigint; -1 where it is not what an exchange writes or not exact. */
function reference(text: string, decimals: number): number {
  const match = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/.exec(text);
  if (match === null) return -1;
  const fraction = match[2] ?? "";
  if (/[1-9]/.test(fraction.slice(decimals))) return -1;
  const value = BigInt(match[1]! + fraction.slice(0, decimals).padEnd(decimals, "0"));
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : -1;
}

Deno.test("parseDecimal() reads what an exchange writes, exactly", () => {
  const cases: [string, number, number][] = [
    ["0", 8, 0],
    ["0.00000000", 8, 0],
    ["0.00000001", 8, 1],
    ["0.1", 8, 10_000_000],
    ["61685.99000000", 8, 6_168_599_000_000],
    ["61685.99000000", 2, 6_168_599],
    ["61685.99", 2, 6_168_599],
    ["61685.99", 12, -1],
    ["1", 8, 100_000_000],
    ["1.000000000000000000000000", 0, 1],
    ["1.50000000", 1, 15],
    ["1.50000000", 0, -1],
    ["0.000000000001", 12, 1],
    ["0.0000000000010", 12, 1],
    ["0.0000000000001", 12, -1],
    ["9007199254740991", 0, Number.MAX_SAFE_INTEGER],
    ["9007199254740992", 0, -1],
    ["9007199254740993", 0, -1],
    ["9007.199254740991", 12, Number.MAX_SAFE_INTEGER],
    ["90071992.54740991", 8, Number.MAX_SAFE_INTEGER],
    ["90071992.54740992", 8, -1],
    ["90071992.54740993", 8, -1],
    ["90071993", 8, -1],
    ["90071992547409.92", 2, -1],
    ["99999999999999999999", 0, -1],
    ["9".repeat(400), 0, -1],
  ];
  for (const [text, decimals, value] of cases) {
    assertEquals(parseDecimal(text, decimals), value, `${text} with ${decimals}`);
  }
});

Deno.test("parseDecimal() refuses anything else", () => {
  const wrong = [
    ...["", ".", "1.", ".5", "-1", "+1", "1e3", "1E3", "1,5", " 1", "1 ", "1.5 ", "0x10", "NaN"],
    ...["00", "01", "00.1", "1.0000000000001", "1..2", "1.2.3", "1.2345678x", "1.00000000."],
    ...["Infinity", "１", "1\0", "1.5\0", "\0", "1_000", "1.1234567/", "1.1234567:"],
  ];
  for (const text of wrong) {
    for (const decimals of SCALES) {
      assertEquals(parseDecimal(text, decimals), -1, JSON.stringify(text));
    }
  }
});

Deno.test("parseDecimal() agrees with bigint on any decimal", () => {
  const decimal = fc.tuple(
    fc.oneof(
      fc.nat(9),
      fc.nat(),
      fc.maxSafeNat(),
      fc.integer({ min: 90_071_990, max: 90_071_995 }),
    ),
    fc.oneof(
      fc.constant(""),
      fc.stringMatching(/^\.[0-9]{1,14}$/),
      fc.stringMatching(/^\.[0-9]{0,4}0{1,14}$/),
    ),
  ).map(([whole, fraction]) => `${whole}${fraction}`);
  const check = fc.property(decimal, anyScale, (text, decimals) => {
    assertEquals(parseDecimal(text, decimals), reference(text, decimals), `${text} ${decimals}`);
  });
  fc.assert(check, { seed: SEED, numRuns: 10_000 });
});

Deno.test("parseDecimal() agrees with bigint on near misses", () => {
  const letters = fc.constantFrom(..."0123456789.-+eE /:;\0");
  const text = fc.array(letters, { maxLength: 14 }).map((list) => list.join(""));
  const check = fc.property(text, anyScale, (text, decimals) => {
    assertEquals(parseDecimal(text, decimals), reference(text, decimals), `${text} ${decimals}`);
  });
  fc.assert(check, { seed: SEED, numRuns: 5_000 });
});

Deno.test("formatDecimal() prints what parseDecimal() reads, with at least so many digits", () => {
  const property = fc.property(fc.maxSafeNat(), anyScale, fc.nat(12), (value, decimals, least) => {
    const text = formatDecimal(value, decimals);
    assertEquals(parseDecimal(text, decimals), value);
    assertEquals(text.split(".")[1]?.length ?? 0, decimals);
    const digitsMin = Math.min(least, decimals);
    const short = formatDecimal(value, decimals, digitsMin);
    assertEquals(text.startsWith(short), true, short);
    assertEquals(/[^.0]/.test(text.slice(short.length)), false, short);
    const digits = short.split(".")[1] ?? "";
    assertEquals(digits.length === digitsMin || !digits.endsWith("0"), true, short);
  });
  fc.assert(property, { seed: SEED, numRuns: 5_000 });
});

Deno.test("formatDecimal() prints whole numbers and small ones", () => {
  assertEquals(
    [formatDecimal(0, 0), formatDecimal(0, 3), formatDecimal(7, 3), formatDecimal(7000, 3, 0)],
    ["0", "0.000", "0.007", "7"],
  );
  assertEquals(formatDecimal(Number.MAX_SAFE_INTEGER, 1), "900719925474099.1");
});

Deno.test("DecimalReader.read() stops behind it, and refuses digits beyond the scale", () => {
  const read = (text: string): number => {
    const bytes = new TextEncoder().encode(`${text}\0\0\0\0\0\0\0\0\0`);
    return new DecimalReader().read(new DataView(bytes.buffer), 0, 8);
  };
  assertEquals([read('1.5"'), read('1.12345678"'), read("12,3"), read("1.5.")], [3, 10, 2, 3]);
  assertEquals([read("1.123456789"), read("1.0000000000"), read("")], [-1, 12, -1]);
});

Deno.test("parseDecimal() and formatDecimal() throw RangeError for no scale or value", () => {
  const cases = [[-1, 8], [0.5, 8], [NaN, 8], [2 ** 53, 8], [1, 13], [1, -1], [1, 1.5], [1, 2, 3]];
  for (const [value, ...decimals] of cases) {
    const [scale, digitsMin] = decimals;
    assertThrows(() => formatDecimal(value!, scale!, digitsMin), RangeError, `found ${value}`);
  }
  for (const decimals of [13, -1, 1.5, NaN]) {
    assertThrows(() => parseDecimal("1", decimals), RangeError, `found ${decimals}`);
  }
});

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { defineSchema, describeSchemaDifference, type FieldMap } from "../lib/channel/schema.ts";

const SEED = 20_240_808;

function bytesOf(size: number): DataView {
  return new DataView(new ArrayBuffer(size));
}

/** A schema whose fields TypeScript does not know, for what only a wrong caller would write. */
function define(
  fields: unknown,
  options?: { sizeBytes?: number },
): ReturnType<typeof defineSchema> {
  return defineSchema("wrong", fields as FieldMap, options);
}

Deno.test("defineSchema() lays fields out as C does", () => {
  // Offsets, size and alignment as gcc and Zig give for a struct of these members.
  const cases: [FieldMap, number[], number, number][] = [
    [{ a: "u8" }, [0], 1, 1],
    [{ a: "u8", b: "u64" }, [0, 8], 16, 8],
    [{ a: "u64", b: "u8" }, [0, 8], 16, 8],
    [{ a: "u8", b: "u16", c: "u8", d: "u32", e: "u8" }, [0, 2, 4, 8, 12], 16, 4],
    [{ a: "bool", b: "f64", c: "f32", d: "i8" }, [0, 8, 16, 20], 24, 8],
    [{ a: "u8[3]", b: "u16[2]", c: "u8" }, [0, 4, 8], 10, 2],
    [{ a: "char[5]", b: "i32", c: "char[1]" }, [0, 8, 12], 16, 4],
    [{ a: "u8", b: "i64[2]", c: "u16" }, [0, 8, 24], 32, 8],
    [{ a: "i16", b: "bool[3]", c: "f32[2]" }, [0, 2, 8], 16, 4],
  ];
  for (const [fields, offsets, sizeBytes, alignment] of cases) {
    const schema = defineSchema("message", fields);
    assertEquals(schema.fields.map((field) => field.offset), offsets, schema.text);
    assertEquals([schema.sizeBytes, schema.alignment], [sizeBytes, alignment], schema.text);
  }
});

Deno.test("Schema.fields, text and hash describe the layout", () => {
  const schema = defineSchema("trade", { price: "i64", levels: "u16[3]", side: "char[2]" });
  assertEquals(schema.fields, [
    { name: "price", type: "i64", offset: 0, sizeBytes: 8, count: 1 },
    { name: "levels", type: "u16[3]", offset: 8, sizeBytes: 6, count: 3 },
    { name: "side", type: "char[2]", offset: 14, sizeBytes: 2, count: 2 },
  ]);
  assertEquals(schema.text, "trade{price:i64@0,levels:u16[3]@8,side:char[2]@14}#16");
  assertEquals(schema.hash, crc32c(new TextEncoder().encode(schema.text)));
  assertEquals(crc32c(new TextEncoder().encode("123456789")), 0xe3069283, "the published check");
});

Deno.test("Schema.hash is another one for another name, type, order or size", () => {
  const hashes = [
    defineSchema("a", { x: "u32", y: "u32" }),
    defineSchema("b", { x: "u32", y: "u32" }),
    defineSchema("a", { x: "u32", y: "i32" }),
    defineSchema("a", { y: "u32", x: "u32" }),
    defineSchema("a", { x: "u32", y: "u32" }, { sizeBytes: 12 }),
  ].map((schema) => schema.hash);
  assertEquals(new Set(hashes).size, hashes.length);
});

Deno.test("defineSchema() pads to sizeBytes, or says why it cannot", () => {
  assertEquals(defineSchema("a", { x: "u64" }, { sizeBytes: 64 }).sizeBytes, 64);
  assertEquals(defineSchema("a", { x: "u64" }, { sizeBytes: 8 }).sizeBytes, 8);
  const tooSmall = assertThrows(() => define({ x: "u64", y: "u8" }, { sizeBytes: 9 }), RangeError);
  assertStringIncludes(tooSmall.message, "need 16 bytes");
  const misaligned = assertThrows(() => define({ x: "u64" }, { sizeBytes: 60 }), RangeError);
  assertStringIncludes(misaligned.message, "multiple");
  for (const sizeBytes of [NaN, 8.5, -8, 2 ** 40]) {
    assertThrows(() => define({ x: "u64" }, { sizeBytes }), RangeError, `${sizeBytes} bytes`);
  }
});

Deno.test("defineSchema() names what a wrong definition should be", () => {
  const cases: [unknown, string][] = [
    [
      { x: "i63" },
      'u8, i8, bool, u16, i16, u32, i32, u64, i64, f32, f64, an array such as "i64[12]"',
    ],
    [{ x: "char" }, 'text such as "char[8]"'],
    [{ x: "u8[0]" }, "found no such type; use"],
    [{ x: "u8[-1]" }, "no such type"],
    [{ x: "u8[1.5]" }, "no such type"],
    [{ x: "u8[1e2]" }, "no such type"],
    [{ x: "u8[2][2]" }, "no such type"],
    [{ x: "toString" }, "no such type"],
    [{ x: 8 }, "as 8: found no such type"],
    [{ x: 8n }, "as 8n: found no such type"],
    [{ wrap: "u8" }, 'reserved name "wrap"'],
    [{ then: "u8[2]" }, 'reserved name "then"'],
    [{ constructor: "u8" }, 'reserved name "constructor"'],
    [JSON.parse('{"__proto__":"u8"}'), 'reserved name "__proto__"'],
    [{ xs: "u8[2]", setXs: "u8" }, '"setXs" defined twice'],
    [{ setXs: "u8", xs: "u8[2]" }, '"setXs" defined twice'],
    [{ 1: "u8" }, 'letters, digits and _ only: found "1"'],
    [{ "a-b": "u8" }, 'found "a-b"'],
    [{ "": "u8" }, 'found ""'],
    [{}, "found no fields"],
    [null, "found no fields"],
    ["u8", "found no fields"],
  ];
  for (const [fields, text] of cases) {
    const error = assertThrows(() => define(fields), TypeError);
    assertStringIncludes(error.message, text);
  }
  for (const name of ["", "a b", "{", 7]) {
    assertThrows(() => defineSchema(name as string, { x: "u8" }), TypeError, "needs a name");
  }
  for (const type of ["u8[99999999999]", "u64[16777216]"]) {
    assertThrows(() => define({ x: type }), RangeError, "found");
  }
});

/** Values that a type can hold, bounds included. */
const VALUES = {
  u8: fc.integer({ min: 0, max: 0xff }),
  i8: fc.integer({ min: -0x80, max: 0x7f }),
  u16: fc.integer({ min: 0, max: 0xffff }),
  i16: fc.integer({ min: -0x8000, max: 0x7fff }),
  u32: fc.integer({ min: 0, max: 0xffffffff }),
  i32: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
  u64: fc.maxSafeNat(),
  i64: fc.maxSafeInteger(),
  f32: fc.float(),
  f64: fc.double(),
} as const;

type NumberType = keyof typeof VALUES;
const NUMBER_TYPES = Object.keys(VALUES) as NumberType[];

/** What an independent writer, with bigint where it takes one, puts into memory. */
function reference(type: NumberType, value: number): Uint8Array {
  const view = bytesOf(8);
  if (type === "u64" || type === "i64") view.setBigInt64(0, BigInt(value), true);
  else if (type === "f64") view.setFloat64(0, value, true);
  else if (type === "f32") view.setFloat32(0, value, true);
  else if (type.endsWith("32")) view.setInt32(0, value, true);
  else if (type.endsWith("16")) view.setInt16(0, value, true);
  else view.setInt8(0, value);
  return new Uint8Array(view.buffer, 0, type.endsWith("8") ? 1 : Number(type.slice(1)) / 8);
}

Deno.test("Accessor writes the bytes of C and reads back what was written, for each type", () => {
  for (const type of NUMBER_TYPES) {
    const fields = { before: "u8", one: type, many: `${type}[3]`, after: "u8" } as const;
    const schema = defineSchema("probe", fields as FieldMap);
    const at = schema.fields.map((field) => field.offset);
    const bytes = bytesOf(schema.sizeBytes + 16);
    const accessor = schema.accessor().wrap(bytes, 5) as unknown as {
      one: number;
      many(index: number): number;
      setMany(index: number, value: number): void;
    };
    const property = fc.property(VALUES[type], VALUES[type], fc.nat(2), (one, element, index) => {
      new Uint8Array(bytes.buffer).fill(0xa5);
      accessor.one = one;
      accessor.setMany(index, element);
      const expected = new Uint8Array(bytes.byteLength).fill(0xa5);
      const [first, second] = [reference(type, one), reference(type, element)];
      expected.set(first, 5 + at[1]!);
      expected.set(second, 5 + at[2]! + index * second.length);
      assertEquals(new Uint8Array(bytes.buffer), expected, "nothing but the two fields changes");
      // An integer has no -0.
      const same = type.startsWith("f") ? [one, element] : [one + 0, element + 0];
      assertEquals([accessor.one, accessor.many(index)], same);
    });
    fc.assert(property, { seed: SEED });
  }
});

Deno.test("Accessor holds the bounds of each integer type and refuses what is beyond", () => {
  const bounds: Record<string, [number, number]> = {
    u8: [0, 0xff],
    i8: [-0x80, 0x7f],
    u16: [0, 0xffff],
    i16: [-0x8000, 0x7fff],
    u32: [0, 0xffffffff],
    i32: [-0x80000000, 0x7fffffff],
    u64: [0, Number.MAX_SAFE_INTEGER],
    i64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  };
  for (const [type, [min, max]] of Object.entries(bounds)) {
    const probe = numberProbe(type);
    for (const value of [min, max]) {
      probe.x = value;
      probe.setXs(1, value);
      assertEquals([probe.x, probe.xs(1)], [value, value]);
    }
    for (const value of [min - 1, max + 1, 0.5, NaN, Infinity, -Infinity]) {
      assertThrows(() => probe.x = value, RangeError, `"probe.x" as ${type}: found ${value}`);
      assertThrows(() => probe.setXs(1, value), RangeError, `found ${value}`);
    }
    assertEquals([probe.x, probe.xs(1)], [max, max], "a refused value must not be written");
  }
});

Deno.test("Accessor refuses values that are no number", () => {
  for (const type of NUMBER_TYPES) {
    const probe = numberProbe(type);
    for (const value of ["1", null, undefined, true, 1n, {}]) {
      assertThrows(() => probe.x = value as number, TypeError, "Cannot set");
      assertThrows(() => probe.setXs(0, value as number), TypeError, "Cannot set");
    }
    assertEquals([probe.x, probe.xs(0)], [0, 0]);
  }
});

Deno.test("Accessor refuses to read a 64-bit number that is not safe", () => {
  const unsafe: [bigint, "u64" | "i64"][] = [
    [2n ** 53n, "u64"],
    [2n ** 64n - 1n, "u64"],
    [2n ** 53n, "i64"],
    [-(2n ** 53n), "i64"],
    [-(2n ** 63n), "i64"],
  ];
  for (const [value, type] of unsafe) {
    const bytes = bytesOf(32);
    bytes.setBigUint64(0, BigInt.asUintN(64, value), true);
    bytes.setBigUint64(16, BigInt.asUintN(64, value), true);
    const probe = numberProbe(type, bytes);
    assertThrows(() => probe.x, RangeError, "beyond 2^53 - 1");
    assertThrows(() => probe.xs(1), RangeError, "beyond 2^53 - 1");
  }
});

Deno.test("Accessor rounds to f32, but not to infinity", () => {
  const probe = numberProbe("f32");
  probe.x = 0.1;
  assertEquals(probe.x, Math.fround(0.1));
  for (const value of [NaN, Infinity, -Infinity, -0]) {
    probe.x = value;
    assert(Object.is(probe.x, value));
  }
  assertThrows(() => probe.x = 1e39, RangeError, "found 1e+39");
});

Deno.test("Accessor takes only booleans for bool, and only 0 and 1 from memory", () => {
  const schema = defineSchema("probe", { x: "bool", xs: "bool[2]" });
  const bytes = bytesOf(3);
  const probe = schema.accessor().wrap(bytes, 0);
  probe.x = true;
  probe.setXs(1, true);
  assertEquals([...new Uint8Array(bytes.buffer)], [1, 0, 1]);
  assertEquals([probe.x, probe.xs(0), probe.xs(1)], [true, false, true]);
  for (const value of [1, 0, "true", null, undefined] as unknown[]) {
    assertThrows(() => probe.x = value as boolean, TypeError, "as a boolean");
    assertThrows(() => probe.setXs(0, value as boolean), TypeError, "as a boolean");
  }
  bytes.setUint8(0, 2);
  bytes.setUint8(2, 0xff);
  assertThrows(() => probe.x, RangeError, "found byte 2");
  assertThrows(() => probe.xs(1), RangeError, "found byte 255");
});

Deno.test("Accessor keeps ASCII text, padded with zeros", () => {
  const schema = defineSchema("probe", { text: "char[4]", after: "u8" });
  const bytes = bytesOf(5);
  const probe = schema.accessor().wrap(bytes, 0);
  for (const text of ["", "a", "abcd", " ~\x7f\x01"]) {
    probe.after = 7;
    probe.text = text;
    assertEquals([probe.text, probe.after], [text, 7]);
  }
  probe.text = "abcd";
  probe.text = "x";
  assertEquals([...new Uint8Array(bytes.buffer)], [0x78, 0, 0, 0, 7]);
  for (const text of ["abcde", "\0", "ab\0", "é", "\u{1f600}"]) {
    assertThrows(() => probe.text = text, RangeError, "ASCII text of at most 4");
  }
  for (const text of [1, null, undefined, ["a"]] as unknown[]) {
    assertThrows(() => probe.text = text as string, TypeError, "ASCII text");
  }
  assertEquals(probe.text, "x");
  bytes.setUint8(1, 0x80);
  assertThrows(() => probe.text, RangeError, "found byte 128");
});

Deno.test("Accessor.wrap() refuses too few bytes and stays where it was", () => {
  const schema = defineSchema("probe", { x: "u32", y: "u32" });
  const bytes = bytesOf(20);
  const probe = schema.accessor().wrap(bytes, 12);
  probe.y = 9;
  const cases: [number, number?][] = [
    ...[[13], [-1], [0.5], [NaN], [Infinity], [20]] as [number][],
    ...[[0, 7], [0, 21], [12, 9], [0, NaN], [0, -8]] as [number, number][],
  ];
  for (const [offset, length] of cases) {
    assertThrows(() => probe.wrap(bytes, offset, length), RangeError, '"probe" of 8 bytes');
  }
  assertThrows(() => probe.wrap(bytesOf(7), 0), RangeError, "found 7 bytes in the view");
  assertEquals(probe.y, 9);
  assertEquals(probe.wrap(bytes, 12, 8).y, 9, "an exact length is enough");
  assertEquals(probe.wrap(bytes, 0, 20).y, 0, "a longer message is no error");
});

Deno.test("Accessor throws RangeError when used before wrap(), or with a wrong index", () => {
  const schema = defineSchema("probe", { x: "u32", xs: "i64[3]", text: "char[2]" });
  const probe = schema.accessor();
  assertThrows(() => probe.x, RangeError);
  assertThrows(() => probe.x = 1, RangeError);
  assertThrows(() => probe.text, RangeError);
  probe.wrap(bytesOf(schema.sizeBytes), 0);
  for (const index of [3, -1, 0.5, NaN, undefined, "0", null]) {
    assertThrows(() => probe.xs(index as number), RangeError, '"probe.xs" as 0 to 2');
    assertThrows(() => probe.setXs(index as number, 1), RangeError, '"probe.xs" as 0 to 2');
  }
});

Deno.test("Accessors do not interfere with each other", () => {
  const schema = defineSchema("probe", { x: "i64" });
  const other = defineSchema("probe", { x: "i64" });
  const [first, second] = [schema.accessor(), schema.accessor()];
  const third = other.accessor();
  first.wrap(bytesOf(8), 0).x = 1;
  const shared = bytesOf(16);
  second.wrap(shared, 0).x = 2;
  third.wrap(shared, 8).x = 3;
  assertEquals([first.x, second.x, third.x], [1, 2, 3]);
  third.wrap(shared, 0);
  assertEquals([first.x, second.x, third.x], [1, 2, 2]);
  assertEquals(Object.keys(Object.getPrototypeOf(third)), ["x"]);
});

Deno.test("Schemas may use names that the machinery uses inside", () => {
  const fields = { name: "u8", view: "u8", offset: "u8", sizeBytes: "u8", fields: "u8" } as const;
  const probe = defineSchema("probe", fields).accessor().wrap(bytesOf(5), 0);
  probe.name = 1;
  probe.sizeBytes = 4;
  assertEquals([probe.name, probe.view, probe.offset, probe.sizeBytes], [1, 0, 0, 4]);
});

Deno.test("describeSchemaDifference() names the first field that differs", () => {
  const base = defineSchema("trade", { price: "i64", side: "u8" }).text;
  const cases: [string, string][] = [
    [base, "no difference"],
    [
      defineSchema("trade", { price: "f64", side: "u8" }).text,
      'field "price": expected i64 at offset 0, found f64 at offset 0',
    ],
    [
      defineSchema("trade", { price: "i64", flags: "u8", side: "u8" }).text,
      'field 2: expected "side" (u8 at offset 8), found "flags" (u8 at offset 8)',
    ],
    [
      defineSchema("trade", { price: "i64" }).text,
      'field 2: expected "side" (u8 at offset 8), found none',
    ],
    [
      defineSchema("trade", { price: "i64", side: "u8", x: "u8" }).text,
      'field 3: expected none, found "x" (u8 at offset 9)',
    ],
    [defineSchema("quote", { price: "i64" }).text, 'name: expected "trade", found "quote"'],
    [
      defineSchema("trade", { price: "i64", side: "u8" }, { sizeBytes: 64 }).text,
      "size: expected 16 bytes, found 64 bytes",
    ],
    ["", `expected "${base}", found ""`],
    ["trade{}#0", `expected "${base}", found "trade{}#0"`],
  ];
  for (const [actual, text] of cases) assertEquals(describeSchemaDifference(base, actual), text);
});

interface NumberProbe {
  x: number;
  xs(index: number): number;
  setXs(index: number, value: number): void;
}

function numberProbe(type: string, bytes: DataView = bytesOf(32)): NumberProbe {
  const schema = defineSchema("probe", { x: type, xs: `${type}[2]` } as FieldMap);
  return schema.accessor().wrap(bytes, 0) as unknown as NumberProbe;
}

/** Table-driven, unlike the one under test. */
function crc32c(bytes: Uint8Array): number {
  const table = Array.from({ length: 256 }, (_, byte) => {
    let entry = byte;
    for (let bit = 0; bit < 8; bit++) entry = entry & 1 ? (entry >>> 1) ^ 0x82f63b78 : entry >>> 1;
    return entry >>> 0;
  });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]!;
  return ~crc >>> 0;
}

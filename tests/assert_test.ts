// The assertions that every other test leans on. They are checked here without their own help:
// `passes` and `fails` are plain code, so that an assertion which never throws cannot hide.

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertExists,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";

Deno.test("assertEquals() accepts equal structures, assertNotEquals() refuses them", () => {
  for (const [name, a, b] of EQUAL) {
    passes(`assertEquals ${name}`, () => assertEquals<unknown>(a, b));
    passes(`assertEquals ${name}, turned round`, () => assertEquals<unknown>(b, a));
    fails(`assertNotEquals ${name}`, () => assertNotEquals<unknown>(a, b));
  }
});

Deno.test("assertEquals() refuses other structures, assertNotEquals() accepts them", () => {
  for (const [name, a, b] of UNEQUAL) {
    fails(`assertEquals ${name}`, () => assertEquals<unknown>(a, b));
    fails(`assertEquals ${name}, turned round`, () => assertEquals<unknown>(b, a));
    passes(`assertNotEquals ${name}`, () => assertNotEquals<unknown>(a, b));
  }
});

Deno.test("assertEquals() follows cycles, and sees a difference behind one", () => {
  interface Node {
    next?: Node;
    value: number;
  }
  const ring = (value: number): Node => {
    const node: Node = { value: 1, next: { value } };
    node.next!.next = node;
    return node;
  };
  passes("equal rings", () => assertEquals(ring(2), ring(2)));
  fails("rings that differ", () => assertEquals(ring(2), ring(3)));
});

Deno.test("assertEquals() shows the message and the difference", () => {
  const text = fails("difference", () => assertEquals({ bid: 1 }, { bid: 2 }, "top of book"));
  for (const part of ["Values are not equal: top of book", "bid: 1", "bid: 2"]) {
    check(text.includes(part), `"${part}" is missing in: ${text}`);
  }
});

Deno.test("assertEquals() refuses two WeakMaps, as nobody can compare them", () => {
  let thrown: unknown;
  try {
    assertEquals(new WeakMap(), new WeakMap());
  } catch (error) {
    thrown = error;
  }
  check(thrown instanceof TypeError, "no TypeError");
});

Deno.test("the simple assertions pass and fail on the right side of their border", () => {
  for (const [name, good, bad] of SIMPLE) {
    passes(name, good);
    fails(name, bad);
  }
});

Deno.test("assertThrows() returns the error, fails on none, another class or text", () => {
  const boom = () => {
    throw new RangeError("found 7");
  };
  const error = assertThrows(boom, RangeError, "found 7");
  check(error.message === "found 7", "it must return the error");
  passes("no class", () => assertThrows(boom));
  passes("base class", () => assertThrows(boom, Error));
  fails("nothing thrown", () => assertThrows(() => 1));
  fails("nothing thrown, class", () => assertThrows(() => 1, RangeError));
  fails("other class", () => assertThrows(boom, TypeError));
  fails("other text", () => assertThrows(boom, RangeError, "found 8"));
  fails("no error object", () =>
    assertThrows(() => {
      throw "text";
    }, Error));
  const text = fails("own message", () => assertThrows(() => 1, "must refuse 7"));
  check(text.includes("must refuse 7"), text);
});

Deno.test("assertRejects() returns the error, fails on none, another class or text", async () => {
  const boom = () => Promise.reject(new RangeError("found 7"));
  const error = await assertRejects(boom, RangeError, "found 7");
  check(error.message === "found 7", "it must return the error");
  await rejects("fulfilled", () => assertRejects(() => Promise.resolve(1)));
  await rejects("other class", () => assertRejects(boom, TypeError));
  await rejects("other text", () => assertRejects(boom, RangeError, "found 8"));
  await rejects("thrown before the promise", () =>
    assertRejects(() => {
      throw new RangeError("found 7");
    }, RangeError));
});

class Point {
  constructor(readonly x: number) {}
}

class Place {
  constructor(readonly x: number) {}
}

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);

const EQUAL: [name: string, a: unknown, b: unknown][] = [
  ["numbers", 1, 1],
  ["NaN", NaN, NaN],
  ["zeros", { zero: 0 }, { zero: -0 }],
  ["bigints", 1n, 1n],
  ["objects in another order", { a: 1, b: [2, { c: 3 }] }, { b: [2, { c: 3 }], a: 1 }],
  ["an object without prototype", { a: 1 }, Object.assign(Object.create(null), { a: 1 })],
  ["instances", new Point(1), new Point(1)],
  ["symbol keys", { [Symbol.for("k")]: 1 }, { [Symbol.for("k")]: 1 }],
  ["bytes", bytes(1, 2), bytes(1, 2)],
  ["bytes in another buffer", bytes(9, 1, 2).subarray(1), bytes(1, 2)],
  ["floats", new Float64Array([NaN, 0]), new Float64Array([NaN, -0])],
  ["buffers", bytes(1, 2).buffer, bytes(1, 2).buffer],
  ["views", new DataView(bytes(1, 2).buffer), new DataView(bytes(0, 1, 2).buffer, 1)],
  ["dates", new Date(5), new Date(5)],
  ["invalid dates", new Date(NaN), new Date(NaN)],
  ["patterns", /a/g, /a/g],
  ["addresses", new URL("https://a.test/b"), new URL("https://a.test/b")],
  ["maps in another order", new Map([[1, "a"], [2, "b"]]), new Map([[2, "b"], [1, "a"]])],
  ["maps with object keys", new Map([[{ k: 1 }, "a"]]), new Map([[{ k: 1 }, "a"]])],
  ["sets in another order", new Set([{ a: 1 }, { b: 2 }]), new Set([{ b: 2 }, { a: 1 }])],
  ["errors", new Error("a"), new Error("a")],
];

const UNEQUAL: [name: string, a: unknown, b: unknown][] = [
  ["numbers", 1, 2],
  ["a number and a bigint", 1, 1n],
  ["a number and a string", 1, "1"],
  ["null and undefined", null, undefined],
  ["null and an object", null, {}],
  ["a missing and an undefined property", { a: undefined }, {}],
  ["other undefined properties", { a: undefined }, { b: undefined }],
  ["nested values", { a: [{ b: 1 }] }, { a: [{ b: 2 }] }],
  ["an array and an object", [1], { 0: 1 }],
  ["arrays of other length", [1], [1, undefined]],
  ["a hole and undefined", [, 1], [undefined, 1]],
  ["classes", new Point(1), new Place(1)],
  ["an instance and a plain object", new Point(1), { x: 1 }],
  ["symbol keys", { [Symbol.for("k")]: 1 }, { [Symbol.for("k")]: 2 }],
  ["bytes", bytes(1, 2), bytes(1, 3)],
  ["bytes of other length", bytes(1), bytes(1, 0)],
  ["other element types", bytes(1), new Int8Array([1])],
  ["buffers", bytes(1, 2).buffer, bytes(1, 3).buffer],
  ["views", new DataView(bytes(1).buffer), new DataView(bytes(2).buffer)],
  ["dates", new Date(5), new Date(6)],
  ["patterns", /a/, /a/g],
  ["addresses", new URL("https://a.test/b"), new URL("https://a.test/c")],
  ["map values", new Map([[1, "a"]]), new Map([[1, "b"]])],
  ["map keys", new Map([[{ k: 1 }, "a"]]), new Map([[{ k: 2 }, "a"]])],
  ["map sizes", new Map([[1, 1]]), new Map([[1, 1], [2, 2]])],
  ["sets", new Set([{ a: 1 }]), new Set([{ a: 2 }])],
  // Each member needs a match of its own: one of the left may not serve twice.
  ["sets with a repeated match", new Set([{ a: 1 }, { a: 1 }]), new Set([{ a: 1 }, { a: 2 }])],
  ["error messages", new Error("a"), new Error("b")],
  ["error classes", new RangeError("a"), new TypeError("a")],
  ["error causes", new Error("a", { cause: 1 }), new Error("a", { cause: 2 })],
];

const SIMPLE: [name: string, good: () => void, bad: () => void][] = [
  ["assert", () => assert(1), () => assert(0)],
  ["assertStrictEquals", () => assertStrictEquals(NaN, NaN), () => assertStrictEquals({}, {})],
  ["assertExists", () => assertExists(0), () => assertExists(null)],
  ["assertExists undefined", () => assertExists(""), () => assertExists(undefined)],
  [
    "assertInstanceOf",
    () => assertInstanceOf(new TypeError("a"), Error),
    () => assertInstanceOf({}, Error),
  ],
  [
    "assertStringIncludes",
    () => assertStringIncludes("abc", "b"),
    () => assertStringIncludes("abc", "d"),
  ],
  ["assertMatch", () => assertMatch("abc", /^a/), () => assertMatch("abc", /^b/)],
  ["assertGreater", () => assertGreater(2, 1), () => assertGreater(1, 1)],
  ["assertGreaterOrEqual", () => assertGreaterOrEqual(1, 1), () => assertGreaterOrEqual(0, 1)],
  ["assertLess", () => assertLess(1n, 2n), () => assertLess(2n, 2n)],
  ["assertLessOrEqual", () => assertLessOrEqual(2, 2), () => assertLessOrEqual(3, 2)],
  ["assertLess NaN", () => assertLess(1, 2), () => assertLess(NaN, 2)],
  [
    "assertAlmostEquals",
    () => assertAlmostEquals(1.00000001, 1),
    () => assertAlmostEquals(1.000001, 1),
  ],
  [
    "assertAlmostEquals tolerance",
    () => assertAlmostEquals(1.5, 1, 0.5),
    () => assertAlmostEquals(1.51, 1, 0.5),
  ],
  [
    "assertAlmostEquals special values",
    () => assertAlmostEquals(Infinity, Infinity),
    () => assertAlmostEquals(NaN, 1),
  ],
  ["fail", () => {}, () => fail("always")],
];

Deno.test("assertMatch() starts at the beginning, whatever the pattern matched before", () => {
  const pattern = /a/g;
  check(pattern.test("a"), "the pattern itself must match");
  passes("after a match", () => assertMatch("a", pattern));
});

function check(ok: boolean, text: string): void {
  if (!ok) throw new Error(text);
}

function passes(name: string, claim: () => void): void {
  try {
    claim();
  } catch (cause) {
    throw new Error(`${name} must pass`, { cause });
  }
}

/** Runs a claim that must throw an AssertionError, and returns its message. */
function fails(name: string, claim: () => void): string {
  try {
    claim();
  } catch (error) {
    if (error instanceof AssertionError) return error.message;
    throw new Error(`${name} must throw an AssertionError`, { cause: error });
  }
  throw new Error(`${name} must fail`);
}

async function rejects(name: string, claim: () => Promise<unknown>): Promise<void> {
  try {
    await claim();
  } catch (error) {
    check(error instanceof AssertionError, `${name} must reject with an AssertionError`);
    return;
  }
  throw new Error(`${name} must fail`);
}

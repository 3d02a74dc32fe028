/**
 * Structural equality, with the verdicts of the standard library's `equal`.
 *
 * @module
 */

/** The pairs being compared further up: meeting one again means a cycle, equal so far. */
type Pairs = Map<object, Set<object>>;

/**
 * Tells whether two values have the same structure.
 *
 * `NaN` equals itself and `0` equals `-0`. Objects are equal when their prototypes and all their
 * enumerable properties are, symbols included; an object without prototype counts as a plain one.
 * Maps and sets ignore order. Typed arrays and views compare their elements, buffers their bytes;
 * dates, patterns and URLs their value; errors also name, message and cause. A property that is
 * `undefined` differs from one that is missing. Objects whose state is private (class fields with
 * `#`, most web objects) are *not* looked into: compare what they return instead.
 *
 * @throws {TypeError} If both are a `WeakMap` or a `WeakSet`, whose content nobody can list.
 */
export function equal(a: unknown, b: unknown): boolean {
  return same(a, b, new Map());
}

function same(a: unknown, b: unknown, pairs: Pairs): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (!samePrototype(a, b)) return false;
  const known = pairs.get(a) ?? new Set();
  if (known.has(b)) return true;
  pairs.set(a, known.add(b));
  const result = sameContent(a, b, pairs) && sameProperties(a, b, pairs);
  known.delete(b);
  return result;
}

function samePrototype(a: object, b: object): boolean {
  const plain = (prototype: object | null): object => prototype ?? Object.prototype;
  return plain(Object.getPrototypeOf(a)) === plain(Object.getPrototypeOf(b));
}

/** Compares what an object holds outside of its properties. Assumes equal prototypes. */
function sameContent(a: object, b: object, pairs: Pairs): boolean {
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime());
  if (isText(a) && isText(b)) return String(a) === String(b);
  if (a instanceof Error && b instanceof Error) {
    return a.name === b.name && a.message === b.message && same(a.cause, b.cause, pairs);
  }
  if (a instanceof Map && b instanceof Map) return sameMaps(a, b, pairs);
  if (a instanceof Set && b instanceof Set) return sameSets(a, b, pairs);
  if (isBuffer(a) && isBuffer(b)) return sameElements(new Uint8Array(a), new Uint8Array(b));
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) return sameElements(elements(a), elements(b));
  if (a instanceof WeakRef && b instanceof WeakRef) return same(a.deref(), b.deref(), pairs);
  if (a instanceof WeakMap || a instanceof WeakSet) {
    throw new TypeError(`Cannot compare two values of type ${a.constructor.name}`);
  }
  return true;
}

function sameProperties(a: object, b: object, pairs: Pairs): boolean {
  if (ArrayBuffer.isView(a)) return true; // Its properties are its elements.
  if (Array.isArray(a) && Array.isArray(b) && a.length !== b.length) return false;
  const keys = enumerableKeys(a);
  if (keys.length !== enumerableKeys(b).length) return false;
  return keys.every((key) =>
    Object.prototype.propertyIsEnumerable.call(b, key) &&
    same(Reflect.get(a, key), Reflect.get(b, key), pairs)
  );
}

function enumerableKeys(value: object): PropertyKey[] {
  return Reflect.ownKeys(value).filter((key) =>
    Object.prototype.propertyIsEnumerable.call(value, key)
  );
}

function isText(value: object): boolean {
  return value instanceof RegExp || value instanceof URL || value instanceof URLSearchParams;
}

function isBuffer(value: object): value is ArrayBufferLike {
  return value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
}

type Elements = ArrayLike<number | bigint>;

function elements(view: ArrayBufferView): Elements {
  if (!(view instanceof DataView)) return view as unknown as Elements;
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function sameElements(a: Elements, b: Elements): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) {
    if (a[index] !== b[index] && !Object.is(a[index], b[index])) return false;
  }
  return true;
}

function sameSets(a: Set<unknown>, b: Set<unknown>, pairs: Pairs): boolean {
  if (a.size !== b.size) return false;
  return sameMembers([...a.difference(b)], [...b.difference(a)], pairs);
}

function sameMaps(a: Map<unknown, unknown>, b: Map<unknown, unknown>, pairs: Pairs): boolean {
  if (a.size !== b.size) return false;
  // Keys found by identity need no search, so that large maps stay linear.
  const shared = [...a.keys()].filter((key) => b.has(key));
  if (!shared.every((key) => same(a.get(key), b.get(key), pairs))) return false;
  return sameMembers(
    [...a].filter(([key]) => !b.has(key)),
    [...b].filter(([key]) => !a.has(key)),
    pairs,
  );
}

/** Compares two lists in any order: each member of one must have a match of its own. */
function sameMembers(a: unknown[], b: unknown[], pairs: Pairs): boolean {
  const left = [...b];
  for (const member of a) {
    const found = left.findIndex((other) => same(member, other, pairs));
    if (found === -1) return false;
    left.splice(found, 1);
  }
  return left.length === 0;
}

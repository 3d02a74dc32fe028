/**
 * Message layouts: plain TypeScript to bytes at fixed places, with typed access and no allocation.
 *
 * A schema lays its fields out as C does (natural alignment, little-endian), so its offsets and
 * size equal those of a Zig or C `extern struct` with the same fields in the same order.
 *
 * @module
 */

import {
  describeValue,
  type FieldKind,
  Flyweight,
  PRIMITIVE_BYTES,
  type PrimitiveType,
} from "./flyweight.ts";

export type { PrimitiveType };

/**
 * What a field may be: one value, a fixed array such as `"i64[12]"`, or text such as `"char[8]"`.
 */
export type FieldType = PrimitiveType | `${PrimitiveType}[${number}]` | `char[${number}]`;

/** Field names and their types, in the order in which they lie in memory. */
export type FieldMap = { readonly [name: string]: FieldType };

/** What a value, or an element of an array, is in JavaScript. */
export type ElementValue<Type> = Type extends "bool" | `bool[${number}]` ? boolean : number;
/** Whether a field type is an array, so that access to it takes an index. */
export type IsArray<Type> = Type extends `${PrimitiveType}[${number}]` ? true : false;

/**
 * Reads and writes the fields of one message in place.
 *
 * A single value or text is a property (`trade.price`). An array `prices` is read with
 * `delta.prices(index)` and written with `delta.setPrices(index, value)`.
 */
export type Accessor<Fields extends FieldMap> =
  & AccessorBase
  & {
    -readonly [Name in keyof Fields as IsArray<Fields[Name]> extends true ? never : Name]:
      Fields[Name] extends `char[${number}]` ? string : ElementValue<Fields[Name]>;
  }
  & {
    readonly [Name in keyof Fields as IsArray<Fields[Name]> extends true ? Name : never]: (
      index: number,
    ) => ElementValue<Fields[Name]>;
  }
  & {
    readonly [
      Name in keyof Fields as IsArray<Fields[Name]> extends true ? `set${Capitalize<string & Name>}`
        : never
    ]: (index: number, value: ElementValue<Fields[Name]>) => void;
  };

/** What every accessor can do, whatever its fields. */
export interface AccessorBase {
  /**
   * Points the accessor at one message. Nothing is copied or allocated: the accessor follows the
   * bytes, and stays on them until the next `wrap`.
   *
   * @param view Bytes that hold the message.
   * @param offset Where the message starts, in bytes from the start of `view`.
   * @param length Bytes of the message, when known; more than the schema needs is allowed.
   * @throws {RangeError} If fewer bytes are there than the schema needs. The accessor stays put.
   */
  wrap(view: DataView, offset: number, length?: number): this;
}

/** One field of a schema and where it lies. */
export interface SchemaField {
  /** The field's name. */
  readonly name: string;
  /** The type as it was given, such as `"i64"` or `"i64[12]"`. */
  readonly type: FieldType;
  /** Bytes from the start of the message. */
  readonly offset: number;
  /** Bytes of the whole field. */
  readonly sizeBytes: number;
  /** Elements of an array, characters of a text, 1 for a single value. */
  readonly count: number;
}

/** A message layout, made by {@linkcode defineSchema}. */
export interface Schema<Fields extends FieldMap = FieldMap> {
  /** The message's name. */
  readonly name: string;
  /** Bytes of one message, padding included. */
  readonly sizeBytes: number;
  /** Largest alignment of any field, in bytes. */
  readonly alignment: number;
  /** Fields in the order of their offsets. */
  readonly fields: readonly SchemaField[];
  /** The whole layout on one line, such as `trade{price:i64@0,side:u8@8}#16`. */
  readonly text: string;
  /**
   * CRC-32C of {@linkcode Schema.text}: two layouts with different hashes are different.
   *
   * It tells layouts apart and protects no message. CRC-32C, because unlike FNV-1a it tells apart
   * for certain two texts of one length that differ within four neighbouring characters, such as
   * one type or offset, and because records use it already.
   */
  readonly hash: number;
  /** Makes an accessor. Make one per place that reads or writes, and keep it: `wrap` is free. */
  accessor(): Accessor<Fields>;
}

/** What {@linkcode defineSchema} can be asked for. */
export interface SchemaOptions {
  /** Exact size of a message in bytes; the layout is padded to it at the end. */
  readonly sizeBytes?: number;
}

/** Largest message layout. Arbitrary: far above any message, and offsets stay small integers. */
const SCHEMA_BYTES_MAX = 16 * 1024 * 1024;

const FIELD_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const ARRAY_TYPE = /^([a-z0-9]+)\[([1-9][0-9]*)\]$/;

/** `then` would make an accessor look like a promise; the others belong to every accessor. */
const RESERVED_NAMES: ReadonlySet<string> = new Set([
  "then",
  "wrap",
  ...Object.getOwnPropertyNames(Object.prototype),
]);

/**
 * Defines a message layout and its typed accessor.
 *
 * Types: `u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 bool`, fixed arrays of them (`"i64[12]"`) and
 * `"char[8]"`: ASCII text of up to 8 characters, padded with zeros. `u64` and `i64` are JavaScript
 * numbers, exact within ±(2^53 - 1); a value beyond is refused when written and when read, never
 * rounded. An `f32` is rounded to single precision when written. Pass the fields as a literal: the
 * accessor's properties and their types come from it.
 *
 * It does not version messages: a changed field is another schema with another hash. Unwritten
 * bytes, padding included, keep what they held before; clear the memory first where that matters.
 *
 * Thread: any. Cost: defining builds one class, so do it once per layout, at module level. Reading
 * or writing a field takes a few nanoseconds and allocates nothing, but for a text, which is
 * decoded.
 *
 * @param name Name of the message, for errors and for {@linkcode Schema.text}: letters, digits,
 * `_`.
 * @param fields Field names and types in memory order.
 * @throws {TypeError} If a name or a type is not one that a schema can have.
 * @throws {RangeError} If the fields do not fit `options.sizeBytes`, or that breaks the alignment.
 * @example A message of 16 bytes
 * ```ts
 * import { defineSchema } from "message_transport";
 * import { assertEquals } from "@std/assert";
 *
 * const Order = defineSchema("order", { price: "i64", quantity: "u32", side: "u8" });
 * assertEquals(Order.text, "order{price:i64@0,quantity:u32@8,side:u8@12}#16");
 *
 * const bytes = new DataView(new ArrayBuffer(Order.sizeBytes));
 * const order = Order.accessor().wrap(bytes, 0);
 * order.price = 6_168_599_000_000;
 * order.side = 1;
 * assertEquals(order.price + order.side, 6_168_599_000_001);
 * ```
 */
export function defineSchema<const Fields extends FieldMap>(
  name: string,
  fields: Fields,
  options: SchemaOptions = {},
): Schema<Fields> {
  if (typeof name !== "string" || !FIELD_NAME.test(name)) {
    throw new TypeError(
      `Cannot define a schema as it needs a name of letters, digits and _: found ${
        describeValue(name)
      }`,
    );
  }
  if (typeof fields !== "object" || fields === null || Object.keys(fields).length === 0) {
    throw new TypeError(`Cannot define "${name}" as a schema: found no fields`);
  }
  const members = new Set<string>();
  const placed: SchemaField[] = [];
  const shape = class extends Flyweight {};
  let end = 0;
  let alignment = 1;
  for (const [fieldName, type] of Object.entries(fields)) {
    const { element, count, isArray } = parseType(name, fieldName, type);
    claimNames(members, name, fieldName, isArray);
    const elementBytes = PRIMITIVE_BYTES[element];
    const offset = alignUp(end, elementBytes);
    const sizeBytes = elementBytes * count;
    alignment = Math.max(alignment, elementBytes);
    end = offset + sizeBytes;
    placed.push(Object.freeze({ name: fieldName, type, offset, sizeBytes, count }));
    const label = `${name}.${fieldName}`;
    Flyweight.install(shape.prototype, { name: fieldName, label, element, isArray, offset, count });
  }
  const sizeBytes = finalSize(name, alignUp(end, alignment), alignment, options.sizeBytes);
  const text = `${name}{${placed.map(fieldText).join(",")}}#${sizeBytes}`;
  return Object.freeze({
    name,
    sizeBytes,
    alignment,
    fields: Object.freeze(placed),
    text,
    hash: crc32cOfAscii(text),
    // The class got exactly the members that `Accessor` derives from the same field map.
    accessor: () => new shape(name, sizeBytes) as unknown as Accessor<Fields>,
  });
}

/**
 * Says in words where two layouts first differ, for the error about a mismatch.
 *
 * @param expectedText The {@linkcode Schema.text} that the caller has.
 * @param actualText The one that was found, such as in a file; it may be anything.
 * @returns Such as `field "price": expected i64 at offset 0, found f64 at offset 0`.
 */
export function describeSchemaDifference(expectedText: string, actualText: string): string {
  if (expectedText === actualText) return "no difference";
  const expected = parseText(expectedText);
  const actual = parseText(actualText);
  if (expected === undefined || actual === undefined) {
    return `expected ${describeValue(expectedText)}, found ${describeValue(actualText)}`;
  }
  if (expected.name !== actual.name) {
    return `name: expected "${expected.name}", found "${actual.name}"`;
  }
  const count = Math.max(expected.fields.length, actual.fields.length);
  for (let index = 0; index < count; index++) {
    const [left, right] = [expected.fields[index], actual.fields[index]];
    if (left?.text === right?.text) continue;
    if (left === undefined) return `field ${index + 1}: expected none, found ${right!.words}`;
    if (right === undefined) return `field ${index + 1}: expected ${left.words}, found none`;
    if (left.name !== right.name) {
      return `field ${index + 1}: expected ${left.words}, found ${right.words}`;
    }
    return `field "${left.name}": expected ${left.place}, found ${right.place}`;
  }
  return `size: expected ${expected.size} bytes, found ${actual.size} bytes`;
}

interface ParsedType {
  readonly element: FieldKind;
  readonly count: number;
  readonly isArray: boolean;
}

function parseType(schema: string, field: string, type: unknown): ParsedType {
  const match = typeof type === "string" ? ARRAY_TYPE.exec(type) : null;
  const element = match === null ? type : match[1]!;
  const count = match === null ? 1 : Number(match[2]);
  const isText = element === "char" && match !== null;
  if (typeof element !== "string" || !Object.hasOwn(PRIMITIVE_BYTES, element)) {
    throw unknownType(schema, field, type);
  }
  if (element === "char" && !isText) throw unknownType(schema, field, type);
  if (count > SCHEMA_BYTES_MAX) throw tooLarge(schema, count);
  return { element: element as FieldKind, count, isArray: match !== null && !isText };
}

function claimNames(members: Set<string>, schema: string, field: string, isArray: boolean): void {
  if (!FIELD_NAME.test(field)) {
    throw new TypeError(
      `Cannot name a field of "${schema}" as letters, digits and _ only: found ${
        describeValue(field)
      }`,
    );
  }
  const names = isArray ? [field, `set${field[0]!.toUpperCase()}${field.slice(1)}`] : [field];
  for (const member of names) {
    if (RESERVED_NAMES.has(member)) {
      throw new TypeError(
        `Cannot define "${schema}.${field}" as a field: found the reserved name "${member}"`,
      );
    }
    if (members.has(member)) {
      throw new TypeError(
        `Cannot define "${schema}.${field}" as a field: found "${member}" defined twice ` +
          `(an array "x" also defines "setX")`,
      );
    }
    members.add(member);
  }
}

function finalSize(name: string, size: number, alignment: number, wanted?: number): number {
  if (size > SCHEMA_BYTES_MAX) throw tooLarge(name, size);
  if (wanted === undefined) return size;
  if (!Number.isInteger(wanted) || wanted < size || wanted > SCHEMA_BYTES_MAX) {
    throw new RangeError(
      `Cannot define "${name}" as ${wanted} bytes: found fields that need ${size} bytes, ` +
        `and ${SCHEMA_BYTES_MAX} is the most`,
    );
  }
  if (wanted % alignment !== 0) {
    throw new RangeError(
      `Cannot define "${name}" as ${wanted} bytes: found a field aligned to ${alignment}, ` +
        `so the size must be a multiple of it`,
    );
  }
  return wanted;
}

function unknownType(schema: string, field: string, type: unknown): TypeError {
  const primitives = Object.keys(PRIMITIVE_BYTES).filter((name) => name !== "char");
  return new TypeError(
    `Cannot define "${schema}.${field}" as ${describeValue(type)}: found no such type; use ` +
      `${primitives.join(", ")}, an array such as "i64[12]", or text such as "char[8]"`,
  );
}

function tooLarge(schema: string, size: number): RangeError {
  return new RangeError(
    `Cannot define "${schema}" as at most ${SCHEMA_BYTES_MAX} bytes: found ${size} or more`,
  );
}

function alignUp(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}

function fieldText(field: SchemaField): string {
  return `${field.name}:${field.type}@${field.offset}`;
}

interface ParsedText {
  readonly name: string;
  readonly size: string;
  readonly fields: readonly { text: string; name: string; place: string; words: string }[];
}

function parseText(text: string): ParsedText | undefined {
  const whole = /^(\w+)\{(.+)\}#(\d+)$/.exec(text);
  if (whole === null) return undefined;
  const fields = [];
  for (const field of whole[2]!.split(",")) {
    const parts = /^(\w+):([a-z0-9[\]]+)@(\d+)$/.exec(field);
    if (parts === null) return undefined;
    const place = `${parts[2]} at offset ${parts[3]}`;
    fields.push({ text: field, name: parts[1]!, place, words: `"${parts[1]}" (${place})` });
  }
  return { name: whole[1]!, size: whole[3]!, fields };
}

/** Bit by bit: a schema's text is short, and it is hashed once. Assumes ASCII, as all names are. */
function crc32cOfAscii(text: string): number {
  let crc = 0xffffffff;
  for (let index = 0; index < text.length; index++) {
    crc ^= text.charCodeAt(index);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

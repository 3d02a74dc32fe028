/**
 * Messages as JSON objects and back: a schema's fields by their names, to the same bytes again.
 *
 * @module
 */

import { type AccessorBase, defineSchema, type Schema } from "../../channel/schema.ts";

/** Longest text of a layout. Arbitrary: eight times what a ring's header has room for. */
const TEXT_CHARACTERS_MAX = 16 * 1024;

type Value = number | boolean | string;

/** An accessor by the names that its schema gave it. */
type Members = Record<string, unknown> & Pick<AccessorBase, "wrap">;

type Setters = Record<string, (index: number, value: Value) => void>;

interface Field {
  readonly name: string;
  /** Elements of an array; 0 for a single value or a text. */
  readonly count: number;
  /** Name of the method that sets an element. */
  readonly setter: string;
}

/**
 * Writes the messages of one schema as JSON, and reads them.
 *
 * Fields named `reserved…` are left out, and so are zeros at the end of an array: both come back as
 * zeros. Thread: any. Cost: a few hundred nanoseconds for a message of 64 bytes.
 */
export class JsonLayout {
  /** The schema's name and hash, such as `trade:5f3a9c10`: what tells two layouts apart. */
  readonly id: string;
  /** {@linkcode Schema.text}. */
  readonly text: string;
  readonly #sizeBytes: number;
  readonly #fields: readonly Field[];
  readonly #source: Members;
  readonly #target: Members;
  /** Made at the first use: a layout that a file names may never be needed. */
  #bytes: Uint8Array<ArrayBuffer> | undefined;

  /** Works for the messages of that schema. */
  constructor(schema: Omit<Schema, "accessor"> & { accessor(): AccessorBase }) {
    const { name, hash, text, sizeBytes, fields } = schema;
    this.id = `${name}:${hash.toString(16).padStart(8, "0")}`;
    this.text = text;
    this.#sizeBytes = sizeBytes;
    this.#fields = fields.filter(({ name }) => !name.startsWith("reserved")).map((field) => ({
      name: field.name,
      count: field.type.endsWith("]") && !field.type.startsWith("char") ? field.count : 0,
      setter: `set${field.name[0]!.toUpperCase()}${field.name.slice(1)}`,
    }));
    // By name: which fields there are is known to the schema alone.
    this.#source = schema.accessor() as unknown as Members;
    this.#target = schema.accessor() as unknown as Members;
  }

  /** The target's bytes, all zero. */
  #cleared(): Uint8Array<ArrayBuffer> {
    if (this.#bytes !== undefined) return this.#bytes.fill(0);
    const bytes = this.#bytes = new Uint8Array(this.#sizeBytes);
    this.#target.wrap(new DataView(bytes.buffer), 0);
    return bytes;
  }

  /**
   * Returns a message's fields as a JSON object.
   *
   * @param length Bytes of the message.
   * @returns undefined if that would not give the very same bytes back: another length, padding
   * that is not zero, an integer beyond 2^53, a number that JSON does not have.
   */
  encode(view: DataView, offset: number, length: number): string | undefined {
    if (length !== this.#sizeBytes) return undefined;
    const copy = this.#cleared();
    let text = "";
    try {
      this.#source.wrap(view, offset, length);
      for (const field of this.#fields) {
        const value = field.count > 0 ? this.#copyArray(field) : this.#copyValue(field.name);
        if (value === undefined) return undefined;
        text += `${text === "" ? "{" : ","}"${field.name}":${value}`;
      }
    } catch (error) {
      if (error instanceof RangeError) return undefined; // A value that is none of its type.
      throw error;
    }
    return isSame(copy, view, offset) ? `${text === "" ? "{" : text}}` : undefined;
  }

  #copyValue(name: string): string | undefined {
    const value = this.#source[name] as Value;
    if (!isExact(value)) return undefined;
    this.#target[name] = value;
    return typeof value === "string" ? JSON.stringify(value) : `${value}`;
  }

  #copyArray({ name, count, setter }: Field): string | undefined {
    // Called on their accessors: they are methods.
    const source = this.#source as unknown as Record<string, (index: number) => Value>;
    const target = this.#target as unknown as Setters;
    const values: Value[] = [];
    let used = 0;
    for (let index = 0; index < count; index++) {
      const value = source[name]!(index);
      if (!isExact(value)) return undefined;
      target[setter]!(index, value);
      values.push(value);
      if (value !== 0 && value !== false) used = index + 1;
    }
    return `[${values.slice(0, used).join()}]`;
  }

  /**
   * Returns the message that has these fields.
   *
   * @param fields What `JSON.parse` made of an object of {@linkcode JsonLayout.encode}; it may be
   * anything.
   * @returns undefined if they are not the fields of such a message.
   */
  decode(fields: unknown): Uint8Array<ArrayBuffer> | undefined {
    if (typeof fields !== "object" || fields === null) return undefined;
    if (Object.keys(fields).length !== this.#fields.length) return undefined;
    const bytes = this.#cleared();
    try {
      for (const { name, count, setter } of this.#fields) {
        const value = (fields as Record<string, unknown>)[name];
        if (count === 0) this.#target[name] = value;
        else if (!this.#setArray(setter, count, value)) return undefined;
      }
    } catch (error) {
      if (error instanceof RangeError || error instanceof TypeError) return undefined;
      throw error;
    }
    return bytes.slice();
  }

  #setArray(setter: string, count: number, values: unknown): boolean {
    if (!Array.isArray(values) || values.length > count) return false;
    const target = this.#target as unknown as Setters;
    values.forEach((value, index) => target[setter]!(index, value));
    return true;
  }
}

function isSame(bytes: Uint8Array, view: DataView, offset: number): boolean {
  for (let index = 0; index < bytes.length; index++) {
    if (view.getUint8(offset + index) !== bytes[index]) return false;
  }
  return true;
}

/** Whether JSON gives the very same value back. */
function isExact(value: Value): boolean {
  return typeof value !== "number" || Number.isFinite(value) && !Object.is(value, -0);
}

/**
 * Returns the layout that a text describes.
 *
 * @param text A {@linkcode Schema.text}; it may be anything.
 * @returns undefined if it describes none.
 */
export function jsonLayoutOf(text: string): JsonLayout | undefined {
  const whole = text.length <= TEXT_CHARACTERS_MAX && /^(\w+)\{(.+)\}#(\d+)$/.exec(text);
  if (!whole) return undefined;
  // Checked by `defineSchema`, all of them.
  const fields = Object.fromEntries(whole[2]!.split(",").map((field) => field.split(/[:@]/)));
  try {
    const schema = defineSchema(whole[1]!, fields, { sizeBytes: Number(whole[3]) });
    return schema.text === text ? new JsonLayout(schema) : undefined;
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return undefined;
    throw error;
  }
}

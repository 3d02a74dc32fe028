/**
 * Messages as fields with names: by the schema of their channel, by a layout that was named, or by
 * the number that the messages of this program begin with.
 *
 * @module
 */

import { type JsonLayout, jsonLayoutOf } from "../../lib/market/journal/json_layout.ts";
import { knownLayoutOf, knownLayouts } from "../../lib/market/journal/known_layouts.ts";
import { UsageError } from "../_command.ts";

/** What a field may be. */
export type FieldValue = number | boolean | string | (number | boolean)[];

/** A message with its fields. */
export interface Decoded {
  /** Name of its layout, such as `trade`. */
  layout: string;
  fields: Record<string, FieldValue>;
}

/** Finds the fields of a channel's messages. */
export class Decoder {
  /** Of all messages; undefined where each tells its own. */
  readonly #layout: JsonLayout | undefined;

  /**
   * @param schemaText Of the channel; empty without one.
   * @param layoutName A layout to be used instead.
   * @throws {UsageError} If there is no layout of that name.
   */
  constructor(schemaText: string, layoutName?: string) {
    this.#layout = layoutName === undefined ? jsonLayoutOf(schemaText) : layoutOf(layoutName);
  }

  /** Names of the fields that a message may have. */
  get fieldNames(): string[] {
    const layouts = this.#layout === undefined ? knownLayouts : [this.#layout];
    return [...new Set(layouts.flatMap(({ text }) => fieldNamesOf(text)))];
  }

  /** Returns a message's fields; undefined if it has no layout that is known, or another one. */
  decode(view: DataView, offset: number, length: number): Decoded | undefined {
    const layout = this.#layout ?? knownLayoutOf(view, offset, length);
    const text = layout?.encode(view, offset, length);
    return text === undefined ? undefined : { layout: nameOf(layout!), fields: JSON.parse(text) };
  }
}

/** Names of the layouts that messages may be read by. */
export function layoutNames(): string[] {
  return knownLayouts.map(nameOf);
}

function layoutOf(name: string): JsonLayout {
  const found = knownLayouts.find((layout) => nameOf(layout) === name);
  if (found !== undefined) return found;
  const names = layoutNames().join(", ");
  throw new UsageError(`Cannot read messages by layout "${name}": expected one of ${names}`);
}

function nameOf({ id }: JsonLayout): string {
  return id.slice(0, id.indexOf(":"));
}

/** Out of a schema's text, `name{field:type@offset,…}#size`. */
function fieldNamesOf(text: string): string[] {
  const fields = text.slice(text.indexOf("{") + 1, text.lastIndexOf("}")).split(",");
  return fields.map((field) => field.slice(0, field.search(/[:@]/)))
    .filter((name) => !name.startsWith("reserved"));
}

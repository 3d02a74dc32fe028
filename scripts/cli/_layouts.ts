/**
 * `mt layouts`: where each field of each message lies.
 *
 * @module
 */

import { EngineEvent, OrderRequest } from "../../lib/exchange/mod.ts";
import { BookTicker, OrderBookDelta, OrderBookSnapshot, Trade } from "../../lib/market/mod.ts";
import { UsageError } from "../_command.ts";
import { formatTable } from "../_table.ts";

/** A message's layout. */
export interface Layout {
  name: string;
  sizeBytes: number;
  alignment: number;
  /** What a ring's header holds of it, for a channel with this schema. */
  hash: number;
  fields: FieldLayout[];
}

/** Where one field lies. */
export interface FieldLayout {
  name: string;
  type: string;
  offset: number;
  sizeBytes: number;
  alignment: number;
}

const SCHEMAS = [Trade, BookTicker, OrderBookDelta, OrderBookSnapshot, OrderRequest, EngineEvent];

/**
 * Returns the layouts of the named messages, or of all.
 *
 * @throws {UsageError} If a name is none of a message.
 */
export function findLayouts(names: readonly string[]): Layout[] {
  const layouts = SCHEMAS.map(({ name, sizeBytes, alignment, hash, fields }) => ({
    name,
    sizeBytes,
    alignment,
    hash,
    fields: fields.map((field) => ({
      name: field.name,
      type: field.type,
      offset: field.offset,
      sizeBytes: field.sizeBytes,
      alignment: field.sizeBytes / field.count,
    })),
  }));
  const known = layouts.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`Cannot show the layout of "${unknown}": expected ${known.join(", ")}`);
  }
  return names.length === 0 ? layouts : layouts.filter(({ name }) => names.includes(name));
}

/** The layouts as tables. */
export function layoutsText(layouts: readonly Layout[]): string {
  return layouts.map(({ name, sizeBytes, alignment, hash, fields }) => {
    const rows = fields.map((field) => [
      field.name,
      `${field.offset}`,
      `${field.sizeBytes}`,
      `${field.alignment}`,
      field.type,
    ]);
    const title = `${name}: ${sizeBytes} bytes, aligned to ${alignment}, schema hash ` +
      `0x${hash.toString(16).padStart(8, "0")}`;
    return `${title}\n${formatTable(["Field", "Offset", "Size", "Alignment", "Type"], rows)}`;
  }).join("\n\n");
}

/**
 * The lines of `mt tail`: for people, or a JSON object each.
 *
 * @module
 */

import type { Message } from "../../mod.ts";
import { toHex } from "../../lib/native/log_files.ts";
import { formatCount } from "../_table.ts";
import { jsonText, paint, printable } from "../_output.ts";
import type { Decoded, FieldValue } from "../records/decoder.ts";
import type { Item } from "../records/channel_source.ts";

/** Bytes of a message without a layout that are shown to people. */
const SHOWN_BYTES = 48;

const decoder = new TextDecoder("latin1");

/** A message as a line. */
export function messageLine(
  message: Message,
  publishTimeUs: number,
  decoded: Decoded | undefined,
  isJson: boolean,
): string {
  const { sequence, flags, payload } = message;
  if (isJson) {
    return jsonText({
      sequence,
      ...(publishTimeUs === 0 ? {} : { publishTimeUs }),
      ...(flags === 0 ? {} : { flags }),
      ...(decoded ?? { bytes: payload.toBase64() }),
    });
  }
  const time = publishTimeUs === 0 ? [] : [paint("dim", timeText(publishTimeUs))];
  const content = decoded === undefined ? bytesText(payload) : fieldsText(decoded);
  return [paint("bold", `${sequence}`), ...time, content].join("  ");
}

/** What is told instead of a message, as a line. */
export function noteLine(item: Exclude<Item, { kind: "message" }>, isJson: boolean): string {
  if (isJson) {
    return jsonText(item.kind === "gap" ? { gap: item.gap } : { damage: item.what });
  }
  if (item.kind === "damage") return paint("red", `damage: ${printable(item.what)}`);
  const { from, to } = item.gap;
  const count = to - from + 1;
  return paint("yellow", `gap: ${formatCount(count)} missing, ${from} to ${to}`);
}

/** Local time of day would hide the date; UTC with microseconds sorts. */
function timeText(timeUs: number): string {
  const micros = `${timeUs % 1000}`.padStart(3, "0");
  return new Date(timeUs / 1000).toISOString().replace("Z", `${micros}Z`);
}

function fieldsText({ layout, fields }: Decoded): string {
  const texts = Object.entries(fields).map(([name, value]) => `${name}=${valueText(value)}`);
  return [paint("green", printable(layout)), ...texts.map(printable)].join(" ");
}

function valueText(value: FieldValue): string {
  if (Array.isArray(value)) return `[${value.join(",")}]`;
  return typeof value === "string" && !/^[\w.:-]+$/.test(value)
    ? JSON.stringify(value)
    : `${value}`;
}

/** The first bytes, in hexadecimal and as text. */
function bytesText(payload: Uint8Array): string {
  const shown = payload.subarray(0, SHOWN_BYTES);
  const hex = toHex(shown).match(/.{1,8}/g)?.join(" ") ?? "";
  const text = decoder.decode(shown).replace(/[^\x20-\x7e]/g, ".");
  const rest = payload.length > SHOWN_BYTES ? "…" : "";
  return `${payload.length} bytes  ${hex}${rest}  |${text}|`;
}

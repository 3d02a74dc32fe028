/**
 * Conditions on messages: `--where price>100`.
 *
 * @module
 */

import { UsageError } from "../_command.ts";
import type { Decoded, FieldValue } from "../records/decoder.ts";

/** Tells whether a message meets a condition. */
export type Condition = (decoded: Decoded) => boolean;

type Comparison = (value: FieldValue, wanted: string) => boolean;

const COMPARISONS: Record<string, Comparison> = {
  "=": isEqual,
  "!=": (value, wanted) => !isEqual(value, wanted),
  "~": (value, wanted) => `${value}`.includes(wanted),
  ">": (value, wanted) => Number(value) > Number(wanted),
  "<": (value, wanted) => Number(value) < Number(wanted),
  ">=": (value, wanted) => Number(value) >= Number(wanted),
  "<=": (value, wanted) => Number(value) <= Number(wanted),
};

/** Texts are equal letter by letter, numbers as numbers: `1` is `1.0`. */
function isEqual(value: FieldValue, wanted: string): boolean {
  if (typeof value === "number") return wanted.trim() !== "" && value === Number(wanted);
  return `${value}` === wanted;
}

/**
 * Reads a condition: a field, one of `= != ~ > < >= <=`, and a value. `~` means that the field's
 * text has the value in it. Of an array one element is enough. `layout` is the name of the
 * message's layout. A message without that field does not meet the condition.
 *
 * @param fieldNames Names of the fields that there are.
 * @throws {UsageError} If it is none, or there is no such field.
 */
export function parseCondition(text: string, fieldNames: readonly string[]): Condition {
  const [, name = "", sign = "", wanted = ""] = /^(\w+)(!=|>=|<=|[=~><])(.*)$/s.exec(text) ?? [];
  const compare = COMPARISONS[sign];
  if (compare === undefined) {
    throw new UsageError(
      `Cannot select messages where "${text}": expected a field, one of = != ~ > < >= <=, ` +
        `and a value, such as 'price>100'`,
    );
  }
  if (name !== "layout" && !fieldNames.includes(name)) {
    throw new UsageError(
      `Cannot select messages where "${text}": found no field "${name}", but ` +
        `layout, ${fieldNames.join(", ")}`,
    );
  }
  if (/^[<>]/.test(sign) && (wanted.trim() === "" || Number.isNaN(Number(wanted)))) {
    throw new UsageError(
      `Cannot select messages where "${text}": expected a number behind "${sign}"`,
    );
  }
  return ({ layout, fields }) => {
    const value = name === "layout" ? layout : fields[name];
    if (value === undefined) return false;
    return Array.isArray(value)
      ? value.some((element) => compare(element, wanted))
      : compare(value, wanted);
  };
}

/**
 * Settings of a service: from flags, from a TOML file, or by default, in this order.
 *
 * A setting has one name in three spellings: `bufferSize` in the code, `buffer_size` in a file,
 * `--buffer-size` on the command line. What is wrong is refused with what would be right.
 *
 * @module
 */

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { parse as parseToml } from "smol-toml";
import { parseSize } from "../../lib/channel/channel_options.ts";
import { ScriptError, UsageError } from "../_command.ts";

/** One setting: what it may be, and what it is where nobody says. */
export interface Setting<T> {
  /** For `--help`. */
  readonly help: string;
  /** What its value looks like, for `--help`; "" for a switch, which takes none. */
  readonly placeholder: string;
  /** Its value by default; `undefined` where it is optional. */
  readonly byDefault: T;
  /** Returns the value; undefined if it is none. Flags are text, values of a file may be more. */
  read(value: unknown): T | undefined;
  /** What would be right, for the error. */
  readonly expected: string;
}

/** The settings of a service by their names. */
export type Settings = { readonly [name: string]: Setting<unknown> };

/** What the settings are. */
export type Values<S extends Settings> = {
  readonly [Name in keyof S]: S[Name] extends Setting<infer T> ? T : never;
};

/** Text. */
export function text<T extends string | undefined>(byDefault: T, help: string) {
  const read = (value: unknown) => typeof value === "string" && value !== "" ? value : undefined;
  return setting<string | T>({ help, placeholder: "<text>", byDefault, read, expected: "text" });
}

/** One of some words. */
export function choice<const W extends string>(words: readonly W[], byDefault: W, help: string) {
  const read = (value: unknown) => words.find((word) => word === value);
  const expected = words.map((word) => `"${word}"`).join(" or ");
  return setting<W>({ help, placeholder: `<${words.join("|")}>`, byDefault, read, expected });
}

/** A path, none by default; relative ones are below the working directory. */
export function path(help: string) {
  const read = (value: unknown) =>
    typeof value === "string" && value !== "" ? resolve(value) : undefined;
  return setting<string | undefined>({
    help,
    placeholder: "<path>",
    byDefault: undefined,
    read,
    expected: "a path",
  });
}

/** A whole number. */
export function integer<T extends number | undefined>(
  range: { min: number; max: number; byDefault: T },
  help: string,
) {
  const { min, max, byDefault } = range;
  const read = (value: unknown) => {
    const isDigits = typeof value === "string" && /^\d{1,16}$/.test(value);
    const found = isDigits ? Number(value) : value;
    if (typeof found !== "number" || !Number.isSafeInteger(found)) return undefined;
    return found >= min && found <= max ? found : undefined;
  };
  const expected = `a whole number from ${min} to ${max}`;
  return setting<number | T>({ help, placeholder: "<n>", byDefault, read, expected });
}

/** Bytes, also as text such as `64MB`. */
export function bytes<T extends number | undefined>(byDefault: T, help: string) {
  const read = (value: unknown) => {
    if (typeof value !== "string" && typeof value !== "number") return undefined;
    try {
      const size = parseSize(value);
      return Number.isSafeInteger(size) && size > 0 ? size : undefined;
    } catch {
      return undefined;
    }
  };
  const expected = 'bytes, or text such as "64MB"';
  return setting<number | T>({ help, placeholder: "<size>", byDefault, read, expected });
}

/** Yes or no; no by default. */
export function flag(help: string) {
  const read = (value: unknown) => typeof value === "boolean" ? value : undefined;
  return setting<boolean>({
    help,
    placeholder: "",
    byDefault: false,
    read,
    expected: "true or false",
  });
}

/** Texts: an array in a file, separated by commas on the command line. */
export function list(byDefault: readonly string[], help: string) {
  const read = (value: unknown) => {
    const items = typeof value === "string" ? value.split(",") : value;
    if (!Array.isArray(items)) return undefined;
    const isText = items.every((item) => typeof item === "string" && item.trim() !== "");
    return isText ? items.map((item: string) => item.trim()) : undefined;
  };
  const expected = "one or more texts";
  return setting<readonly string[]>({ help, placeholder: "<a,b,…>", byDefault, read, expected });
}

function setting<T>(parts: Setting<T>): Setting<T> {
  return parts;
}

/** Returns a setting's name as a file has it. */
export function toKey(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The name of its flag, without the dashes. */
export function toFlag(name: string): string {
  return toKey(name).replaceAll("_", "-");
}

/**
 * Returns a path without which a service cannot begin.
 *
 * @throws {UsageError} If it is not set.
 */
export function needed<Name extends string>(
  values: { readonly [_ in Name]: string | undefined },
  name: Name,
): string {
  const path = values[name];
  if (path !== undefined) return path;
  throw new UsageError(`Cannot begin without ${toKey(name)}: expected a path`);
}

/**
 * Reads the settings of a service.
 *
 * A file has settings at its top, for every service that has them, and below that a table for each
 * service, such as `[gateway]`, which wins.
 *
 * @param service Name of the service, which is that of its table, and settings that other services
 * have: at the file's top they are no mistake.
 * @param args Flags; `--config <file>` names the file.
 * @throws {UsageError} If a flag, a key or a value is wrong.
 * @throws {ScriptError} If the file cannot be read.
 */
export function readSettings<S extends Settings>(
  service: { name: string; shared?: Settings },
  settings: S,
  args: string[],
): Values<S> {
  const { config, ...flags } = readFlags(settings, args);
  const found = new Map<string, unknown>();
  if (config !== undefined) readFile(service, settings, config as string, found);
  for (const [name, { read, expected }] of Object.entries(settings)) {
    const given = flags[toFlag(name)];
    if (given === undefined) continue;
    const value = read(given);
    if (value === undefined) {
      throw new UsageError(`Cannot use --${toFlag(name)} "${given}": expected ${expected}`);
    }
    found.set(name, value);
  }
  return Object.fromEntries(
    Object.entries(settings).map(([name, { byDefault }]) => [name, found.get(name) ?? byDefault]),
  ) as Values<S>;
}

function readFlags(settings: Settings, args: string[]): Record<string, unknown> {
  const entries = Object.entries(settings).map(([name, { placeholder }]) =>
    [toFlag(name), { type: placeholder === "" ? "boolean" : "string" }] as const
  );
  const options = { config: { type: "string" as const }, ...Object.fromEntries(entries) };
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    if (!(error instanceof TypeError) || !("code" in error)) throw error;
    if (error.code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION") throw error;
    const right = Object.keys(options).map((name) => `--${name}`).join(", ");
    throw new UsageError(`${error.message.split(".")[0]}: expected one of ${right}`);
  }
}

function readFile(
  { name: service, shared = {} }: { name: string; shared?: Settings },
  settings: Settings,
  file: string,
  found: Map<string, unknown>,
): void {
  const top = readToml(file);
  const tables = Object.entries(top).filter(([, value]) => isTable(value));
  const own = tables.find(([key]) => key === service)?.[1] as Record<string, unknown> ?? {};
  // Those of other services are theirs to check.
  const names = new Map(Object.keys(settings).map((name) => [toKey(name), name]));
  const others = new Set(Object.keys(shared).map(toKey).filter((key) => !names.has(key)));
  const keys = Object.entries(top).filter(([key, value]) => !isTable(value) && !others.has(key));
  for (const [key, value] of [...keys, ...Object.entries(own)]) {
    const name = names.get(key);
    if (name === undefined) {
      const right = [...names.keys()].join(", ");
      throw new UsageError(`Cannot use "${key}" in "${file}": expected one of ${right}`);
    }
    const read = settings[name]!.read(value);
    if (read === undefined) {
      throw new UsageError(
        `Cannot use ${JSON.stringify(value)} as "${key}" in "${file}": expected ${
          settings[name]!.expected
        }`,
      );
    }
    found.set(name, read);
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}

/** Bytes of a file of settings at most. Arbitrary: a thousand times a long one. */
const FILE_BYTES_MAX = 1024 * 1024;

function readToml(file: string): Record<string, unknown> {
  let source: string;
  try {
    const { size, isFile } = Deno.statSync(file);
    if (!isFile || size > FILE_BYTES_MAX) {
      throw new ScriptError(
        `Cannot read "${file}" as settings: expected a file of at most ${FILE_BYTES_MAX} bytes`,
      );
    }
    source = Deno.readTextFileSync(file);
  } catch (error) {
    if (error instanceof ScriptError || !(error instanceof Error)) throw error;
    throw new ScriptError(`Cannot read "${file}" as settings: ${error.message}`);
  }
  try {
    return parseToml(source);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new UsageError(`Cannot read "${file}" as settings: ${error.message.trim()}`);
  }
}

/** Describes the settings, for `--help`. */
export function settingsHelp(settings: Settings): string {
  const rows = Object.entries(settings).map(([name, { help, placeholder, byDefault }]) => {
    const shown = Array.isArray(byDefault) ? byDefault.join() : byDefault;
    const isTold = shown !== undefined && shown !== false && shown !== "";
    return [
      `  --${toFlag(name)} ${placeholder}`.trimEnd(),
      help + (isTold ? ` (default ${shown})` : ""),
    ] as const;
  });
  rows.unshift(["  --config <file>", "TOML file: keys as the flags, with _ for -"]);
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)}  ${right}`).join("\n");
}

/**
 * What the scripts write to the standard output: whole, in colour only where a person looks, and
 * without an error when whoever read it has gone.
 *
 * @module
 */

const encoder = new TextEncoder();

/** Ways to set words apart, as numbers of SGR (ECMA-48). */
const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;

/** A way to set words apart. */
export type Style = keyof typeof STYLES;

/** Whether colours are wanted: on a terminal, unless `NO_COLOR` says otherwise. */
export const HAS_COLOUR: boolean = Deno.stdout.isTerminal() && !Deno.noColor;

/** Sets a text apart where colours are wanted; returns it as it is elsewhere. */
export function paint(style: Style, text: string): string {
  return HAS_COLOUR && text !== "" ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
}

/** What {@linkcode paint} adds. */
// deno-lint-ignore no-control-regex -- escape sequences begin with a control character
const PAINT = /\x1b\[\d+m/g;

/** Characters that a text takes on a terminal. */
export function shownLength(text: string): number {
  return [...text.replaceAll(PAINT, "")].length;
}

/** Characters that make a terminal do something, or hide what stands there. */
// deno-lint-ignore no-control-regex -- these are what it is about
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text that came from a file or another process, fit to be shown: it cannot steer a terminal. */
export function printable(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A value as JSON, on one line: any name may stand in it, and none steers a terminal. */
export function jsonText(value: unknown): string {
  return printable(JSON.stringify(value)); // Such characters stand in texts only, as `\u009b`.
}

/**
 * Writes text to the standard output, all of it.
 *
 * @returns False if nobody reads any more, as in `| head`: there is no point in going on.
 */
export function write(text: string): boolean {
  const bytes = encoder.encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw error;
  }
}

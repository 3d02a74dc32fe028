/**
 * Steps over JSON in a byte array without building anything from it.
 *
 * Each function takes the index where its part starts and returns the index behind it, or -1 if the
 * bytes are not JSON. What is accepted is what `JSON.parse` accepts, but for nesting deeper than
 * {@linkcode JSON_DEPTH_MAX}. All assume a 0 byte behind the text, so that none needs its length.
 *
 * @module
 */

/** Deepest nesting. Arbitrary: exchange messages need 4, and recursion must end somewhere. */
const JSON_DEPTH_MAX = 64;

const SPACE = 0x20;
const POINT = 0x2e;
const BACKSLASH = 0x5c;
const LOWER_U = 0x75;
/** `"` */
export const QUOTE = 0x22;
/** `,` */
export const COMMA = 0x2c;
/** `-` */
export const MINUS = 0x2d;
/** `0` */
export const ZERO = 0x30;
/** `:` */
export const COLON = 0x3a;
/** `[` */
export const OPEN_BRACKET = 0x5b;
/** `]` */
export const CLOSE_BRACKET = 0x5d;
/** `{` */
export const OPEN_BRACE = 0x7b;
/** `}` */
export const CLOSE_BRACE = 0x7d;

const TRUE = new TextEncoder().encode("true");
const FALSE = new TextEncoder().encode("false");
const NULL = new TextEncoder().encode("null");

/** `"` `\` `/` `b` `f` `n` `r` `t`: what may follow a backslash, but for `u`. */
const ESCAPES: ReadonlySet<number> = new Set(new TextEncoder().encode('"\\/bfnrt'));

/** Steps over white space, if there is any. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  for (;;) {
    const byte = bytes[at]!;
    if (byte !== SPACE && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
    at++;
  }
}

/** Steps over a value of any type. */
export function skipValue(bytes: Uint8Array, at: number, depth = 0): number {
  switch (bytes[at]) {
    case QUOTE:
      return skipString(bytes, at);
    case OPEN_BRACE:
      return depth === JSON_DEPTH_MAX ? -1 : skipObject(bytes, at, depth + 1);
    case OPEN_BRACKET:
      return depth === JSON_DEPTH_MAX ? -1 : skipArray(bytes, at, depth + 1);
    case TRUE[0]:
      return skipWord(bytes, at, TRUE);
    case FALSE[0]:
      return skipWord(bytes, at, FALSE);
    case NULL[0]:
      return skipWord(bytes, at, NULL);
    default:
      return skipNumber(bytes, at);
  }
}

/** Steps over a string, from its opening quote. */
export function skipString(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== QUOTE) return -1;
  for (;;) {
    const byte = bytes[++at]!;
    if (byte === QUOTE) return at + 1;
    if (byte < SPACE) return -1;
    if (byte !== BACKSLASH) continue;
    const escape = bytes[++at]!;
    if (ESCAPES.has(escape)) continue;
    if (escape !== LOWER_U) return -1;
    for (let digit = 0; digit < 4; digit++) if (!isHexDigit(bytes[++at]!)) return -1;
  }
}

/** Steps over an object's key and the colon, to the value. */
export function skipKey(bytes: Uint8Array, at: number): number {
  at = skipString(bytes, at);
  if (at < 0) return -1;
  at = skipSpace(bytes, at);
  return bytes[at] === COLON ? skipSpace(bytes, at + 1) : -1;
}

/** Steps over white space and the byte, or returns -1; passes an earlier -1 on. */
export function skipToken(bytes: Uint8Array, at: number, byte: number): number {
  if (at < 0) return -1;
  if (bytes[at]! <= 0x20) at = skipSpace(bytes, at);
  return bytes[at] === byte ? at + 1 : -1;
}

/** Whether these bytes come next. */
export function startsWith(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let index = 0; index < text.length; index++) {
    if (bytes[at + index] !== text[index]) return false;
  }
  return true;
}

/** Whether these bytes and then a closing quote come next. */
export function isText(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  return startsWith(bytes, at, text) && bytes[at + text.length] === QUOTE;
}

/** Whether it is an ASCII letter. */
export function isLetter(byte: number): boolean {
  return ((byte | 0x20) - 0x61) >>> 0 < 26;
}

function skipObject(bytes: Uint8Array, at: number, depth: number): number {
  at = skipSpace(bytes, at + 1);
  if (bytes[at] === CLOSE_BRACE) return at + 1;
  for (;;) {
    at = skipKey(bytes, at);
    if (at >= 0) at = skipValue(bytes, at, depth);
    if (at < 0) return -1;
    at = skipSpace(bytes, at);
    if (bytes[at] === CLOSE_BRACE) return at + 1;
    if (bytes[at] !== COMMA) return -1;
    at = skipSpace(bytes, at + 1);
  }
}

function skipArray(bytes: Uint8Array, at: number, depth: number): number {
  at = skipSpace(bytes, at + 1);
  if (bytes[at] === CLOSE_BRACKET) return at + 1;
  for (;;) {
    at = skipValue(bytes, at, depth);
    if (at < 0) return -1;
    at = skipSpace(bytes, at);
    if (bytes[at] === CLOSE_BRACKET) return at + 1;
    if (bytes[at] !== COMMA) return -1;
    at = skipSpace(bytes, at + 1);
  }
}

function skipWord(bytes: Uint8Array, at: number, word: Uint8Array): number {
  for (let index = 0; index < word.length; index++) {
    if (bytes[at + index] !== word[index]) return -1;
  }
  return at + word.length;
}

function skipNumber(bytes: Uint8Array, at: number): number {
  if (bytes[at] === MINUS) at++;
  const afterWhole = bytes[at] === ZERO ? at + 1 : skipDigits(bytes, at);
  if (afterWhole < 0) return -1;
  at = afterWhole;
  if (bytes[at] === POINT) at = skipDigits(bytes, at + 1);
  if (at < 0) return -1;
  if ((bytes[at]! | 0x20) === 0x65) { // e or E
    at++;
    if (bytes[at] === MINUS || bytes[at] === 0x2b) at++;
    at = skipDigits(bytes, at);
  }
  return at;
}

/** Steps over one digit or more. */
function skipDigits(bytes: Uint8Array, at: number): number {
  const start = at;
  while ((bytes[at]! - ZERO) >>> 0 <= 9) at++;
  return at === start ? -1 : at;
}

function isHexDigit(byte: number): boolean {
  const letter = byte | 0x20;
  return (byte - ZERO) >>> 0 <= 9 || (letter >= 0x61 && letter <= 0x66);
}

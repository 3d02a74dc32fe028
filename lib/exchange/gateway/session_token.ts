/**
 * Session tokens: secrets by which a client comes back to its session.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** Bytes of a token: 256 bits, which nobody guesses. */
export const TOKEN_BYTES = 32;

/** Returns what is kept of a token: SHA-256, in hexadecimal. */
export function hashToken(token: Uint8Array): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Reads a token, 32 bytes in base64url. */
export function parseToken(token: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (typeof token !== "string" || !/^[A-Za-z0-9_-]{43}$/.test(token)) return undefined;
  const binary = atob(`${token.replaceAll("-", "+").replaceAll("_", "/")}=`);
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Writes a token. */
export function formatToken(token: Uint8Array): string {
  return btoa(String.fromCharCode(...token))
    .replaceAll("+", "-").replaceAll("/", "_").replace("=", "");
}

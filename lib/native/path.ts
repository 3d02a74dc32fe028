/**
 * The gate of paths: none reaches the native library that Deno's permissions do not cover.
 *
 * The library opens files by itself, whatever `--allow-read` and `--allow-write` say. So a native
 * function that takes a path takes a {@linkcode GrantedPath} (`library.ts` derives that from the
 * exports), and only this module makes one.
 *
 * As in Deno's own functions, `..` is folded by the path's text, and links on the way to the last
 * directory are followed. That directory and the file itself may not be links: the library refuses
 * them.
 *
 * @module
 */

import { readText } from "./failure.ts";
import { type GrantedPath, native } from "./library.ts";

/** A permission of Deno's for paths. */
export type Access = "read" | "write";

/** Returns the absolute path, without `.`, `..`, and slashes that say nothing. */
export function toAbsolute(path: string): string {
  if (path.includes("\0")) throw new RangeError("Cannot use a path with a zero character");
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${Deno.cwd()}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** Whether a path, which may come from a file, is as {@linkcode toAbsolute} returns it. */
export function isAbsolute(path: string): boolean {
  return path.startsWith("/") && !path.includes("\0") && path === toAbsolute(path);
}

/** Whether this process is permitted all these uses of a path. */
export function isPermitted(path: string, ...uses: Access[]): boolean {
  return uses.every((name) => Deno.permissions.querySync({ name, path }).state === "granted");
}

/**
 * Checks what this process is permitted to do with a path.
 *
 * @throws {Deno.errors.NotCapable} If one of the uses is missing; the text names the flag.
 */
export function checkPermitted(path: string, ...uses: Access[]): void {
  for (const name of uses) {
    if (isPermitted(path, name)) continue;
    throw new Deno.errors.NotCapable(
      `Requires ${name} access to "${path}", run again with the --allow-${name} flag`,
    );
  }
}

/**
 * Returns a path for the native side.
 *
 * @param path Absolute, as {@linkcode toAbsolute} returns it.
 * @param uses None for a function that tells no more than what a path lies on.
 * @throws {Deno.errors.NotCapable} If one of the uses is not permitted; the text names the flag.
 */
export function grantedPath(path: string, ...uses: Access[]): GrantedPath {
  if (!isAbsolute(path)) {
    throw new TypeError(`Cannot pass "${path}" on: expected an absolute path without "." and ".."`);
  }
  checkPermitted(path, ...uses);
  return new TextEncoder().encode(`${path}\0`) as GrantedPath;
}

/**
 * Returns the path of a file in shared memory, or of a directory of them, for the native side.
 *
 * The library's own directory needs no permission: Deno refuses what is under `/dev/shm` to
 * anything less than `--allow-all`, and the library opens nothing there but rings and counters of
 * this user.
 *
 * @throws {Deno.errors.NotCapable} If one of the uses is not permitted; the text names the flag.
 */
export function grantedSharedPath(path: string, ...uses: Access[]): GrantedPath {
  return grantedPath(path, ...(isOwnPath(path) ? [] : uses));
}

/** Checks what {@linkcode grantedSharedPath} does, before anything is made. */
export function checkSharedPath(path: string, ...uses: Access[]): void {
  if (!isOwnPath(path)) checkPermitted(path, ...uses);
}

const SHARED_FILE = /^[A-Za-z0-9_-][A-Za-z0-9._-]*\.(ring|counters)$/;

/** Whether a path is that of the default directory or of a file of ours in it. */
export function isOwnPath(path: string): boolean {
  const own = defaultDirectory();
  const isInside = path.startsWith(`${own}/`) && SHARED_FILE.test(path.slice(own.length + 1));
  return path === own || isInside;
}

/** Returns the default directory of ring files. */
export function defaultDirectory(): string {
  const bytes = new Uint8Array(4096);
  const size = native().mt_directory_default(bytes, bytes.length);
  if (size < 0) throw new RangeError("Cannot use XDG_RUNTIME_DIR: found a path that is too long");
  return toAbsolute(readText(bytes, 0, size));
}

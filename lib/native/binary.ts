/**
 * Finds the native library: named by `MT_LIB`, built in the checkout, or fetched and verified.
 *
 * A module that was imported by URL has no library beside it on this machine. Its release has: the
 * size and SHA-256 are in `_release.ts`, which came with the module, so what a server, a mirror or
 * a cache holds is that very file or is refused. {@linkcode installNativeLibrary} fetches it into a
 * cache directory; every later load reads it from there and verifies it again.
 *
 * Between the check and `dlopen` whoever may write to the cache directory could exchange the file:
 * one that others may write to is refused, and those made here are their user's alone. What
 * `MT_LIB` names and what a checkout has built is its user's choice, and is not verified.
 *
 * @module
 */

import { NativeLibraryError } from "../errors.ts";
import { LIBRARIES, VERSION } from "./_release.ts";

const FILE_NAME = "libmessage_transport.so";
const BUILD_ADVICE = `run "deno task build" in a checkout and name the file in MT_LIB`;

/** A native library as it was released. */
export type ReleasedLibrary = typeof LIBRARIES[string];

/** Where {@linkcode installNativeLibrary} takes the library from, and where it keeps it. */
export interface InstallOptions {
  /**
   * Directory of the verified copy. Default: `$MT_CACHE`, else `$XDG_CACHE_HOME/message_transport`,
   * else `$HOME/.cache/message_transport`; a variable that `--allow-env` does not cover counts as
   * not set. Only the user may be able to write to it.
   */
  cacheDirectory?: string;
  /** URL of the library file, such as one on a mirror. Default: in `native/` beside `mod.ts`. */
  libraryUrl?: string | URL;
}

let chosenDirectory: string | undefined;

/**
 * Fetches the native library of this release, for a program that imports `mod.ts` by URL.
 *
 * Await it once, before the first channel. Where a verified copy is in the cache it needs no
 * network, and where `MT_LIB` or a checkout gives the library it does nothing. A copy that is
 * damaged is fetched anew. What it fetches is stored only if its size and SHA-256 are those of the
 * release.
 *
 * It does not load the library, and a Worker finds a `cacheDirectory` only by a call of its own. It
 * waits as long as the server does.
 *
 * @returns Path of the library, which `--allow-ffi` has to cover.
 * @throws {NativeLibraryError} If there is none for this machine, no place for it, or another file.
 * @throws {Deno.errors.NotCapable} If `--allow-net`, `--allow-read` or `--allow-write` is missing.
 * @example Importing by URL
 * ```ts ignore
 * import { createChannel, installNativeLibrary } from "https://example.com/mod.ts";
 *
 * await installNativeLibrary();
 * using channel = createChannel("quotes");
 * ```
 */
export async function installNativeLibrary(options: InstallOptions = {}): Promise<string> {
  const local = findLocalLibrary();
  if (local !== undefined) return local;
  const library = releasedLibrary();
  const directory = options.cacheDirectory ?? cacheDirectory();
  const path = cachePath(directory, library);
  if (faultOfCopy(path, library) !== undefined) {
    const beside = new URL(`../../native/${library.file}`, import.meta.url);
    await store(path, await download(new URL(options.libraryUrl ?? beside), library));
  }
  refuseOthers(directory, path);
  chosenDirectory = directory;
  return path;
}

/**
 * Returns the path of the native library. A copy in the cache has been verified just now.
 *
 * @throws {NativeLibraryError} If there is none for this place; it says how to get one.
 * @throws {Deno.errors.NotCapable} If `--allow-read` does not cover the cache.
 */
export function findLibrary(): string {
  const local = findLocalLibrary();
  if (local !== undefined) return local;
  const library = releasedLibrary();
  const directory = chosenDirectory ?? cacheDirectory();
  const path = cachePath(directory, library);
  const fault = faultOfCopy(path, library);
  if (fault === undefined) {
    refuseOthers(directory, path);
    return path;
  }
  throw new NativeLibraryError(
    `Cannot load "${path}": ${fault}; call "await installNativeLibrary()" once, ` +
      `or name a library in MT_LIB`,
  );
}

/**
 * Returns what was released for a machine, which is named as in `Deno.build.target`.
 *
 * @throws {NativeLibraryError} If nothing was.
 */
export function releasedLibrary(machine: string = Deno.build.target): ReleasedLibrary {
  const target = machine.replace(/^(\w+)-\w+-/, "$1-"); // Without the vendor.
  const library = LIBRARIES[target];
  if (library !== undefined) return library;
  const available = Object.keys(LIBRARIES).join(" or ");
  throw new NativeLibraryError(
    `Cannot find a released native library for ${target}: expected ${available}; ${BUILD_ADVICE}`,
  );
}

/** Returns the library that needs no release; undefined in a module that was imported by URL. */
function findLocalLibrary(): string | undefined {
  const named = readEnvironment("MT_LIB");
  if (named !== undefined) return named;
  if (!import.meta.url.startsWith("file:")) return undefined;
  if (Deno.build.os !== "linux") {
    throw new NativeLibraryError(
      `Cannot run on ${Deno.build.os}: expected Linux on x86_64 or aarch64`,
    );
  }
  const checkout = new URL(`../../zig-out/lib/${FILE_NAME}`, import.meta.url);
  return decodeURIComponent(checkout.pathname);
}

function cacheDirectory(): string {
  const named = readEnvironment("MT_CACHE");
  if (named !== undefined) return named;
  const caches = readEnvironment("XDG_CACHE_HOME");
  if (caches?.startsWith("/")) return `${caches}/message_transport`;
  const home = readEnvironment("HOME");
  if (home !== undefined) return `${home}/.cache/message_transport`;
  throw new NativeLibraryError(
    `Cannot find the cache of native libraries: expected MT_CACHE, XDG_CACHE_HOME or HOME, ` +
      `found none that is set and that --allow-env covers; ` +
      `or pass its place to installNativeLibrary({ cacheDirectory })`,
  );
}

/** Reads a variable where that is granted; never asks. An empty one counts as not set. */
function readEnvironment(variable: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" ? Deno.env.get(variable) || undefined : undefined;
}

function cachePath(directory: string, { file, sha256 }: ReleasedLibrary): string {
  return `${directory}/${VERSION}/${sha256.slice(0, 16)}-${file}`;
}

const OTHERS_WRITE = 0o022;

/** Refuses a cache in which others could exchange the library after it was verified. */
function refuseOthers(directory: string, path: string): void {
  for (const place of [directory, path.slice(0, path.lastIndexOf("/")), path]) {
    const found = (Deno.statSync(place).mode ?? 0) & 0o7777;
    if ((found & OTHERS_WRITE) === 0) continue;
    throw new NativeLibraryError(
      `Cannot load "${path}": expected a place that only its owner may write to, found mode ` +
        `0${found.toString(8)} of "${place}"; run "chmod go-w ${place}", or name another ` +
        `directory in MT_CACHE`,
    );
  }
}

/** Says what is wrong with a copy; undefined if it may be loaded. */
function faultOfCopy(path: string, library: ReleasedLibrary): string | undefined {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "found no such file";
    throw error;
  }
  return faultOf(bytes, library);
}

function faultOf(bytes: Uint8Array, library: ReleasedLibrary): string | undefined {
  if (bytes.length !== library.bytes) {
    const found = bytes.length > library.bytes ? "more" : bytes.length;
    return `expected ${library.bytes} bytes, found ${found}`;
  }
  // Not imported: node:crypto at the top would add 45 ms to the start of every program.
  // deno-lint-ignore no-process-global
  const { createHash } = process.getBuiltinModule("node:crypto");
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return sha256 === library.sha256
    ? undefined
    : `expected SHA-256 ${library.sha256}, found ${sha256}`;
}

async function download(url: URL, library: ReleasedLibrary): Promise<Uint8Array<ArrayBuffer>> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    const response = await fetch(url);
    if (!response.ok) {
      await response.body?.cancel();
      throw new TypeError(`found status ${response.status}`);
    }
    bytes = await readBody(response, library.bytes);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause; // It names the missing flag.
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new NativeLibraryError(
      `Cannot fetch "${url}" as the native library: ${found}; name another place in ` +
        `installNativeLibrary({ libraryUrl }), or ${BUILD_ADVICE}`,
      { cause },
    );
  }
  const fault = faultOf(bytes, library);
  if (fault === undefined) return bytes;
  throw new NativeLibraryError(
    `Cannot use "${url}" as the native library of release ${VERSION}: ${fault}`,
  );
}

/** Reads a body, but not much more of it than `bytesMax`: a server may not fill the memory. */
async function readBody(response: Response, bytesMax: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    size += part.length;
    if (size > bytesMax) break; // Which cancels the rest.
  }
  return await new Blob(parts).bytes();
}

/** Writes a file whole or not at all, also when two processes do so at once. */
async function store(path: string, bytes: Uint8Array): Promise<void> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${crypto.randomUUID()}`;
  try {
    await Deno.writeFile(temporary, bytes, { createNew: true, mode: 0o600 });
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {}); // The first error is the one to tell.
    throw error;
  }
}

/**
 * Finds the native library: named by `MT_LIB`, built in the checkout, or fetched and verified.
 *
 * @module
 */

import { NativeLibraryError } from "../errors.ts";

const FILE_NAME = "libmessage_transport.so";

/**
 * Returns the path of the native library.
 *
 * @throws {NativeLibraryError} If there is none for this place; it says how to get one.
 */
export function findLibrary(): string {
  const named = readEnvironment("MT_LIB");
  if (named !== undefined) return named;
  if (Deno.build.os !== "linux") {
    throw new NativeLibraryError(
      `Cannot run on ${Deno.build.os}: expected Linux on x86_64 or aarch64`,
    );
  }
  const checkout = new URL(`../../zig-out/lib/${FILE_NAME}`, import.meta.url);
  return decodeURIComponent(checkout.pathname);
}

/** Reads a variable where that is granted; never asks. */
function readEnvironment(variable: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" ? Deno.env.get(variable) : undefined;
}

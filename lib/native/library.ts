/**
 * Loads the native library, on first use, so that an `import` needs no permission. The one module
 * that calls `Deno.dlopen`.
 *
 * @module
 */

import { NativeLibraryError } from "../errors.ts";
import { ABI_FINGERPRINT, OK } from "./_layout.ts";
import { symbols } from "./_symbols.ts";
import { findLibrary } from "./binary.ts";

/** The native functions. */
export type Native = Deno.DynamicLibrary<typeof symbols>["symbols"];

let loaded: Native | undefined;

/**
 * Returns the native functions.
 *
 * Cost: the first call of an isolate loads the library; later ones read a variable.
 *
 * @throws {NativeLibraryError} If there is no library, or not the one that this code was made with.
 * @throws {Deno.errors.NotCapable} If `--allow-ffi` does not cover it.
 */
export function native(): Native {
  return loaded ??= load(findLibrary());
}

function load(path: string): Native {
  let library: Deno.DynamicLibrary<typeof symbols>;
  try {
    library = Deno.dlopen(path, symbols);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause; // It names the missing flag.
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new NativeLibraryError(
      `Cannot load "${path}" on ${Deno.build.target}: ${found}; ` +
        `run "deno task build" in the checkout, or name another file in MT_LIB`,
      { cause },
    );
  }
  const actual = library.symbols.mt_abi_fingerprint();
  if (actual !== ABI_FINGERPRINT) {
    library.close();
    throw new NativeLibraryError(
      `Cannot use "${path}": expected ABI fingerprint ${ABI_FINGERPRINT}, found ${actual}; ` +
        `run "deno task build"`,
    );
  }
  // Deno closes libraries when isolates end, also under a thread that is still inside.
  if (library.symbols.mt_library_pin() !== OK) {
    library.close();
    throw new NativeLibraryError(`Cannot keep "${path}" loaded: found that dlopen refuses it`);
  }
  return library.symbols;
}

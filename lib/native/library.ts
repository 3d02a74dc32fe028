/**
 * Loads the native library, on first use, so that an `import` needs no permission. The one module
 * that calls `Deno.dlopen`.
 *
 * @module
 */

import { NativeLibraryError } from "../errors.ts";
import { ABI_FINGERPRINT, OK } from "./_layout.ts";
import { type PathArguments, symbols } from "./_symbols.ts";
import { findLibrary } from "./binary.ts";

declare const granted: unique symbol;

/** A zero-ended path, for a use that Deno's permissions cover; made by `path.ts` only. */
export type GrantedPath = Uint8Array<ArrayBuffer> & { readonly [granted]: true };

type Symbols = Deno.DynamicLibrary<typeof symbols>["symbols"];
type WithPath<Arguments extends readonly unknown[], Index> = {
  [I in keyof Arguments]: I extends Index ? GrantedPath : Arguments[I];
};

/** The native functions. Where they take a path, no other bytes will do. */
export type Native = {
  [Name in keyof Symbols]: Name extends keyof PathArguments
    ? (...given: WithPath<Parameters<Symbols[Name]>, PathArguments[Name]>) => ReturnType<
      Symbols[Name]
    >
    : Symbols[Name];
};

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

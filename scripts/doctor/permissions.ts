/**
 * What Deno lets this process do.
 *
 * @module
 */

/** How far a permission reaches: to everything, to what it names, or not as far as is needed. */
export type Reach = "all" | "scoped" | "none";

/** Those that channels need: the library, and directories that are not the default. */
export interface Permissions {
  ffi: Reach;
  read: Reach;
  write: Reach;
}

/**
 * Asks Deno. Never prompts.
 *
 * @param library What `--allow-ffi` has to cover.
 * @param directory What the two others have to cover.
 */
export function readPermissions(library: string, directory: string): Permissions {
  const reach = (name: keyof Permissions, path: string): Reach => {
    const { state, partial } = Deno.permissions.querySync({ name });
    if (state === "granted" && !partial) return "all";
    return Deno.permissions.querySync({ name, path }).state === "granted" ? "scoped" : "none";
  };
  return {
    ffi: reach("ffi", library),
    read: reach("read", directory),
    write: reach("write", directory),
  };
}

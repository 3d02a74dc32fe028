/**
 * Permissions of a process, as flags of `deno run`.
 *
 * @module
 */

/**
 * Writes a permission for some paths or addresses as a flag; none for none.
 *
 * Deno splits the value at every comma, so a path with one needs the whole permission.
 */
export function allow(
  what: "ffi" | "read" | "write" | "net",
  places: readonly (string | undefined)[],
): string[] {
  const given = places.filter((place) => place !== undefined);
  if (given.length === 0) return [];
  const isSplit = given.some((place) => place.includes(","));
  return [isSplit ? `--allow-${what}` : `--allow-${what}=${given.join()}`];
}

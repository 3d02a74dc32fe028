/**
 * What the doctor says of Deno, the native library, and what Deno lets this process do.
 *
 * @module
 */

import type { Facts } from "./facts.ts";
import { type Line, Lines } from "./line.ts";
import type { Permissions } from "./permissions.ts";

/** The oldest Deno that the suite has passed with. */
const DENO_MIN = [2, 9, 0];

/** Returns the lines about versions and permissions. */
export function examineVersions({ deno, libraryPath, release, permissions }: Facts): Line[] {
  const lines = new Lines("versions");
  lines.lines.push(...examineDeno(deno));
  lines.ok("native library", `${release}, ${libraryPath}`);
  examinePermissions(permissions, lines);
  return lines.lines;
}

/** Returns what can be said where the native library could not be loaded: not much. */
export function examineWithoutLibrary(error: Error, deno: string): Line[] {
  const lines = new Lines("versions");
  lines.lines.push(...examineDeno(deno));
  lines.fail(
    "native library",
    error.message,
    'run "deno task build" in the checkout; nothing else could be examined',
  );
  return lines.lines;
}

function examineDeno(deno: string): Line[] {
  const lines = new Lines("versions");
  const found = deno.split(/[.-]/).map(Number);
  const differing = DENO_MIN.findIndex((part, index) => found[index] !== part);
  const isOlder = differing >= 0 && (found[differing] ?? 0) < DENO_MIN[differing]!;
  if (!isOlder) lines.ok("Deno", deno);
  else {
    lines.warn("Deno", `${deno}, older than any that was tested`, "deno upgrade");
  }
  return lines.lines;
}

const REACHES = {
  ffi: {
    all: "ffi all: may load any library; views and the notifier thread work",
    scoped: "ffi scoped: this library only; copies, no views",
    none: "ffi none",
  },
  read: { all: "read all", scoped: "read scoped", none: "read the default directory only" },
  write: { all: "write all", scoped: "write scoped", none: "write the default directory only" },
};

function examinePermissions(permissions: Permissions, lines: Lines): void {
  const { ffi, read, write } = permissions;
  const found = `${REACHES.ffi[ffi]}; ${REACHES.read[read]}; ${REACHES.write[write]}`;
  if (ffi !== "all") return lines.ok("permissions", found);
  lines.warn(
    "permissions",
    found,
    "name the library, --allow-ffi=<its path>, where nothing needs views",
  );
}

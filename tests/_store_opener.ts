/**
 * Opens the store in the directory that it is given, and prints what that throws.
 */

import { openStore } from "../mod.ts";

try {
  openStore({ directory: Deno.args[0]! });
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.log(`${error.name}: ${error.message}`);
}

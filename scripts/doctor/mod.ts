/**
 * The doctor: what of a machine makes channels slow or unsafe, and what to do about it.
 *
 * @module
 */

import { NativeLibraryError } from "../../lib/errors.ts";
import { examineCores } from "./cores.ts";
import { examineDisk } from "./disk.ts";
import { type FactOptions, type Facts, readFacts } from "./facts.ts";
import { examineKernel } from "./kernel.ts";
import type { Line } from "./line.ts";
import { examineMemory } from "./memory.ts";
import { examineVersions, examineWithoutLibrary } from "./versions.ts";

export { type FactOptions, type Facts, readFacts } from "./facts.ts";
export { type Line, summaryOf, type Verdict, worstOf } from "./line.ts";

/** Judges facts. Looks at nothing else. */
export function examine(facts: Facts): Line[] {
  return [
    ...examineMemory(facts),
    ...examineDisk(facts),
    ...examineCores(facts),
    ...examineKernel(facts),
    ...examineVersions(facts),
  ];
}

/**
 * Looks at this machine and judges it. Cost: that of {@linkcode readFacts}.
 *
 * @throws {Deno.errors.NotCapable} If a permission for a directory that was named is missing.
 */
export async function examineMachine(options: FactOptions = {}): Promise<Line[]> {
  let facts: Facts;
  try {
    facts = await readFacts(options);
  } catch (error) {
    if (!(error instanceof NativeLibraryError)) throw error;
    return examineWithoutLibrary(error, Deno.version.deno);
  }
  return examine(facts);
}

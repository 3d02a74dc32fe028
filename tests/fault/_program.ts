/**
 * The programs that disks are made by.
 *
 * @module
 */

/** A program that a disk needs and that did not do what it should. */
export class ProgramError extends Error {
  override name = "ProgramError";
  constructor(readonly program: string, readonly found: string) {
    super(`Cannot use "${program}" for a disk: found ${found}`);
  }
}

/** Runs a program that ends by itself. Returns what it has written. */
export async function run(program: string, ...args: string[]): Promise<Uint8Array<ArrayBuffer>> {
  const env = { LC_ALL: "C" }; // What is missing is told by the text.
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, { args, env }).output();
    if (success) return stdout;
    throw new ProgramError(program, new TextDecoder().decode(stderr).trim());
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new ProgramError(program, "no such program");
  }
}

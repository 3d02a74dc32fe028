/**
 * Inputs that were a finding once: `cases/<target>/<seed>-<name>.hex`. They are run each time.
 *
 * @module
 */

const CASES = new URL("./cases/", import.meta.url);

/** Hexadecimal digits in a line. */
const LINE_DIGITS = 96;

/** An input that was kept. */
export interface KeptCase {
  name: string;
  input: Uint8Array<ArrayBuffer>;
}

/** The cases of a target, by their names. Lines that begin with `#` say what they are. */
export function keptCases(target: string): KeptCase[] {
  const directory = new URL(`${target}/`, CASES);
  let names: string[];
  try {
    names = [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return names.map((name) => {
    const lines = Deno.readTextFileSync(new URL(name, directory)).split("\n");
    const digits = lines.filter((line) => !line.startsWith("#")).join("").replace(/\s/g, "");
    return { name, input: Uint8Array.fromHex(digits) };
  });
}

/** Keeps a case. Returns its path. */
export async function keepCase(
  target: string,
  { input, seed, found }: { input: string; seed: number; found: string },
): Promise<string> {
  const directory = new URL(`${target}/`, CASES);
  Deno.mkdirSync(directory, { recursive: true });
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(input));
  const name = `${seed}-${new Uint8Array(digest).subarray(0, 4).toHex()}.hex`;
  const said = found.split("\n").slice(0, 3).map((line) => `# ${line.trim().slice(0, 96)}`);
  const lines = input.match(new RegExp(`.{1,${LINE_DIGITS}}`, "g")) ?? [""];
  const path = new URL(name, directory);
  Deno.writeTextFileSync(path, [`# Seed ${seed}`, ...said, ...lines, ""].join("\n"));
  return path.pathname;
}

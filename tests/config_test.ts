// deno.std.json is deno.json with the standard library in the place of the stand-ins. Nothing but
// this comparison keeps the two together.

import { assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);
const REAL: Record<string, string> = {
  "@std/assert": "jsr:@std/assert@1",
  "@std/testing/bdd": "jsr:@std/testing@1/bdd",
};

async function readConfig(name: string): Promise<Record<string, unknown>> {
  return JSON.parse(await Deno.readTextFile(new URL(name, ROOT)));
}

Deno.test("deno.std.json is deno.json but for std and tasks", async () => {
  const { tasks: _tasks, ...expected } = await readConfig("deno.json");
  expected.imports = { ...expected.imports as object, ...REAL };
  assertEquals(await readConfig("deno.std.json"), expected);
});

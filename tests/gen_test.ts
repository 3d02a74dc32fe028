// The generator script runs in a small checkout of its own, with a shell script in place of Zig.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { LMDB_SOURCE } from "../scripts/_zig.ts";
import { type Ended, runChild } from "./_support.ts";

const SCRIPTS = new URL("../scripts/", import.meta.url);

/** A temporary checkout whose Zig prints the files `layout`, `symbols` and `messages`. */
class Checkout implements Disposable {
  readonly root: string = Deno.makeTempDirSync();

  constructor() {
    for (const name of ["gen.ts", "_generated_files.ts", "_zig.ts", "_command.ts"]) {
      this.write(`scripts/${name}`, Deno.readTextFileSync(new URL(name, SCRIPTS)));
    }
    this.write("deno.json", '{ "fmt": { "lineWidth": 60 } }');
    this.write(LMDB_SOURCE, "");
    this.write("layout", "export const A  = 1\n");
    this.write("symbols", "export const symbols = {}\n");
    this.write("messages", "export const M = {}\n");
    Deno.mkdirSync(`${this.root}/lib/native`, { recursive: true });
    this.write(
      "bin/zig",
      `#!/bin/sh
PATH=/usr/bin:/bin
if [ "$1" = version ]; then echo 0.16.0; exit; fi
[ "$1 $2 $3" = "build gen --" ] || exit 9
cat "${this.root}/$4"`,
    );
    Deno.chmodSync(`${this.root}/bin/zig`, 0o755);
  }

  write(path: string, text: string): void {
    Deno.mkdirSync(`${this.root}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    Deno.writeTextFileSync(`${this.root}/${path}`, text);
  }

  read(path: string): string {
    return Deno.readTextFileSync(`${this.root}/${path}`);
  }

  async gen(...args: string[]): Promise<Ended> {
    return await runChild([
      ...["run", "--no-config", "--no-lock", "--no-check", "--no-prompt"],
      ...["--allow-read", "--allow-run", "--allow-env=ZIG,PATH", `--allow-write=${this.root}`],
      ...[`${this.root}/scripts/gen.ts`, ...args],
    ], { env: { ZIG: `${this.root}/bin/zig`, PATH: `${this.root}/bin` } });
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.root, { recursive: true });
  }
}

Deno.test("gen writes what Zig prints, formatted as the checkout is", async () => {
  using checkout = new Checkout();
  checkout.write(
    "symbols",
    "export const symbols = { one: 1, two: 2, three: 3, four: 4, five: 5 }",
  );
  assertEquals((await checkout.gen()).code, 0);
  assertEquals(checkout.read("lib/native/_layout.ts"), "export const A = 1;\n");
  assertStringIncludes(checkout.read("lib/native/_symbols.ts"), "  five: 5,\n};\n");
  assertEquals((await checkout.gen("--check")).code, 0);
});

Deno.test("gen --check names the stale file and changes nothing", async () => {
  using checkout = new Checkout();
  await checkout.gen();
  checkout.write("layout", "export const A = 2;");
  const { code, stderr } = await checkout.gen("--check");
  assertEquals(code, 1);
  assertEquals(stderr, 'error: "lib/native/_layout.ts" is stale: run "deno task gen"\n');
  assertEquals(checkout.read("lib/native/_layout.ts"), "export const A = 1;\n");
  assertEquals((await checkout.gen()).stderr, "Wrote lib/native/_layout.ts\n");
  assertEquals(checkout.read("lib/native/_layout.ts"), "export const A = 2;\n");
});

Deno.test("gen --check fails for a file that is missing", async () => {
  using checkout = new Checkout();
  const { code, stderr } = await checkout.gen("--check");
  assertEquals(code, 1);
  assertEquals(stderr.match(/is stale/g)?.length, 3);
});

Deno.test("gen leaves all files alone when Zig fails or prints no TypeScript", async () => {
  using checkout = new Checkout();
  await checkout.gen();
  Deno.removeSync(`${checkout.root}/symbols`);
  checkout.write("layout", "export const A = 2;");
  const failing = await checkout.gen();
  assertEquals(failing.code, 1);
  assertStringIncludes(failing.stderr, "error: Cannot generate the symbols: zig ended with 1");
  checkout.write("symbols", "export const");
  const garbled = await checkout.gen();
  assertEquals(garbled.code, 1);
  assertStringIncludes(
    garbled.stderr,
    'error: Cannot format what was made for "lib/native/_symbols.ts"',
  );
  assertEquals(checkout.read("lib/native/_layout.ts"), "export const A = 1;\n");
});

Deno.test("gen refuses unknown arguments and explains itself", async () => {
  using checkout = new Checkout();
  assertEquals((await checkout.gen("--force")).code, 2);
  assertStringIncludes((await checkout.gen("--help")).stdout, "Usage: deno task gen");
});

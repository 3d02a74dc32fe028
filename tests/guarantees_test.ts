// The tables of guarantees name tests, which exist.

import { assert, assertEquals } from "@std/assert";
import { existsSync } from "node:fs";
import { ROOT } from "./_support.ts";

const DOCUMENT = Deno.readTextFileSync(`${ROOT}docs/guarantees.md`);

Deno.test("Every file that docs/guarantees.md names exists", () => {
  const names = [...DOCUMENT.matchAll(/`((?:tests|zig|scripts)\/[^` ]*)`/g)].map(([, name]) =>
    name!
  );
  assert(names.length > 30);
  assertEquals(names.filter((name) => !existsSync(`${ROOT}${name}`)), []);
});

Deno.test("Every row of a table in docs/guarantees.md that promises something names a test", () => {
  const rows = DOCUMENT.split("\n").filter((line) => /^\| (?!:-)/.test(line));
  const tables = DOCUMENT.matchAll(/^\| (.*) \|\n\| :-/gm);
  const heads = new Set([...tables].map(([, head]) => `| ${head} |`));
  const isLevel = (row: string) => /^\| `(?:memory|disk)` /.test(row); // The text above names it.
  const unproven = rows.filter((row) => !heads.has(row) && !isLevel(row))
    .filter((row) => !/`(?:tests|zig)\/[^`]+`/.test(row));
  assert(heads.size >= 5 && rows.length > 40);
  assertEquals(unproven, []);
});

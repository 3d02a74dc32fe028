/**
 * Tests that are scenarios in a browser, each in a process of its own: the driver asks for more
 * permissions than tests have.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { isThere, runChild } from "../_support.ts";

const CHROMIUM = "/usr/bin/chromium";

const obstacle = isThere(CHROMIUM) ? "" : ` (no ${CHROMIUM})`;

/** Adds a test that plays a scenario of a script of this folder. */
export function testPage(name: string, script: string, scenario: string): void {
  Deno.test({
    name: `${name}${obstacle}`,
    ignore: obstacle !== "",
    async fn() {
      const url = new URL(script, import.meta.url).href;
      const args = ["run", "-A", "--no-prompt", "--quiet", url, CHROMIUM, scenario];
      const { code, signal, stderr } = await runChild(args, { watchdogMs: 900_000 });
      assertEquals([code, signal], [0, null], stderr);
    },
  });
}

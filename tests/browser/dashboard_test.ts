// The page of market data in Chromium, which a process of its own drives: the driver asks for more
// permissions than tests have.

import { assertEquals } from "@std/assert";
import { runChild } from "../_support.ts";

const CHROMIUM = "/usr/bin/chromium";

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const obstacle = isThere(CHROMIUM) ? "" : ` (no ${CHROMIUM})`;

/** Adds a test that plays a scenario of `_dashboard.ts`. */
function testPage(name: string, scenario: string): void {
  Deno.test({
    name: `${name}${obstacle}`,
    ignore: obstacle !== "",
    async fn() {
      const script = new URL("_dashboard.ts", import.meta.url).href;
      const args = ["run", "-A", "--no-prompt", "--quiet", script, CHROMIUM, scenario];
      const { code, signal, stderr } = await runChild(args, { watchdogMs: 120_000 });
      assertEquals([code, signal], [0, null], stderr);
    },
  });
}

testPage("The page shows a book and trades that move", "moving");
testPage("The page shows that its connection is lost, and goes on after a restart", "restart");
testPage("The page notices a server that stands still", "silence");
testPage("The page fits a phone and a desk, dark and light", "viewports");
testPage("The page shows another market by its address, and what its symbol is", "markets");

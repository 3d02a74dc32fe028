/**
 * Scenarios of the inspector page: `_inspector.ts <chromium> <scenario>`. Fails by an error.
 *
 * `_inspector.ts <chromium> pictures` makes the pictures of docs/inspector.md anew.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Browser } from "playwright-core";
import { removeChannel } from "../../mod.ts";
import { furnish, HOSTILE, InspectorStage } from "./_inspector_stage.ts";
import { launchBrowser, Visitor } from "./_visitor.ts";

interface Scene {
  browser: Browser;
  stage: InspectorStage;
}

/** The arguments by which the inspector sees all that the stage has. */
function places({ directory, walDir }: InspectorStage): string[] {
  return ["--wal-dir", walDir, "--state-dir", `${directory}/state`];
}

const SCENARIOS: Record<string, (scene: Scene) => Promise<void>> = {
  async everything({ browser, stage }) {
    const { notes } = await furnish(stage);
    const { url } = await stage.serve(...places(stage));
    await using visitor = await Visitor.open(browser, `${url}#engine.events`);
    const { page } = visitor;
    // Channels, live.
    await visitor.shows("#channels tr", /market\.btc-usd\s*[1-9]\d*/);
    await visitor.shows("#channels tr", /spoilt.*damaged/);
    await visitor.shows("#channels tr", /gateway\.orders.*1 dead/);
    await visitor.shows("#reasons", "spoilt");
    // A channel with a log, a dead consumer, and records that are decoded.
    await visitor.shows("#consumers tr", /market-data\s*alive/);
    await visitor.shows("#consumers tr", /audit\s*(dead|detached)/);
    await visitor.shows("#producers tr", /matching-engine\s*alive/);
    await visitor.shows("#records li", /engineEvent|event/i);
    await visitor.shows("#records .field", /^price 100\d\d$/);
    await visitor.shows("#segments tr", /00000001-0{19}1\.wal.*(complete|newest)/);
    await visitor.shows("#logs tr", /engine\.events.*open/);
    await visitor.shows("#checkpoints tr", /engine\/books\s*1\s*4\.9 KiB/);
    await visitor.shows("#history li", /consumer detached.*engine\.events.*audit/);
    await page.locator("#latency canvas").waitFor();
    await page.getByRole("button", { name: "Verify every byte" }).click();
    await visitor.shows("#verified", /records, whole, every byte verifies/);
    const before = await page.locator("#records .sequence").first().textContent();
    const newest = page.locator("#records li:first-child .sequence");
    await newest.filter({ hasNotText: before! }).waitFor();
    // Another channel, by a click on its row; what is in it is text, whatever it is.
    await page.locator("#channels tr", { hasText: "notes" }).click();
    await visitor.shows("#consumers tr", HOSTILE);
    await visitor.shows("#records .text", `a note, and ${HOSTILE}`);
    await visitor.shows("#records .hex", "000102ff");
    await visitor.shows("#consumers tr", /stalled \d+ s/);
    notes.write(new TextEncoder().encode("one more"));
    await visitor.shows("#records .text", "one more");
    // What is damaged, by the keyboard; and what is gone.
    await page.getByRole("link", { name: "notes" }).focus();
    await page.keyboard.press("ArrowDown");
    await visitor.shows("#facts.bad", /spoilt\.ring.*found/);
    removeChannel("spoilt", { directory: stage.directory });
    await page.getByRole("link", { name: "spoilt" }).waitFor({ state: "detached" });
    assertEquals(await page.locator("img[src=x]").count(), 0);
    assertEquals(visitor.complaints, []);
  },

  async viewports({ browser, stage }) {
    const { url, child } = await stage.serve();
    await using visitor = await Visitor.open(browser, url, { reducedMotion: "reduce" });
    const { page } = visitor;
    await visitor.shows("#empty", "No channels yet");
    await visitor.shows("#empty", stage.directory);
    await furnish(stage); // They appear by themselves.
    await visitor.shows("#channels tr", /market\.btc-usd/);
    await page.locator("#empty").waitFor({ state: "hidden" });
    await page.getByRole("link", { name: "engine.events" }).click();
    const backgrounds = new Set<string>();
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      for (const width of [375, 768, 1440]) {
        await page.setViewportSize({ width, height: 812 });
        await visitor.shows("#name", "engine.events");
        const content: number = await page.evaluate("document.documentElement.scrollWidth");
        assert(content <= width, `${content} of ${width} pixels`);
      }
      backgrounds.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"));
    }
    assertEquals(backgrounds.size, 2);
    // Without --wal-dir the log's files are not read, and the page says what to do.
    await visitor.shows("#log-damage", /read access|--wal-dir/);
    assertEquals(visitor.complaints, []);
    child.kill("SIGTERM");
    await visitor.until("lost");
    await visitor.shows("#state", "Connection lost");
    assertEquals(await page.getAttribute("#content", "data-stale"), "true");
    assertEquals((await child.status).code, 0);
  },

  async pictures({ browser, stage }) {
    await furnish(stage);
    const { url } = await stage.serve(...places(stage));
    const options = { viewport: { width: 1440, height: 1180 } };
    await using visitor = await Visitor.open(browser, `${url}#engine.events`, options);
    const { page } = visitor;
    await page.waitForTimeout(20_000); // So that the charts have something to show.
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(1_000);
      const path = new URL(`../../docs/images/inspector-${colorScheme}.jpg`, import.meta.url);
      await page.screenshot({ path: path.pathname, type: "jpeg", quality: 80 });
    }
    assertMatch(await page.title(), /^Inspector/);
  },
};

const [executablePath, scenario] = Deno.args;
await using stage = new InspectorStage();
const browser = await launchBrowser(executablePath!);
try {
  await SCENARIOS[scenario!]!({ browser, stage });
} finally {
  await browser.close();
}

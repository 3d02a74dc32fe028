/**
 * Scenarios of the page of market data: `_dashboard.ts <chromium> <scenario>`. Fails by an error.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Browser } from "playwright-core";
import { type Happening, level } from "../_market_data.ts";
import { Engine, Service } from "../_market_data_service.ts";
import { freePort } from "../_support.ts";
import { launchBrowser, Visitor } from "./_visitor.ts";

/** A book with a level every cent around 100, and a trade. */
function book(instrumentId = 1): Happening[] {
  return [
    ...Array.from({ length: 40 }, (_, at) => level(100_00 - at, { instrumentId })),
    ...Array.from({ length: 40 }, (_, at) => level(101_00 + at, { instrumentId, side: "sell" })),
    level(101_00, { instrumentId, kind: "trade", side: "buy", levelQuantity: 2500 }),
  ];
}

interface Stage {
  browser: Browser;
  engine: Engine;
  service: Service;
  url: string;
}

const SCENARIOS: Record<string, (stage: Stage) => Promise<void>> = {
  async moving({ browser, engine, url }) {
    await using visitor = await Visitor.open(browser, url);
    await visitor.shows("#last", "101.00");
    await visitor.shows("#bids tr:first-child", "100.00");
    await visitor.shows("#middle", "spread 1.00");
    await engine.happen(level(100_50), level(100_50, { kind: "trade", side: "sell" }));
    await visitor.shows("#bids tr:first-child", "100.50");
    await visitor.shows("#trades tr:first-child", "▼ 100.50");
    await visitor.shows("#last", "100.50");
    await visitor.shows("#hops", "End to end");
    await visitor.page.locator("canvas").nth(2).waitFor();
    await visitor.shows("#end-to-end", /\d/);
    assertEquals(visitor.complaints, []);
  },

  async restart({ browser, engine, service, url }) {
    await using visitor = await Visitor.open(browser, url);
    await visitor.shows("#bids tr:first-child", "100.00");
    await service.end("SIGKILL");
    await visitor.until("lost");
    await visitor.shows("#state", "Connection lost");
    assertEquals(await visitor.page.getAttribute("#content", "data-stale"), "true");
    await engine.happen(level(100_75));
    await using _again = await Service.start(engine, true, ["--port", `${service.ready.port}`]);
    await visitor.until("live");
    await visitor.shows("#bids tr:first-child", "100.75");
    await visitor.page.locator('#content[data-stale="false"]').waitFor();
    // A browser itself writes down each refused connection; the page has no other complaint.
    const own = visitor.complaints.filter((text) => !text.includes("ERR_CONNECTION_REFUSED"));
    assertEquals(own, []);
  },

  async silence({ browser, service, url }) {
    await using visitor = await Visitor.open(browser, url);
    service.child.kill("SIGSTOP");
    await visitor.until("lost");
    service.child.kill("SIGCONT");
    await visitor.until("live");
    await visitor.shows("#bids tr:first-child", "100.00");
  },

  async viewports({ browser, url }) {
    await using visitor = await Visitor.open(browser, url, { colorScheme: "light" });
    const { page } = visitor;
    const backgrounds = new Set<string>();
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      for (const width of [375, 768, 1440]) {
        await page.setViewportSize({ width, height: 812 });
        await visitor.shows("#bids tr:first-child", "100.00");
        const content: number = await page.evaluate("document.documentElement.scrollWidth");
        assert(content <= width, `${content} of ${width} pixels`);
      }
      backgrounds.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"));
    }
    assertEquals(backgrounds.size, 2);
    assertEquals(visitor.complaints, []);
  },

  async markets({ browser, engine, url }) {
    await engine.happen(...book(2).map((happening) => ({ ...happening, levelQuantity: 7 })));
    await using visitor = await Visitor.open(browser, `${url}#${encodeURIComponent("<b>&")}`);
    await visitor.shows("#symbol", "<b>&");
    await visitor.shows("#bids tr:first-child", "10,000");
    await visitor.page.getByRole("link", { name: "BTC-USD" }).click();
    await visitor.shows("#symbol", "BTC-USD");
    await visitor.shows("#bids tr:first-child", "100.00");
    assertEquals(visitor.complaints, []);
  },
};

const [executablePath, scenario] = Deno.args;
using engine = new Engine({ hasLog: true });
await engine.happen(...book());
const instruments = ["--instruments", "BTC-USD:2:4,<b>&:0:0"];
const port = ["--port", `${freePort()}`];
await using service = await Service.start(engine, true, [...instruments, ...port]);
const browser = await launchBrowser(executablePath!);
try {
  const url = `http://127.0.0.1:${service.ready.port}/`;
  await SCENARIOS[scenario!]!({ browser, engine, service, url });
} finally {
  await browser.close();
}

/**
 * Somebody who looks at a page of ours.
 *
 * @module
 */

import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** A step that takes longer has failed. Generous, as machines may be slow. */
const WATCHDOG_MS = 300_000;

/**
 * What Chromium itself writes down where a page gives an attempt up: on a busy machine, also one
 * that would have succeeded.
 */
const GIVEN_UP = /^WebSocket connection to .* failed: WebSocket is closed before/;

/** Starts a browser. The path of its socket would be too long in most directories but `/tmp`. */
export async function launchBrowser(executablePath: string): Promise<Browser> {
  const env = { ...Deno.env.toObject(), TMPDIR: "/tmp" };
  const args = ["--no-sandbox"];
  return await chromium.launch({ executablePath, args, env, timeout: WATCHDOG_MS });
}

/** A page, and what it has complained about. */
export class Visitor implements AsyncDisposable {
  /** The page. */
  readonly page: Page;
  /** Warnings and errors on its console. */
  readonly complaints: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(WATCHDOG_MS);
    page.on("console", (message) => {
      const isComplaint = ["error", "warning"].includes(message.type());
      if (isComplaint && !GIVEN_UP.test(message.text())) this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(`${error.stack}`));
  }

  /** Opens a page, and waits until it is live. */
  static async open(
    browser: Browser,
    url: string,
    options: BrowserContextOptions = {},
  ): Promise<Visitor> {
    const context = await browser.newContext(options);
    const visitor = new Visitor(await context.newPage());
    await visitor.page.goto(url);
    await visitor.until("live");
    return visitor;
  }

  /** Waits for a state of the connection. */
  async until(state: "live" | "lost"): Promise<void> {
    await this.page.waitForSelector(`#state[data-state="${state}"]`);
  }

  /** Waits until an element has a text. */
  async shows(selector: string, text: string | RegExp): Promise<void> {
    await this.page.locator(selector, { hasText: text }).first().waitFor();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
  }
}

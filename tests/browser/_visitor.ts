/**
 * Somebody who looks at a page of ours.
 *
 * @module
 */

import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/**
 * What Chromium itself writes down where a page gives an attempt up: on a busy machine, also one
 * that would have succeeded.
 */
const GIVEN_UP = /^WebSocket connection to .* failed: WebSocket is closed before/;

/** Whatever takes longer never comes. Generous, as machines may be slow. */
const WATCHDOG_MS = 300_000;

/** Starts a browser. */
export function launchBrowser(executablePath: string): Promise<Browser> {
  // It makes a socket there, whose path has room for 107 bytes: ours may be longer.
  const env = { ...Deno.env.toObject(), TMPDIR: "/tmp" };
  return chromium.launch({ executablePath, args: ["--no-sandbox"], env });
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

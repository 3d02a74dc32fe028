/**
 * The files of the page that market data serves: its own, and uPlot from npm.
 *
 * @module
 */

import type { Asset } from "../../lib/exchange/mod.ts";

const TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

const OWN = ["index.html"];

/** From the path under which it is served to where the package is. */
const UPLOT = {
  "/uplot.js": import.meta.resolve("npm:uplot@1.6.32/dist/uPlot.esm.js"),
  "/uplot.css": import.meta.resolve("npm:uplot@1.6.32/dist/uPlot.min.css"),
};

/** Paths that have to be read: files and directories. */
export const DASHBOARD_FILES: readonly URL[] = [
  new URL("dashboard/", import.meta.url),
  ...Object.values(UPLOT).map((url) => new URL(url)),
];

/** Reads them, by the paths under which they are served. */
export async function readDashboard(): Promise<Map<string, Asset>> {
  const own = OWN.map((name) => [`/${name}`, new URL(`dashboard/${name}`, import.meta.url)]);
  const all = [...own, ...Object.entries(UPLOT)] as [string, URL | string][];
  const assets = new Map<string, Asset>();
  for (const [path, url] of all) {
    const type = TYPES[path.split(".").at(-1)!]!;
    assets.set(path, { type, bytes: await Deno.readFile(new URL(url)) });
  }
  assets.set("/", assets.get("/index.html")!);
  return assets;
}

/**
 * The files that our pages have in common: theme, charts, icon, and uPlot from npm.
 *
 * They are imported as text, so that they come with the module: a path that `import.meta.resolve`
 * gives for a package leads nowhere on a machine that has not loaded it yet.
 *
 * @module
 */

import uplotStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import uplot from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import type { Asset } from "../../lib/web_socket/http.ts";
import charts from "./charts.js" with { type: "text" };
import icon from "./icon.svg" with { type: "text" };
import theme from "./theme.css" with { type: "text" };

/** Media types. */
export const HTML = "text/html; charset=utf-8";
export const CSS = "text/css; charset=utf-8";
export const JAVASCRIPT = "text/javascript; charset=utf-8";

/** A file: the path under which it is served, its media type, its text. */
export type PageFile = [path: string, type: string, text: string];

const COMMON: PageFile[] = [
  ["/theme.css", CSS, theme],
  ["/uplot.css", CSS, uplotStyle],
  ["/page/charts.js", JAVASCRIPT, charts], // Pages import it by its path on the disk.
  ["/uplot.js", JAVASCRIPT, uplot],
  ["/icon.svg", "image/svg+xml", icon],
];

const encoder = new TextEncoder();

/** The files of a page and those that all pages have, by their paths. */
export function toAssets(files: readonly PageFile[]): ReadonlyMap<string, Asset> {
  return new Map(
    [...COMMON, ...files].map((
      [path, type, text],
    ) => [path, { type, bytes: encoder.encode(text) }]),
  );
}

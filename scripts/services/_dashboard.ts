/**
 * The files of the page that market data serves: its own, and uPlot from npm.
 *
 * They are imported as text, so that they come with the module: a path that `import.meta.resolve`
 * gives for a package leads nowhere on a machine that has not loaded it yet.
 *
 * @module
 */

import uplotStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import uplot from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import type { Asset } from "../../lib/exchange/mod.ts";
import book from "./dashboard/book.js" with { type: "text" };
import charts from "./dashboard/charts.js" with { type: "text" };
import icon from "./dashboard/icon.svg" with { type: "text" };
import page from "./dashboard/index.html" with { type: "text" };
import main from "./dashboard/main.js" with { type: "text" };
import stream from "./dashboard/stream.js" with { type: "text" };
import style from "./dashboard/style.css" with { type: "text" };

const HTML = "text/html; charset=utf-8";
const CSS = "text/css; charset=utf-8";
const JAVASCRIPT = "text/javascript; charset=utf-8";

const FILES: [path: string, type: string, text: string][] = [
  ["/", HTML, page],
  ["/style.css", CSS, style],
  ["/uplot.css", CSS, uplotStyle],
  ["/main.js", JAVASCRIPT, main],
  ["/stream.js", JAVASCRIPT, stream],
  ["/book.js", JAVASCRIPT, book],
  ["/charts.js", JAVASCRIPT, charts],
  ["/uplot.js", JAVASCRIPT, uplot],
  ["/icon.svg", "image/svg+xml", icon],
];

const encoder = new TextEncoder();

/** The page's files, by the paths under which they are served. */
export const DASHBOARD: ReadonlyMap<string, Asset> = new Map(
  FILES.map(([path, type, text]) => [path, { type, bytes: encoder.encode(text) }]),
);

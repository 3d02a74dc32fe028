/**
 * The files of the page that market data serves.
 *
 * @module
 */

import type { Asset } from "../../lib/exchange/mod.ts";
import { CSS, HTML, JAVASCRIPT, toAssets } from "../page/_assets.ts";
import book from "./dashboard/book.js" with { type: "text" };
import depth from "./dashboard/depth.js" with { type: "text" };
import page from "./dashboard/index.html" with { type: "text" };
import main from "./dashboard/main.js" with { type: "text" };
import stream from "./dashboard/stream.js" with { type: "text" };
import style from "./dashboard/style.css" with { type: "text" };

/** The page's files, by the paths under which they are served. */
export const DASHBOARD: ReadonlyMap<string, Asset> = toAssets([
  ["/", HTML, page],
  ["/style.css", CSS, style],
  ["/main.js", JAVASCRIPT, main],
  ["/stream.js", JAVASCRIPT, stream],
  ["/book.js", JAVASCRIPT, book],
  ["/depth.js", JAVASCRIPT, depth],
]);

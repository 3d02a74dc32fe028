/**
 * The files of the inspector page.
 *
 * @module
 */

import { CSS, HTML, JAVASCRIPT, toAssets } from "../page/_assets.ts";
import channel from "./page/channel.js" with { type: "text" };
import page from "./page/index.html" with { type: "text" };
import log from "./page/log.js" with { type: "text" };
import main from "./page/main.js" with { type: "text" };
import overview from "./page/overview.js" with { type: "text" };
import source from "./page/source.js" with { type: "text" };
import style from "./page/style.css" with { type: "text" };
import table from "./page/table.js" with { type: "text" };

/** The page's files, by the paths under which they are served. */
export const INSPECTOR_PAGE: ReturnType<typeof toAssets> = toAssets([
  ["/", HTML, page],
  ["/style.css", CSS, style],
  ["/main.js", JAVASCRIPT, main],
  ["/source.js", JAVASCRIPT, source],
  ["/overview.js", JAVASCRIPT, overview],
  ["/channel.js", JAVASCRIPT, channel],
  ["/log.js", JAVASCRIPT, log],
  ["/table.js", JAVASCRIPT, table],
]);

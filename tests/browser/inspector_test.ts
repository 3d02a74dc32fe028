// The inspector page in Chromium.

import { testPage } from "./_support.ts";

const PAGE = "_inspector.ts";

testPage(
  "The inspector shows channels, peers, records, logs, and what happened",
  PAGE,
  "everything",
);
testPage("The inspector begins with nothing, fits every screen, and is lost", PAGE, "viewports");

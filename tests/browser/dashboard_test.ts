// The page of market data in Chromium.

import { testPage } from "./_support.ts";

const PAGE = "_dashboard.ts";

testPage("The page shows a book and trades that move", PAGE, "moving");
testPage(
  "The page shows that its connection is lost, and goes on after a restart",
  PAGE,
  "restart",
);
testPage("The page notices a server that stands still", PAGE, "silence");
testPage("The page fits a phone and a desk, dark and light", PAGE, "viewports");
testPage("The page shows another market by its address, and what its symbol is", PAGE, "markets");

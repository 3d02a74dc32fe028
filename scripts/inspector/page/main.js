// The page: what the server sees goes into tables and charts, once for each of its looks.

import { showChannel } from "./channel.js";
import { showOverview } from "./overview.js";
import { Source } from "./source.js";
import { element, set } from "./table.js";

const STATES = { live: "Live", lost: "Connection lost" };

/** What the address says behind `#`; it may be anything. */
function chosenName() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

const source = new Source({
  onState(state, retryMs) {
    element("state").dataset.state = state;
    const next = retryMs === undefined ? "" : `, next try in ${Math.ceil(retryMs / 1000)} s`;
    set("state-text", STATES[state] + next);
    // What was shown stays, but greyed out: it is not what is.
    element("content").dataset.stale = state !== "live";
  },
  onLook(look, isContinued) {
    showOverview(look);
    markChosen();
    // Without a choice the first channel is shown.
    const [first] = look.channels;
    if (chosenName() === "" && first !== undefined) return choose(first.name);
    showChannel(look.chosen, isContinued);
  },
});

function choose(name) {
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  source.choose(name);
}

function markChosen() {
  const name = chosenName();
  for (const link of document.querySelectorAll("#channels a")) {
    const isChosen = link.textContent === name;
    link.setAttribute("aria-current", `${isChosen}`);
    link.closest("tr").classList.toggle("current", isChosen);
  }
}

// A row leads where its link does; arrows go from one to the next.
element("channels").addEventListener("click", ({ target }) => {
  if (target.closest("a") === null) target.closest("tr")?.querySelector("a")?.click();
});
element("channels").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const links = [...document.querySelectorAll("#channels a")];
  const next = links[links.indexOf(document.activeElement) + step];
  next?.focus();
  next?.click();
});

addEventListener("hashchange", () => {
  markChosen();
  source.choose(chosenName());
});
source.choose(chosenName());

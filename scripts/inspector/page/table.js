// Tables and lists that are filled again and again. Everything is text: nothing is ever parsed.

import { amount } from "../../page/charts.js";

const counts = new Intl.NumberFormat("en");
const times = new Intl.DateTimeFormat("en-GB", { dateStyle: "short", timeStyle: "medium" });

export const element = (id) => document.getElementById(id);

/** Sets an element's text if it is another one. */
export function set(id, text) {
  const found = element(id);
  if (found.textContent !== text) found.textContent = text;
}

/** A whole number. */
export function count(value) {
  return counts.format(Math.round(value));
}

/** A rate. */
export function rate(value) {
  return amount(Math.round(value));
}

/** Bytes as people read them. */
export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (value >= 1024 && at < units.length - 1) {
    value /= 1024;
    at++;
  }
  return `${at === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}

/** Time of day and date. */
export function time(ms) {
  return ms > 0 ? times.format(ms) : "–";
}

/** How long ago, or for how long. */
export function span(ms) {
  const seconds = Math.max(0, ms / 1000);
  if (seconds < 90) return `${Math.floor(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3_600)} h`
    : `${Math.round(seconds / 86_400)} d`;
}

/** A share as percent. */
export function percent(share) {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

/** A peer's name, or its slot. */
export function nameOf({ name, index }) {
  return name === "" ? `#${index}` : name;
}

/** Makes a list have so many children of a kind, and returns them. */
function childrenOf(parent, tag, wanted) {
  while (parent.children.length > wanted) parent.lastElementChild.remove();
  while (parent.children.length < wanted) parent.append(document.createElement(tag));
  return [...parent.children];
}

/** A cell: a text, or `{ text, look, title, href, share }`. */
function fillCell(cell, content) {
  const { text, look = "", title = "", href, share } = typeof content === "string"
    ? { text: content }
    : content;
  if (cell.dataset.look !== look) cell.dataset.look = look;
  if (cell.title !== title) cell.title = title;
  if (share !== undefined) {
    cell.classList.add("bar");
    cell.style.setProperty("--share", `${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%`);
  }
  let target = cell;
  if (href !== undefined) {
    [target] = childrenOf(cell, "a", 1);
    if (target.getAttribute("href") !== href) target.setAttribute("href", href);
  }
  if (target.textContent !== text) target.textContent = text;
}

/** Fills the body of a table: rows of cells. Rows and their focus stay where they are. */
export function fillTable(id, rows) {
  const columns = [...element(id).closest("table").tHead.rows[0].cells];
  childrenOf(element(id), "tr", rows.length).forEach((row, at) => {
    childrenOf(row, "td", columns.length).forEach((cell, column) => {
      if (cell.className === "") cell.className = columns[column].className;
      fillCell(cell, rows[at][column]);
    });
  });
}

/** Fills a list; `fill(item, value)` fills one of them. */
export function fillList(id, values, fill) {
  childrenOf(element(id), "li", values.length).forEach((item, at) => fill(item, values[at]));
}

/** Replaces an item's children by texts, each with a class. */
export function fillSpans(item, spans) {
  childrenOf(item, "span", spans.length).forEach((child, at) => {
    const [text, className] = spans[at];
    if (child.className !== className) child.className = className;
    if (child.textContent !== text) child.textContent = text;
  });
}

/** How a peer's state looks: stalled ones are alive. */
export function stateCell({ state, stalledMs }) {
  if (state === "alive" && stalledMs >= 2_000) {
    return { text: `stalled ${span(stalledMs)}`, look: "warn" };
  }
  return { text: state, look: { alive: "good", dead: "bad", detached: "quiet" }[state] };
}

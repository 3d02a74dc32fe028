// The order book and the trades, as tables that are built once and filled again and again.

/** Decimals of a size that are shown: more of them than these tell nobody anything. */
const SIZE_DECIMALS_MAX = 5;

const times = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** A price's text with its thousands apart. */
export function priceText(text) {
  const [whole, decimals] = text.split(".");
  const grouped = Number(whole).toLocaleString("en");
  return decimals === undefined ? grouped : `${grouped}.${decimals}`;
}

/** Writes sizes of an instrument one under the other. */
function sizeFormat({ quantityDecimals }) {
  const digits = Math.min(quantityDecimals, SIZE_DECIMALS_MAX);
  return new Intl.NumberFormat("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** The best levels of a side, best first, with their running total. */
export function bestLevels(side, isBid, count) {
  const sorted = [...side].map(([text, size]) => ({ text, price: Number(text), size, total: 0 }));
  sorted.sort(isBid ? (a, b) => b.price - a.price : (a, b) => a.price - b.price);
  const best = sorted.slice(0, count);
  let total = 0;
  for (const level of best) level.total = total += level.size;
  return best;
}

/** Makes rows of three cells. */
function makeRows(body, count) {
  const rows = Array.from({ length: count }, () => {
    const row = document.createElement("tr");
    row.append(...Array.from({ length: 3 }, () => document.createElement("td")));
    return row;
  });
  body.replaceChildren(...rows);
  return rows;
}

function fill(row, texts) {
  texts.forEach((text, at) => {
    const cell = row.cells[at];
    if (cell.textContent !== text) cell.textContent = text;
  });
}

/** The ladder: asks above, the best at the bottom, and bids below. */
export class BookView {
  #asks;
  #bids;
  #middle = document.getElementById("middle");

  constructor(depth) {
    this.#asks = makeRows(document.getElementById("asks"), depth).toReversed();
    this.#bids = makeRows(document.getElementById("bids"), depth);
  }

  /** Shows a market; returns its spread as text. */
  show(market, instrument) {
    const asks = bestLevels(market.asks, false, this.#asks.length);
    const bids = bestLevels(market.bids, true, this.#bids.length);
    const most = Math.max(asks.at(-1)?.total ?? 0, bids.at(-1)?.total ?? 0);
    const sizes = sizeFormat(instrument);
    showSide(this.#asks, asks, most, sizes);
    showSide(this.#bids, bids, most, sizes);
    if (asks.length === 0 || bids.length === 0) {
      this.#middle.textContent = "–";
      return "–";
    }
    const { priceDecimals } = instrument;
    const middle = (asks[0].price + bids[0].price) / 2;
    const spread = (asks[0].price - bids[0].price).toFixed(priceDecimals);
    const note = document.createElement("small");
    note.textContent = `spread ${spread}`;
    this.#middle.replaceChildren(priceText(middle.toFixed(priceDecimals + 1)), note);
    return spread;
  }
}

function showSide(rows, levels, most, sizes) {
  rows.forEach((row, at) => {
    const level = levels[at];
    const texts = level === undefined
      ? ["", "", ""]
      : [priceText(level.text), sizes.format(level.size), sizes.format(level.total)];
    fill(row, texts);
    const share = level !== undefined && most > 0 ? 100 * level.total / most : 0;
    row.style.setProperty("--fill", `${share.toFixed(1)}%`);
  });
}

/** The newest trades, the newest first. */
export class TradesView {
  #rows;

  constructor(count) {
    this.#rows = makeRows(document.getElementById("trades"), count);
  }

  show({ trades }, instrument) {
    const sizes = sizeFormat(instrument);
    this.#rows.forEach((row, at) => {
      const trade = trades[at];
      row.className = trade?.side ?? "";
      if (trade === undefined) return fill(row, ["", "", ""]);
      const time = trade.timeMs > 0 ? times.format(trade.timeMs) : "–";
      const arrow = trade.side === "buy" ? "▲" : "▼";
      fill(row, [time, `${arrow} ${priceText(trade.price)}`, sizes.format(Number(trade.quantity))]);
    });
  }
}

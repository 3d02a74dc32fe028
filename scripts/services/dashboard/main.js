// The page: what the stream tells goes into tables and charts, ten times a second at most.

import { bestLevels, BookView, priceText, TradesView } from "./book.js";
import { amount, duration, TimeChart } from "../../page/charts.js";
import { DepthChart } from "./depth.js";
import { MarketStream } from "./stream.js";

const DRAW_MS = 100;
const CHART_LEVELS = 80;
const HOPS = {
  gatewayToEngine: "Gateway → engine",
  engineToMarketData: "Engine → market data",
  endToEnd: "End to end",
};
const STATES = { connecting: "Connecting", live: "Live", lost: "Connection lost" };

const element = (id) => document.getElementById(id);
const isNarrow = matchMedia("(max-width: 680px)").matches;
const book = new BookView(isNarrow ? 8 : 14);
const trades = new TradesView(isNarrow ? 10 : 30);
const depth = new DepthChart();
const throughput = new TimeChart("throughput", amount);
const latency = new TimeChart("latency", duration);

let drawTimer;
let instruments = [];
let instrument;

function set(id, text) {
  const { textContent } = element(id);
  if (textContent !== text) element(id).textContent = text;
}

const stream = new MarketStream({
  onState(state, retryMs) {
    const text = state === "lost"
      ? `Connection lost, next try in ${Math.ceil(retryMs / 1000)} s`
      : STATES[state];
    element("state").dataset.state = state;
    set("state-text", text);
    // What was shown stays, but greyed out: it is not what is.
    if (state !== "connecting") element("content").dataset.stale = state !== "live";
    if (state === "live" && instruments.length === 0) loadMarkets();
  },
  onMarket() {
    drawTimer ??= setTimeout(() => requestAnimationFrame(draw), DRAW_MS);
  },
  onStats: showStats,
});

function draw() {
  drawTimer = undefined;
  const { market } = stream;
  if (instrument === undefined) return;
  set("spread", book.show(market, instrument));
  trades.show(market, instrument);
  depth.show(
    bestLevels(market.bids, true, CHART_LEVELS),
    bestLevels(market.asks, false, CHART_LEVELS),
  );
  const [last] = market.trades;
  set("last", last === undefined ? "–" : priceText(last.price));
  element("last").className = `last ${last?.side ?? ""}`;
  set("sequence", market.sequence.toLocaleString("en"));
  element("incomplete").hidden = market.isComplete;
}

function showStats({ rates, hops, clients }) {
  set("events", `${amount(rates.eventsPerSecond)}/s`);
  set("trades-rate", `${amount(rates.tradesPerSecond)}/s`);
  set("clients", amount(clients.connected));
  const { recent } = hops.endToEnd;
  set("end-to-end", duration(recent.p50Ns || undefined));
  throughput.add(rates.eventsPerSecond, rates.tradesPerSecond);
  latency.add(recent.p50Ns || null, recent.p99Ns || null);
  showHops(hops);
}

function showHops(hops) {
  const rows = Object.entries(HOPS).map(([hop, title]) => {
    const { p50Ns, p90Ns, p99Ns, p999Ns } = hops[hop].recent;
    const row = document.createElement("tr");
    for (
      const text of [
        title,
        ...[p50Ns, p90Ns, p99Ns, p999Ns].map((ns) => duration(ns || undefined)),
      ]
    ) {
      row.insertCell().textContent = text;
    }
    row.cells[2].className = "wide";
    return row;
  });
  element("hops").replaceChildren(...rows);
}

/** Shows the market that the address names, or the first one. */
function showMarket() {
  const named = decodeURIComponent(location.hash.slice(1));
  instrument = instruments.find(({ symbol }) => symbol === named) ?? instruments[0];
  if (instrument === undefined) return;
  const { symbol } = instrument;
  for (const link of element("markets").children) {
    link.setAttribute("aria-current", `${link.textContent === symbol}`);
  }
  set("symbol", symbol);
  stream.show(symbol);
  draw();
}

async function loadMarkets() {
  const response = await fetch("/api/instruments");
  ({ instruments } = await response.json());
  const links = instruments.map(({ symbol }) => {
    const link = document.createElement("a");
    link.href = `#${encodeURIComponent(symbol)}`;
    link.textContent = symbol;
    return link;
  });
  element("markets").replaceChildren(...links);
  showMarket();
}

addEventListener("hashchange", showMarket);
await loadMarkets().catch(() => {}); // Then as soon as there is a connection.
stream.connect();

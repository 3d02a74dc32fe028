// The chart of what waits in a book.

import { amount, axis, Chart, color, fromZero, line } from "../../page/charts.js";

const { uPlot } = globalThis; // A script of its own: it is no module of this folder.

/** Sizes that wait within the best levels, by price. */
export class DepthChart {
  #chart;

  constructor() {
    const stepped = (align) => ({ paths: uPlot.paths.stepped({ align }) });
    const options = () => ({
      scales: { x: { time: false }, y: { range: fromZero } },
      axes: [
        axis((price) => price.toLocaleString("en"), { space: 80, size: 28 }),
        axis(amount, { size: 46 }),
      ],
      series: [
        {},
        line("--buy", { fill: color("--buy-fill"), ...stepped(-1) }),
        line("--sell", { fill: color("--sell-fill"), ...stepped(1) }),
      ],
    });
    this.#chart = new Chart("depth", options, [[], [], []]);
  }

  show(bids, asks) {
    const left = bids.toReversed();
    this.#chart.show([
      [...left, ...asks].map(({ price }) => price),
      [...left.map(({ total }) => total), ...asks.map(() => null)],
      [...left.map(() => null), ...asks.map(({ total }) => total)],
    ]);
  }
}

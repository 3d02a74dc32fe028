// Charts by uPlot, in the colours of the theme.

const { uPlot } = globalThis; // A script of its own: it is no module of this folder.

/** Seconds that charts over time look back, unless they are told otherwise. */
const WINDOW_SECONDS = 120;

const numbers = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** Nanoseconds as people read them. */
export function duration(ns) {
  if (!(ns > 0)) return ns === 0 ? "0" : "–";
  const [size, unit] = ns < 1e3
    ? [1, "ns"]
    : ns < 1e6
    ? [1e3, "µs"]
    : ns < 1e9
    ? [1e6, "ms"]
    : [1e9, "s"];
  const value = ns / size;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
}

/** A count as people read it. */
export function amount(count) {
  return numbers.format(count);
}

export function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** A chart that fills its element, and is made again when the theme changes. */
export class Chart {
  #element;
  #options;
  #plot;
  #data;

  /** `options()` returns uPlot's, with the colours of now. */
  constructor(id, options, data) {
    this.#element = document.getElementById(id);
    this.#options = options;
    this.#data = data;
    new ResizeObserver(() => this.#resize()).observe(this.#element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#make());
    this.#make();
  }

  show(data) {
    this.#data = data;
    this.#plot.setData(data);
  }

  #make() {
    this.#plot?.destroy();
    this.#plot = new uPlot(
      { ...this.#options(), ...this.#size(), legend: { show: false } },
      this.#data,
      this.#element,
    );
  }

  #size() {
    const { clientWidth, clientHeight } = this.#element;
    return { width: Math.max(100, clientWidth), height: Math.max(80, clientHeight) };
  }

  #resize() {
    const { width, height } = this.#size();
    if (this.#plot.width !== width || this.#plot.height !== height) {
      this.#plot.setSize({ width, height });
    }
  }
}

export function axis(values, more = {}) {
  return {
    stroke: color("--quiet"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
    values: (_plot, splits) => splits.map((split) => split === null ? "" : values(split)),
    ...more,
  };
}

export function line(name, more = {}) {
  return { stroke: color(name), width: 1.6, points: { show: false }, ...more };
}

/** From 0 to a bit more than the most. */
export function fromZero(_plot, _low, high) {
  return [0, (high || 1) * 1.1];
}

/** Two figures over the last minutes. */
export class TimeChart {
  #chart;
  #data = [[], [], []];
  #windowSeconds;

  constructor(id, format, windowSeconds = WINDOW_SECONDS) {
    this.#windowSeconds = windowSeconds;
    const time = (seconds) => new Date(seconds * 1000).toTimeString().slice(0, 8);
    const options = () => ({
      scales: { x: { time: true }, y: { range: fromZero } },
      axes: [axis(time, { space: 80, size: 28 }), axis(format, { size: 58, space: 32 })],
      series: [{}, line("--accent"), line("--second")],
    });
    this.#chart = new Chart(id, options, this.#data);
  }

  /** Adds figures of now. */
  add(first, second) {
    this.append([[Date.now() / 1000, first, second]]);
  }

  /** Adds points: seconds since 1970, and the figures of then. */
  append(points) {
    for (const point of points) point.forEach((figure, at) => this.#data[at].push(figure));
    const [times] = this.#data;
    const first = times.at(-1) - this.#windowSeconds;
    while (times[0] < first) for (const row of this.#data) row.shift();
    this.#chart.show(this.#data);
  }

  /** Begins anew, with nothing. */
  clear() {
    this.#data = [[], [], []];
    this.#chart.show(this.#data);
  }
}

/**
 * What one scrape shows: values under labels, up to a number of series; and sums that do not fall.
 *
 * @module
 */

/** Labels of a series. */
export type Labels = Readonly<Record<string, string | number>>;

/** A value of a metric. */
export interface Sample {
  labels: Labels;
  value: number;
  /** Where it is not the metric's: that of a histogram's part. */
  metricName?: string;
}

/** A metric's name, and a value of it. */
export type Entry = readonly [metric: string, sample: Sample];

/** Gathers values by their metrics, up to a number of series. */
export class SampleSet {
  readonly #samples = new Map<string, Sample[]>();
  readonly #countMax: number;
  #count = 0;
  #leftOut = 0;

  /** @param countMax Series at most. */
  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** Series that are in it. */
  get count(): number {
    return this.#count;
  }

  /** Series that there was no room for. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** Adds everything that is known of something, or nothing: half of it would mislead. */
  add(entries: readonly Entry[]): void {
    if (this.#count + entries.length > this.#countMax) this.#leftOut += entries.length;
    else this.addAlways(entries);
  }

  /** Adds what there always is room for: few series, and always the same. */
  addAlways(entries: readonly Entry[]): void {
    this.#count += entries.length;
    for (const [metric, sample] of entries) {
      const samples = this.#samples.get(metric);
      if (samples === undefined) this.#samples.set(metric, [sample]);
      else samples.push(sample);
    }
  }

  /** Returns the values of a metric. */
  of(metric: string): readonly Sample[] {
    return this.#samples.get(metric) ?? [];
  }
}

/** Counters of one participant: `key` says which one it is, beyond its name. */
export interface Part {
  key: string;
  values: readonly number[];
}

interface Sums {
  parts: Map<string, readonly number[]>;
  totals: Map<string, number[]>;
}

/**
 * Sums counters of participants that come and go.
 *
 * One that begins anew, or whose place another one takes, does not make the sum fall: Prometheus
 * takes a counter that falls for one that began at 0, and would count the rest of the sum again.
 */
export class RisingSums {
  #before: Sums = { parts: new Map(), totals: new Map() };
  #now: Sums = { parts: new Map(), totals: new Map() };

  /** Begins the next look. What was not in the one before is forgotten. */
  turn(): void {
    this.#before = this.#now;
    this.#now = { parts: new Map(), totals: new Map() };
  }

  /** Returns the sums of all parts of a series, those that are gone included. */
  sum(series: string, parts: readonly Part[]): readonly number[] {
    const before = this.#before.totals.get(series);
    const length = parts[0]?.values.length ?? 0;
    const totals = before?.slice() ?? new Array<number>(length).fill(0);
    for (const { key, values } of parts) {
      const part = `${series} ${key}`;
      const seen = this.#before.parts.get(part);
      for (const [place, value] of values.entries()) {
        const earlier = seen?.[place] ?? 0;
        totals[place]! += value >= earlier ? value - earlier : value;
      }
      this.#now.parts.set(part, values);
    }
    this.#now.totals.set(series, totals);
    return totals;
  }
}

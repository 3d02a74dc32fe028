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

/** What was counted in one place. */
export interface Part {
  place: number;
  /** Changes whenever its counters begin with 0. */
  resets: number;
  values: readonly number[];
}

/** A sum, and what its parts were when it was made, by their places. */
interface Sum {
  totals: readonly number[];
  parts: ReadonlyMap<number, Part>;
}

/**
 * Sums counters of participants that come and go.
 *
 * One that begins anew, or whose place another one takes, does not make the sum fall: Prometheus
 * takes a counter that falls for one that began at 0, and would count the rest of the sum again.
 */
export class RisingSums {
  #before = new Map<string, Sum>();
  #now = new Map<string, Sum>();

  /** Begins the next look. A series that was not in the one before is forgotten. */
  turn(): void {
    this.#before = this.#now;
    this.#now = new Map();
  }

  /** Returns the sums of all parts of a series, those that are gone included. */
  sum(series: string, parts: readonly Part[]): readonly number[] {
    const before = this.#before.get(series);
    const seen = new Map(before?.parts);
    const totals = before?.totals.slice() ?? parts[0]?.values.map(() => 0) ?? [];
    for (const part of parts) {
      const earlier = seen.get(part.place);
      const goesOn = earlier?.resets === part.resets;
      for (const [index, value] of part.values.entries()) {
        const counted = goesOn ? earlier.values[index]! : 0;
        totals[index]! += value >= counted ? value - counted : value;
      }
      seen.set(part.place, part);
    }
    this.#now.set(series, { totals, parts: seen });
    return totals;
  }
}

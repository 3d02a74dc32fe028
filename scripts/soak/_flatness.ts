/**
 * Whether what a process has stays what it is: a line through the samples of its life.
 *
 * @module
 */

import type { ProcessUse } from "./_proc.ts";

/** A look at a process. */
export interface Sample extends ProcessUse {
  /** Seconds since the process was ready. */
  ageSeconds: number;
}

/** A process from its ready line to its death. */
export interface Lifetime {
  /** Name of its service. */
  name: string;
  pid: number;
  samples: Sample[];
}

/** What is judged. */
export type Figure = "ownBytes" | "descriptors" | "mappings";

/**
 * By how much a figure may grow in a minute. Memory is a heap's that is collected now and then, and
 * grows and shrinks by megabytes meanwhile. So do mappings: V8 maps a heap in pages of 256 KiB, of
 * which 2 MiB are eight. Of descriptors nothing should be left over at all.
 */
const GROWTH_MAX: Readonly<Record<Figure, number>> = {
  ownBytes: 2 * 2 ** 20,
  descriptors: 1,
  mappings: 12,
};

/** Seconds of a life that do not count: code is compiled, and heaps find their size. */
const WARM_UP_SECONDS = 60;

/** Seconds behind that, at least, from which something can be told. */
const JUDGED_SECONDS_MIN = 60;

const SAMPLES_MIN = 8;

/** A line through samples. */
export interface Trend {
  name: string;
  pid: number;
  figure: Figure;
  seconds: number;
  first: number;
  last: number;
  /** Growth in a minute, by least squares, and its standard error. */
  perMinute: number;
  error: number;
  /** Whether it is not certain to be above the limit: by two standard errors. */
  isFlat: boolean;
}

/** Judges a life; nothing comes of one that was too short. */
export function trendsOf({ name, pid, samples }: Lifetime): Trend[] {
  const judged = samples.filter(({ ageSeconds }) => ageSeconds >= WARM_UP_SECONDS);
  const [first, last] = [judged[0], judged.at(-1)];
  if (first === undefined || last === undefined || judged.length < SAMPLES_MIN) return [];
  const seconds = last.ageSeconds - first.ageSeconds;
  if (seconds < JUDGED_SECONDS_MIN) return [];
  return (Object.keys(GROWTH_MAX) as Figure[]).map((figure) => {
    const points = judged.map((one) => [one.ageSeconds / 60, one[figure]] as const);
    const { slope, error } = fitLine(points);
    const isFlat = slope - 2 * error <= GROWTH_MAX[figure];
    const ends = { first: first[figure], last: last[figure] };
    return { name, pid, figure, seconds, ...ends, perMinute: slope, error, isFlat };
  });
}

/** The line of least squares through points, and the standard error of its slope. */
export function fitLine(
  points: readonly (readonly [x: number, y: number])[],
): { slope: number; error: number } {
  const count = points.length;
  const mean = (of: (point: readonly [number, number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / count;
  const [x, y] = [mean(([x]) => x), mean(([, y]) => y)];
  const spread = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  const slope = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / spread;
  const rest = points.reduce((sum, point) => sum + (point[1] - y - slope * (point[0] - x)) ** 2, 0);
  return { slope, error: Math.sqrt(rest / Math.max(1, count - 2) / spread) };
}

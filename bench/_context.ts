/**
 * What every benchmark gets and gives.
 *
 * @module
 */

import { type ChannelOptions, createChannel, removeChannel } from "../mod.ts";

/** How much work: `smoke` only shows that everything still runs and answers rightly. */
export type Scale = "full" | "quick" | "smoke";

/** What a run of the benchmarks is given. */
export interface Context {
  /** How much work. */
  scale: Scale;
  /** Cores for two processes that spin; undefined where each may run anywhere. */
  cores: readonly [number, number] | undefined;
  /** Aborted when the user wants to stop. */
  signal: AbortSignal;
  /** Tells a person what is going on. */
  progress(text: string): void;
}

/** Operations in an iteration of a `*_bench.ts` file: the work is measured, not the timer. */
export const OPERATIONS = 1000;

/** One benchmark: its name is its file's and its argument's. */
export interface Benchmark<Result> {
  /** One line for the help. */
  summary: string;
  /** Runs it. What it returns is its JSON. */
  run(context: Context): Promise<Result>;
  /** Returns its result for people. */
  format(result: Result): string;
}

/** A channel of a benchmark's own, in the default directory. Its file goes with it. */
export class BenchChannel implements Disposable {
  /** By which peers open it. */
  readonly name: string;
  /** By which the native loops open it. */
  readonly path: string;
  static #count = 0;

  constructor(options: ChannelOptions) {
    this.name = `bench-${Deno.pid}-${BenchChannel.#count++}`;
    using channel = createChannel(this.name, options);
    this.path = channel.bufferFile;
  }

  [Symbol.dispose](): void {
    removeChannel(this.name);
  }
}

/** Returns the run in the middle, so that a noisy neighbour of one run decides nothing. */
export function medianBy<Run>(runs: readonly Run[], value: (run: Run) => number): Run {
  const sorted = runs.toSorted((a, b) => value(a) - value(b));
  return sorted[(sorted.length - 1) >> 1]!;
}

/** Returns the median of numbers: of an even count, the middle between both in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1]!, sorted[sorted.length >> 1]!];
  return (low + high) / 2;
}

/** Latencies of one run in nanoseconds. */
export interface Percentiles {
  p50Ns: number;
  p90Ns: number;
  p99Ns: number;
  p999Ns: number;
  maxNs: number;
}

/** Returns a ratio as two digits say it, which is as much as any of it repeats. */
export function roundRatio(ratio: number): number {
  return Math.round(ratio * 100) / 100;
}

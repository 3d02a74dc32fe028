/**
 * What every benchmark gets and gives.
 *
 * @module
 */

import { type Channel, type ChannelOptions, createChannel, removeChannel } from "../mod.ts";

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
  /** Where logs are written; undefined for a directory of the benchmark's choice. */
  walDir: string | undefined;
  /** Bytes of a log to recover; undefined for the benchmark's choice. */
  logBytes: number | undefined;
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

/**
 * A channel of a benchmark's own, in the default directory. Its file and its log go with it. This
 * process writes the log, if there is one.
 */
export class BenchChannel implements Disposable {
  /** By which peers open it. */
  readonly name: string;
  /** By which the native loops open it. */
  readonly path: string;
  readonly #channel: Channel;
  static #count = 0;

  constructor(options: ChannelOptions) {
    this.name = `bench-${Deno.pid}-${BenchChannel.#count++}`;
    this.#channel = createChannel(this.name, options);
    this.path = this.#channel.bufferFile;
    if (options.walDir === undefined) this.#channel.close();
  }

  [Symbol.dispose](): void {
    const { logDirectory } = this.#channel;
    this.#channel.close();
    removeChannel(this.name);
    if (logDirectory !== undefined) Deno.removeSync(logDirectory, { recursive: true });
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

/** Returns the percentiles of values that one of which is `unitNs` nanoseconds. */
export function percentilesOf(values: Uint32Array | Float64Array, unitNs = 1): Percentiles {
  const sorted = values.toSorted();
  const at = (share: number) => {
    const index = Math.min(sorted.length - 1, Math.floor(sorted.length * share));
    return Math.round(10 * sorted[index]! * unitNs) / 10;
  };
  return { p50Ns: at(0.5), p90Ns: at(0.9), p99Ns: at(0.99), p999Ns: at(0.999), maxNs: at(1) };
}

/** Returns a ratio as two digits say it, which is as much as any of it repeats. */
export function roundRatio(ratio: number): number {
  return Math.round(ratio * 100) / 100;
}

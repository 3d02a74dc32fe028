/**
 * What every service counts: itself, beside what its parts count.
 *
 * @module
 */

import process from "node:process";
import {
  counter,
  type CounterDefinitions,
  type Counters,
  gauge,
  histogram,
  openCounters,
  readCounters,
  removeCounters,
} from "../../lib/observability/mod.ts";

/** Of every service. */
export const PROCESS_COUNTERS = {
  starts: counter(
    "process_starts_total",
    "Times that the service was started. Rising by itself: it dies; see stderr of its supervisor.",
  ),
  cpuTime: counter("process_cpu_seconds_total", "Processor time of the process, all threads."),
  residentBytes: gauge(
    "process_resident_bytes",
    "Memory of the process, its rings included. Rising without end: a leak; report it.",
  ),
  loopLag: histogram(
    "event_loop_lag_seconds",
    "How late timers are: what a message may wait for others. Above 50 ms: too much work.",
  ),
};

/** Milliseconds between two looks at the process: what is not counted in batches is as old. */
const SAMPLE_MS = 250;

/** The counters of a service that runs. */
export interface Counting<D extends CounterDefinitions> extends Disposable {
  readonly counters: Counters<D>;
  /** Has something called now and then, and once more at the end. */
  onSample(sample: () => void): void;
  /** Says that the service has ended in good order. Without it, what it leaves is a dead one's. */
  end(): void;
  /** Says that it has not begun: if nobody knew of it before, nobody is to miss it. */
  withdraw(): void;
}

/** Opens the counters of a service, and looks at its process now and then. */
export function startCounting<D extends CounterDefinitions>(
  instance: string,
  definitions: D,
  place: { directory?: string },
): Counting<D> {
  const counters = openCounters(instance, { ...PROCESS_COUNTERS, ...definitions }, place);
  const own = counters as unknown as Counters<typeof PROCESS_COUNTERS>;
  own.values.starts.add();
  let sample = () => {};
  let dueMs = performance.now() + SAMPLE_MS;
  const look = () => {
    const { user, system } = process.cpuUsage();
    own.update({ cpuTime: (user + system) / 1e6, residentBytes: Deno.memoryUsage().rss });
    sample();
  };
  look();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    own.values.loopLag.record((nowMs - dueMs) * 1e6);
    dueMs = nowMs + SAMPLE_MS;
    look();
  }, SAMPLE_MS);
  return {
    counters: counters as unknown as Counters<D>,
    onSample: (wanted) => void (sample = wanted),
    end() {
      look();
      counters.close();
    },
    withdraw() {
      const { instance } = counters;
      const found = readCounters(place).find((one) => one.instance === instance);
      if (found?.openings !== 1) return;
      counters.close();
      removeCounters(instance, place);
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      look(); // Does nothing after the end.
    },
  };
}

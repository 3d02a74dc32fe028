/**
 * Counters of services: what each counts lies in shared memory, where any process can read it, also
 * after a crash.
 *
 * There are no labels. What others would tell apart by a label (the reasons of refusals, the kinds
 * of messages) has a counter each, from a list that does not grow. The only thing that is added
 * outside is the instance.
 *
 * @module
 */

import { checkGroup, checkName } from "../channel/directory.ts";
import {
  COUNTER_HELP_BYTES_MAX,
  COUNTER_INSTANCE_BYTES_MAX,
  COUNTER_NAME_BYTES_MAX,
  COUNTERS_MAX,
  INVALID_ARGUMENT,
} from "../native/_layout.ts";
import {
  type CounterEntry,
  type CounterKind,
  listCounterFiles,
  openCounterFile,
  readCounterFile,
  removeCounterFile,
} from "../native/counters.ts";
import { readCounterHistogram } from "../native/histogram.ts";
import { native } from "../native/library.ts";
import { defaultDirectory, toAbsolute } from "../native/path.ts";
import { LatencyHistogram } from "./latency_histogram.ts";

export type { CounterKind };

/** What one value is. */
export interface CounterDefinition<K extends CounterKind = CounterKind> {
  /**
   * Its name as a metric, without the `mt_` before it: 1 to 64 of `a-z`, `0-9` and `_`. The unit
   * comes last, and `_total` behind it for a counter. A histogram is recorded in nanoseconds and
   * told in seconds, so its name ends in `_seconds`.
   */
  readonly name: string;
  /** `counter`: only grows. `gauge`: is set. `histogram`: latencies. */
  readonly kind: K;
  /** A sentence that says what it means, and what to do: at most 200 bytes. */
  readonly help: string;
}

/** What a service counts, by the names that its code uses. */
export type CounterDefinitions = Readonly<Record<string, CounterDefinition>>;

/** Definitions by the names that code uses: of counters, of gauges and of histograms. */
export type DefinitionsOf<
  C extends string,
  G extends string = never,
  H extends string = never,
> =
  & { readonly [K in C]: CounterDefinition<"counter"> }
  & { readonly [K in G]: CounterDefinition<"gauge"> }
  & { readonly [K in H]: CounterDefinition<"histogram"> };

/** Defines a value that only grows, also over restarts. */
export function counter(name: string, help: string): CounterDefinition<"counter"> {
  return { name, kind: "counter", help };
}

/** Defines a value that goes up and down. It begins with 0 at each start. */
export function gauge(name: string, help: string): CounterDefinition<"gauge"> {
  return { name, kind: "gauge", help };
}

/** Defines the distribution of a time. */
export function histogram(name: string, help: string): CounterDefinition<"histogram"> {
  return { name, kind: "histogram", help };
}

/** Where the files are. */
export interface CountersPlace {
  /**
   * Directory of the files; counting makes it where only its parent exists. Default: where channels
   * are created. Needs `--allow-read` and `--allow-write` for it.
   */
  directory?: string;
}

/** Where the file is, and who may read it. */
export interface OpenCountersOptions extends CountersPlace {
  /** Id of a group whose members share the file (mode 0660). Default: this user alone. */
  group?: number;
}

/** A value that only grows. */
export interface Counter {
  /**
   * Adds to it. One call of the native library, about 0.1 µs: add once for a batch. Does
   * nothing once the counters are closed, or if somebody has truncated their file.
   *
   * @throws {RangeError} If it is no finite number from 0 on.
   */
  add(amount?: number): void;
}

/** A value that goes up and down. */
export interface Gauge {
  /**
   * Sets it, at the cost of {@linkcode Counter.add}.
   *
   * @throws {RangeError} If it is no finite number.
   */
  set(value: number): void;
}

/** The distribution of a time. */
export interface Timer {
  /**
   * Counts a time in nanoseconds, at the cost of {@linkcode Counter.add}. A negative one counts
   * as 0, one above 68.7 s as that.
   *
   * @throws {RangeError} If it is no number.
   */
  record(ns: number): void;

  /** Returns all that was counted in the file so far; nothing once the counters are closed. */
  read(): LatencyHistogram;
}

interface ValueOf {
  counter: Counter;
  gauge: Gauge;
  histogram: Timer;
}

/** The values of some definitions. */
export type CounterValues<D extends CounterDefinitions> = {
  readonly [K in keyof D]: ValueOf[D[K]["kind"]];
};

/** What others have counted: of each counter all since the start, of each gauge how it stands. */
export type CounterTotals<D extends CounterDefinitions> = {
  readonly [K in keyof D as D[K]["kind"] extends "histogram" ? never : K]?: number;
};

/** The counters of a service, made by {@linkcode openCounters}. Those of one thread. */
export class Counters<D extends CounterDefinitions = CounterDefinitions> implements Disposable {
  /** Its name in the directory: another one with a number behind it if that was taken. */
  readonly instance: string;
  /** By the names in the definitions. */
  readonly values: CounterValues<D>;
  readonly #handle: number;
  readonly #places: ReadonlyMap<string, { index: number; kind: CounterKind }>;
  /** What {@linkcode update} has taken over so far. */
  readonly #taken: Float64Array;

  /** Made by {@linkcode openCounters}. */
  constructor(file: { handle: number; instance: string }, definitions: D) {
    this.instance = file.instance;
    this.#handle = file.handle;
    const entries = Object.entries(definitions);
    this.#places = new Map(entries.map(([key, { kind }], index) => [key, { index, kind }]));
    this.#taken = new Float64Array(entries.length);
    this.values = Object.fromEntries(
      entries.map(([key, { name }], index) => [key, new Value(file.handle, index, name)]),
    ) as unknown as CounterValues<D>;
  }

  /**
   * Takes over what somebody has counted on their own: a counter grows by what has come since the
   * last time, a gauge is set. For what is counted in plain numbers on a hot path: call this once
   * for a batch. Costs one native call for each value that has changed.
   */
  update(totals: CounterTotals<D>): void {
    const { mt_counter_add, mt_counter_set } = native();
    for (const key in totals) {
      const place = this.#places.get(key);
      const total = (totals as Record<string, number | undefined>)[key];
      if (place === undefined || total === undefined) continue;
      const { index, kind } = place;
      const taken = this.#taken[index]!;
      if (total === taken) continue;
      this.#taken[index] = total;
      if (kind === "counter") mt_counter_add(this.#handle, index, total - taken);
      else mt_counter_set(this.#handle, index, total);
    }
  }

  /**
   * Gives the file back, at an end in good order: it stays, and its state is `stopped`. A process
   * that ends without this, killed or by an error, leaves it as `dead`.
   */
  close(): void {
    native().mt_counters_end(this.#handle);
  }

  /** Closes them. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** All kinds in one: what a value may do, its type says. */
class Value implements Counter, Gauge, Timer {
  readonly #handle: number;
  readonly #index: number;
  readonly #name: string;

  constructor(handle: number, index: number, name: string) {
    this.#handle = handle;
    this.#index = index;
    this.#name = name;
  }

  add(amount = 1): void {
    this.#check(native().mt_counter_add(this.#handle, this.#index, amount), "add", amount);
  }

  set(value: number): void {
    this.#check(native().mt_counter_set(this.#handle, this.#index, value), "set", value);
  }

  record(ns: number): void {
    this.#check(native().mt_counter_record(this.#handle, this.#index, ns), "record", ns);
  }

  read(): LatencyHistogram {
    return new LatencyHistogram(readCounterHistogram(this.#handle, this.#index));
  }

  #check(status: number, action: string, value: number): void {
    if (status !== INVALID_ARGUMENT) return;
    throw new RangeError(`Cannot ${action} ${value} in ${this.#name}: found it out of its range`);
  }
}

/**
 * Opens the counters of a service, and makes their file where there is none:
 * `<directory>/<instance>.counters`.
 *
 * Whoever comes after a process of the same name that is gone, with the same definitions, goes on
 * counting in its file. With other definitions the file is replaced. While a process counts under
 * the name, the next one gets `<instance>-2`, and so on up to 16.
 *
 * @throws {RangeError} If the name or a definition is out of its limits.
 * @throws {NoSpaceError} If there is no room.
 * @throws {CorruptCountersError} If there is a file of that name that is none of counters.
 *
 * @example Counting, and reading it as another process would
 * ```ts
 * import {
 *   counter,
 *   histogram,
 *   openCounters,
 *   readCounters,
 *   removeCounters,
 * } from "message_transport/observability";
 * import { assertEquals } from "@std/assert";
 *
 * {
 *   using counters = openCounters("doc.shop", {
 *     orders: counter("shop_orders_total", "Orders taken. None for an hour: look at the door."),
 *     wait: histogram("shop_wait_seconds", "Time that a customer waits."),
 *   });
 *   counters.values.orders.add(3);
 *   counters.values.wait.record(2_000_000);
 * }
 * const [shop] = readCounters().filter(({ instance }) => instance === "doc.shop");
 * assertEquals(shop?.state, "stopped"); // It was closed; what it has counted stays.
 * assertEquals(shop?.values[0]?.value, 3);
 * assertEquals(shop?.values[1]?.histogram?.count, 1);
 * removeCounters("doc.shop");
 * ```
 */
export function openCounters<const D extends CounterDefinitions>(
  instance: string,
  definitions: D,
  options: OpenCountersOptions = {},
): Counters<D> {
  checkInstance(instance);
  const entries = Object.values(definitions);
  checkEntries(entries);
  const { group } = options;
  checkGroup(group);
  const file = openCounterFile({
    directory: directoryOf(options),
    instance,
    group,
  }, entries);
  return new Counters(file, definitions);
}

function checkInstance(instance: string): void {
  checkName(instance);
  if (instance.length <= COUNTER_INSTANCE_BYTES_MAX) return;
  throw new RangeError(
    `Cannot use "${instance}" as the name of an instance: expected at most ` +
      `${COUNTER_INSTANCE_BYTES_MAX} characters`,
  );
}

const METRIC = /^[a-z0-9_]+$/;

function checkEntries(entries: CounterEntry[]): void {
  const names = new Set(entries.map(({ name }) => name));
  if (entries.length === 0 || entries.length > COUNTERS_MAX || names.size < entries.length) {
    throw new RangeError(
      `Cannot open counters: expected 1 to ${COUNTERS_MAX} with names of their own, ` +
        `found ${entries.length}`,
    );
  }
  for (const { name, help } of entries) {
    const helpBytes = new TextEncoder().encode(help).length;
    if (
      METRIC.test(name) && name.length <= COUNTER_NAME_BYTES_MAX &&
      helpBytes <= COUNTER_HELP_BYTES_MAX
    ) continue;
    throw new RangeError(
      `Cannot open counter "${name}": expected 1 to ${COUNTER_NAME_BYTES_MAX} of a-z, 0-9 and ` +
        `"_", and at most ${COUNTER_HELP_BYTES_MAX} bytes of help, found ${helpBytes}`,
    );
  }
}

/** A value as it was read. */
export interface CounterReading extends CounterDefinition {
  /** What it stands at; undefined for a histogram. */
  value?: number;
  /** Of a histogram. */
  histogram?: LatencyHistogram;
}

/** What a service has counted. */
export interface ServiceCounters {
  /** Name of the service, with a number behind it if several run. */
  instance: string;
  /** Path of the file. */
  file: string;
  /**
   * - `alive`: somebody counts.
   * - `stopped`: whoever counted has ended in good order, by {@linkcode Counters.close}.
   * - `dead`: it has ended in any other way.
   * - `unreadable`: the file is damaged, or another version's; it has no values.
   */
  state: "alive" | "stopped" | "dead" | "unreadable";
  /** Process that counts, or counted last; 0 if unreadable. */
  pid: number;
  /** When it began, in milliseconds since 1970; 0 if unreadable. */
  startedMs: number;
  /** How many processes have counted in the file, one after the other; 0 if unreadable. */
  openings: number;
  /** In the order of their definitions. */
  values: CounterReading[];
  /** What reading said, if unreadable. */
  error?: string;
}

/**
 * Returns what all services of a directory have counted, also those that are gone, sorted by
 * instance. A file that is damaged gives an entry too, and never an exception.
 *
 * Takes part in nothing. Cost: some system calls for each file, and 8 KiB for each histogram.
 */
export function readCounters(place: CountersPlace = {}): ServiceCounters[] {
  const directory = directoryOf(place);
  return listCounterFiles(directory).map((instance) => {
    const file = `${directory}/${instance}.counters`;
    try {
      return readOne(instance, file);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const nothing = { pid: 0, startedMs: 0, openings: 0, values: [] };
      return { instance, file, state: "unreadable", ...nothing, error: error.message };
    }
  });
}

function readOne(instance: string, path: string): ServiceCounters {
  const file = readCounterFile(path);
  const histograms = file.histograms.values();
  const values = file.entries.map((entry, index): CounterReading => {
    if (entry.kind !== "histogram") return { ...entry, value: file.values[index]! };
    return { ...entry, histogram: new LatencyHistogram(histograms.next().value!) };
  });
  const { pid, startedMs, openings, isAlive, hasEnded } = file;
  const state = isAlive ? "alive" : hasEnded ? "stopped" : "dead";
  return { instance, file: path, state, pid, startedMs, openings, values };
}

function directoryOf({ directory }: CountersPlace): string {
  return directory === undefined ? defaultDirectory() : toAbsolute(directory);
}

/**
 * Removes the counters of a service that does not live, whatever their file holds.
 *
 * @throws {Deno.errors.Busy} If it lives.
 * @throws {Deno.errors.NotFound} If there are none.
 */
export function removeCounters(instance: string, place: CountersPlace = {}): void {
  checkName(instance);
  removeCounterFile(`${directoryOf(place)}/${instance}.counters`);
}

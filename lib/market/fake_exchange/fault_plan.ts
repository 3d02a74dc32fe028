/**
 * When the fake exchange does what a real one would rather not: by a script, or by chance.
 *
 * @module
 */

/** What can happen to a message of a stream. */
export const STREAM_FAULTS = [
  /** It is not sent. */
  "drop",
  /** The next depth update is not sent. */
  "gap",
  /** It is sent twice. */
  "duplicate",
  /** It is sent after the next one. */
  "reorder",
  /** Something that is no message is sent before it. */
  "garbage",
  /** A frame is announced that is longer than any message. */
  "huge",
  /** The connection is cut, without a word. */
  "disconnect",
  /** Nothing is sent any more; the connection stays. */
  "stall",
  /** The end of the connection is announced, and comes some messages later. */
  "shutdown",
] as const;

/** What can happen to a REST request. */
export const REST_FAULTS = [
  /** 429 with `Retry-After`. */
  "limited",
  /** 418 with `Retry-After`. */
  "banned",
  /** 503 with a page. */
  "broken",
  /** 200 with half an answer. */
  "cut",
  /** 200 with a snapshot from before. */
  "stale",
  /** No answer, until the client gives up. */
  "silent",
] as const;

/** See {@linkcode STREAM_FAULTS}. */
export type StreamFault = typeof STREAM_FAULTS[number];
/** See {@linkcode REST_FAULTS}. */
export type RestFault = typeof REST_FAULTS[number];

/** Probability of each fault for each message or request, 0 to 1; their sum is 1 at most. */
export type FaultRates<Fault extends string> = Readonly<Partial<Record<Fault, number>>>;

/** Decides which fault comes next. */
export class FaultPlan<Fault extends string> {
  /** How often each fault has come. */
  readonly counts: Partial<Record<Fault, number>> = {};
  readonly #random: () => number;
  readonly #script: Fault[] = [];
  #rates: [Fault, number][] = [];

  /** `random` gives numbers of 0 to 1 without 1. */
  constructor(rates: FaultRates<Fault>, random: () => number) {
    this.#random = random;
    this.setRates(rates);
  }

  /** Changes the probabilities. */
  setRates(rates: FaultRates<Fault>): void {
    this.#rates = Object.entries(rates) as [Fault, number][];
  }

  /** Makes these the next faults, one a message or request. */
  inject(...faults: Fault[]): void {
    this.#script.push(...faults);
  }

  /** The fault of the next message or request, if it has one. */
  next(): Fault | undefined {
    const fault = this.#script.shift() ?? this.#byChance();
    if (fault !== undefined) this.counts[fault] = (this.counts[fault] ?? 0) + 1;
    return fault;
  }

  #byChance(): Fault | undefined {
    if (this.#rates.length === 0) return undefined;
    let rest = this.#random();
    for (const [fault, rate] of this.#rates) {
      rest -= rate;
      if (rest < 0) return fault;
    }
    return undefined;
  }
}

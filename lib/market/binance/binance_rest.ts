/**
 * Binance's REST interface, as far as a feed needs it: depth snapshots and instruments' scales.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import { backOffMs, type BackOffOptions, Budget } from "../collector/back_off.ts";
import type { Scales } from "../instruments.ts";
import { fetchText, type HttpText } from "./http_text.ts";

/** How a {@linkcode BinanceRest} asks. */
export interface BinanceRestOptions {
  /** Such as `"https://api.binance.com"`. */
  readonly url: string;
  /** Whose rules it follows. */
  readonly market: "spot" | "futures";
  /** Levels of a snapshot on each side. Default: 1,000. */
  readonly depthLimit?: number;
  /** Weight that may be spent in a minute. Default: 1,200, of Binance's 6,000 (futures: 2,400). */
  readonly weightPerMinute?: number;
  /** Until an answer must be there. Default: 10,000 ms. */
  readonly timeoutMs?: number;
  /** Between attempts. Default: 500 ms to 60,000 ms. */
  readonly backOff?: BackOffOptions;
  /** Told why there is no answer, each time. */
  readonly onTrouble?: (cause: string, detail: string) => void;
}

/** What became of the requests. */
export interface RestCounts {
  /** All requests. */
  requests: number;
  /** Answered with what was asked for. */
  answered: number;
  /** Answered with 429 or 418: too many requests. */
  limited: number;
  /** Answered with something else, or not at all. */
  failed: number;
}

/** Something to ask for. */
interface Request {
  /** Behind the root. */
  readonly path: string;
  /** What it costs. */
  readonly weight: number;
  /** Whether the server's "bad request" is an answer; else it is asked again. */
  readonly isRefusable: boolean;
}

/** Longest answer. Arbitrary: the list of all instruments has some 15 MB. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

const MINUTE_MS = 60_000;

/** Longest wait that a server may ask for: Binance's longest ban. */
const RETRY_AFTER_MS_MAX = 3 * 24 * 60 * MINUTE_MS;

const BAD_REQUEST = 400;
const TOO_MANY_REQUESTS = 429;
/** Binance's status for an address that went on after 429. */
const BANNED = 418;

/** Asks one thing after the other, and again until there is an answer. Thread: one. */
export class BinanceRest {
  /** What became of the requests so far. */
  readonly counts: RestCounts = { requests: 0, answered: 0, limited: 0, failed: 0 };
  readonly #options: BinanceRestOptions;
  readonly #root: string;
  readonly #backOff: BackOffOptions;
  readonly #budget: Budget;
  /** Resolves when the request before has its answer. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Before this nothing may be asked, because the server said so. */
  #notBeforeMs = 0;

  /** Asks for nothing yet. */
  constructor(options: BinanceRestOptions) {
    this.#options = options;
    this.#root = options.market === "futures" ? "/fapi/v1" : "/api/v3";
    this.#backOff = options.backOff ?? { minMs: 500, maxMs: 60_000 };
    this.#budget = new Budget(options.weightPerMinute ?? 1_200, MINUTE_MS);
  }

  /**
   * Fetches a depth snapshot, however many attempts it takes.
   *
   * @returns The answer as it came: nothing has parsed it.
   * @throws {Error} The signal's reason.
   */
  snapshot(symbol: string, signal: AbortSignal): Promise<string> {
    const { depthLimit = 1_000, market } = this.#options;
    const query = new URLSearchParams({ symbol, limit: String(depthLimit) });
    const weight = snapshotWeight(depthLimit, market);
    return this.#insist({ path: `depth?${query}`, weight, isRefusable: false }, signal);
  }

  /**
   * Fetches the decimals of instruments, however many attempts it takes.
   *
   * @throws {RangeError} If the exchange has no such instrument, or tells no decimals of it.
   * @throws {Error} The signal's reason.
   */
  async scales(symbols: readonly string[], signal: AbortSignal): Promise<Map<string, Scales>> {
    // Futures know no filter: the answer has all instruments.
    const isFiltered = this.#options.market === "spot";
    const query = isFiltered ? `?symbols=${encodeURIComponent(JSON.stringify(symbols))}` : "";
    const request = { path: `exchangeInfo${query}`, weight: INFO_WEIGHT, isRefusable: true };
    for (let failures = 1;; failures++) {
      const text = await this.#insist(request, signal);
      const all = readScales(text);
      if (all !== undefined) {
        return new Map(symbols.map((symbol) => [symbol, scalesOf(all, symbol)]));
      }
      this.#trouble("garbage", `exchangeInfo: ${text.slice(0, 100)}`);
      await this.#pause(failures, signal);
    }
  }

  /** Waits after a number of failures in a row. */
  async #pause(failures: number, signal: AbortSignal): Promise<void> {
    await setTimeout(backOffMs(failures, this.#backOff), undefined, { signal });
  }

  async #insist(request: Request, signal: AbortSignal): Promise<string> {
    for (let failures = 1;; failures++) {
      const attempt = this.#turn.then(() => this.#attempt(request, signal));
      this.#turn = attempt.catch(() => {});
      const text = await attempt;
      if (text !== undefined) return text;
      await this.#pause(failures, signal);
    }
  }

  async #attempt(request: Request, signal: AbortSignal): Promise<string | undefined> {
    const waitMs = this.#notBeforeMs - performance.now();
    if (waitMs > 0) await setTimeout(waitMs, undefined, { signal });
    await this.#budget.spend(request.weight, signal);
    const url = new URL(`${this.#root}/${request.path}`, this.#options.url);
    const { timeoutMs = 10_000 } = this.#options;
    this.counts.requests++;
    let answer: HttpText;
    try {
      answer = await fetchText(url, { timeoutMs, bytesMax: ANSWER_BYTES_MAX, signal });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Deno.errors.NotCapable) throw error;
      this.counts.failed++;
      this.#trouble("unanswered", error instanceof Error ? error.message : String(error));
      return undefined;
    }
    return this.#take(request, answer);
  }

  #take(request: Request, { status, headers, text }: HttpText): string | undefined {
    if (status === 200) {
      this.counts.answered++;
      return text;
    }
    if (status === TOO_MANY_REQUESTS || status === BANNED) {
      this.counts.limited++;
      const seconds = Number(headers.get("Retry-After") ?? NaN);
      const askedMs = seconds >= 0 ? seconds * 1000 : MINUTE_MS;
      this.#notBeforeMs = performance.now() + Math.min(RETRY_AFTER_MS_MAX, askedMs);
    } else this.counts.failed++;
    if (status === BAD_REQUEST && request.isRefusable) {
      throw new RangeError(
        `Cannot ask the exchange for ${request.path}: found ${text.slice(0, 200)}`,
      );
    }
    this.#trouble(`status ${status}`, text.slice(0, 200));
    return undefined;
  }

  #trouble(cause: string, detail: string): void {
    this.#options.onTrouble?.(cause, detail);
  }
}

/** Weight of `exchangeInfo`, and of a snapshot: rows of largest limit and weight. */
const INFO_WEIGHT = 20;
const SPOT_WEIGHTS = [[100, 5], [500, 25], [1_000, 50], [5_000, 250]] as const;
const FUTURES_WEIGHTS = [[50, 2], [100, 5], [500, 10], [1_000, 20]] as const;

function snapshotWeight(limit: number, market: "spot" | "futures"): number {
  const rows = market === "spot" ? SPOT_WEIGHTS : FUTURES_WEIGHTS;
  return (rows.find(([upTo]) => limit <= upTo) ?? rows.at(-1)!)[1];
}

interface Filter {
  readonly filterType?: unknown;
  readonly tickSize?: unknown;
  readonly stepSize?: unknown;
}

/** Reads the answer of `exchangeInfo`: scales by symbol, or undefined if it is none. */
function readScales(text: string): Map<string, Partial<Scales>> | undefined {
  let symbols: unknown;
  try {
    symbols = JSON.parse(text)?.symbols;
  } catch {
    return undefined;
  }
  if (!Array.isArray(symbols)) return undefined;
  return new Map(symbols.map((entry) => {
    const filters: Filter[] = Array.isArray(entry?.filters) ? entry.filters : [];
    const step = (type: string) => filters.find((filter) => filter?.filterType === type);
    const priceDecimals = decimalsOf(step("PRICE_FILTER")?.tickSize);
    const quantityDecimals = decimalsOf(step("LOT_SIZE")?.stepSize);
    return [String(entry?.symbol), {
      ...(priceDecimals === undefined ? {} : { priceDecimals }),
      ...(quantityDecimals === undefined ? {} : { quantityDecimals }),
    }];
  }));
}

/** Decimals that a step such as `"0.01000000"` leaves. */
function decimalsOf(step: unknown): number | undefined {
  if (typeof step !== "string" || !/^\d+(\.\d+)?$/.test(step) || Number(step) === 0) {
    return undefined;
  }
  return (step.split(".")[1] ?? "").replace(/0+$/, "").length;
}

function scalesOf(all: Map<string, Partial<Scales>>, symbol: string): Scales {
  const { priceDecimals, quantityDecimals } = all.get(symbol) ?? {};
  if (priceDecimals !== undefined && quantityDecimals !== undefined) {
    return { priceDecimals, quantityDecimals };
  }
  throw new RangeError(
    `Cannot collect "${symbol}" as an instrument of the exchange: found ` +
      (all.has(symbol) ? "no steps of its prices and quantities" : "no such symbol"),
  );
}

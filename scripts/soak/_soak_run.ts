/**
 * A soak: orders at a steady rate, services killed at random, and every process watched for what it
 * does not give back.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import { openInstruments } from "../../lib/market/mod.ts";
import { Audit, type Verdict } from "../demo/_audit.ts";
import { Interruption } from "../demo/_interruption.ts";
import { MarketDataClient } from "../demo/_market_data_client.ts";
import { Progress } from "../demo/_progress.ts";
import { findProblems } from "../demo/_report.ts";
import type { LoadCounts } from "../load/counts.ts";
import type { Supervised } from "../services/_supervisor.ts";
import { formatCount } from "../_table.ts";
import { calibrate } from "./_calibration.ts";
import { type Trend, trendsOf } from "./_flatness.ts";
import { type ChannelFigures, Sampler } from "./_sampler.ts";
import { INSTRUMENTS, SESSIONS, SoakScene } from "./_scene.ts";

/** How it is done. */
export interface SoakOptions {
  minutes: number;
  /** Orders a second; undefined for half of what the machine takes. */
  rate: number | undefined;
  seed: number;
  /** Seconds between two kills, on average. */
  killSeconds: number;
  isQuiet: boolean;
}

/** What came of it. With `--json` it is printed as it is. */
export interface SoakReport extends LoadCounts, Verdict {
  minutes: number;
  rate: number;
  seed: number;
  /** Kills by service; each has to be followed by a restart. */
  kills: Record<string, number>;
  restarts: number;
  /** Milliseconds that a service was away, at most. */
  downMsMax: number;
  channels: ChannelFigures;
  trends: Trend[];
  /** What is not as promised, or not flat. */
  problems: string[];
}

/** Share of the time after which nobody is killed any more: long lives tell more of flatness. */
const KILLED_SHARE = 0.6;

/** Seconds between two kills at least: the supervisor gives up what never becomes ready. */
const KILL_SECONDS_MIN = 3;

/**
 * What the processes' JavaScript may keep, in MiB: a few times what they need. Without a limit, V8
 * lets a heap grow to hundreds of MiB before it looks what of it is garbage, and nothing could be
 * told in minutes. What leaks is the end of its process here.
 */
const HEAP_FLAGS = "--max-old-space-size=32,--max-semi-space-size=2";

/**
 * Runs it. Leaves neither a process nor a file, however it ends.
 *
 * @throws {InterruptedError} If a signal ended it before its time.
 * @throws {ScriptError} If a service failed for good.
 */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  Deno.env.set("DENO_V8_FLAGS", HEAP_FLAGS); // Of the processes that are started.
  using interruption = new Interruption();
  const state = { phase: "starting", describe: () => "" };
  using progress = new Progress(() => `${state.phase}${state.describe()}`, options);
  const work = async () => {
    let { rate } = options;
    if (rate === undefined) {
      state.phase = "calibrating";
      const most = await calibrate(options.seed, (tried, isKeptUp) => {
        progress.note(`${formatCount(tried)} orders/s: ${isKeptUp ? "kept up" : "too many"}`);
      });
      rate = most / 2;
      progress.note(`rate: ${formatCount(rate)} orders/s`);
    }
    await using scene = await SoakScene.open(rate, ({ name, found, downMs }) => {
      progress.note(`${name} ended by ${found}; the next was ready ${downMs.toFixed(0)} ms later`);
    });
    const run = new SoakRun(scene, { ...options, rate });
    state.describe = () => `: ${run.describe()}`;
    state.phase = "orders flow";
    try {
      return await scene.watch(run.finish());
    } finally {
      state.describe = () => ""; // Its channels are about to be closed.
      state.phase = "ending";
    }
  };
  return await Promise.race([work(), interruption.promise]);
}

/** A run from the first order to the judgement; the pipeline is ready. */
class SoakRun {
  readonly #scene: SoakScene;
  readonly #options: SoakOptions & { rate: number };
  readonly #audit: Audit;
  readonly #kills: Record<string, number> = {};
  readonly #startMs = performance.now();
  #random: number;
  #killed = 0;

  constructor(scene: SoakScene, options: SoakOptions & { rate: number }) {
    this.#scene = scene;
    this.#options = options;
    this.#audit = new Audit(scene.pipeline.channels);
    this.#random = options.seed | 0 || 1;
  }

  describe(): string {
    const { orders } = this.#scene.pipeline.channels;
    const minutes = (performance.now() - this.#startMs) / 60_000;
    return `${minutes.toFixed(1)} of ${this.#options.minutes.toFixed(1)} min, ` +
      `${formatCount(orders.stats().nextSequence - 1)} orders, ${this.#killed} kills`;
  }

  async finish(): Promise<SoakReport> {
    const { pipeline } = this.#scene;
    const { minutes, rate, seed } = this.#options;
    const { url } = await pipeline.marketData.ready;
    const market = new MarketDataClient(url as string);
    const load = await this.#scene.startLoad(rate, seed);
    const sampler = new Sampler([...pipeline.all, load], pipeline, market);
    try {
      await this.#disturb(KILLED_SHARE * minutes * 60_000);
      const passedMs = performance.now() - this.#startMs;
      await setTimeout(Math.max(0, minutes * 60_000 - passedMs));
    } finally {
      sampler[Symbol.dispose]();
    }
    const outcome = await this.#scene.stopLoad(load);
    await this.#scene.watch(pipeline.settled());
    const symbols = INSTRUMENTS.map((text) => text.split(":")[0]!);
    const books = await Promise.all(symbols.map((symbol) => market.book(symbol)));
    const { engine } = await pipeline.stop();
    const file = `${this.#scene.place.directory}/state/instruments`;
    const told = { engine, books, sessions: outcome.sessions };
    return this.#report(
      outcome.counts,
      this.#audit.judge(told, openInstruments(file).all()),
      sampler,
    );
  }

  /** Kills one service after the other, and waits for the next process of the last one. */
  async #disturb(milliseconds: number): Promise<void> {
    const { all } = this.#scene.pipeline;
    const end = performance.now() + milliseconds;
    for (;;) {
      // Exponentially distributed, as what comes without a memory is.
      const meanMs = 1000 * this.#options.killSeconds;
      const waitMs = Math.max(1000 * KILL_SECONDS_MIN, -meanMs * Math.log(1 - this.#share()));
      if (performance.now() + waitMs > end) break;
      await setTimeout(waitMs);
      await this.#kill(all[Math.floor(this.#share() * all.length)]!);
    }
  }

  async #kill(service: Supervised): Promise<void> {
    const { restarted } = service;
    this.#kills[service.name] = (this.#kills[service.name] ?? 0) + 1;
    this.#killed++;
    service.kill();
    await restarted;
  }

  /** From 0 to below 1, by xorshift32 (Marsaglia, 2003). */
  #share(): number {
    this.#random ^= this.#random << 13;
    this.#random ^= this.#random >>> 17;
    this.#random ^= this.#random << 5;
    return (this.#random >>> 0) / 2 ** 32;
  }

  #report(counts: LoadCounts, verdict: Verdict, sampler: Sampler): SoakReport {
    const { minutes, rate, seed } = this.#options;
    const { restarts } = this.#scene.supervisor;
    const deaths: Record<string, number> = {};
    for (const { name } of restarts) deaths[name] = (deaths[name] ?? 0) + 1;
    for (const [name, count] of Object.entries(this.#kills)) {
      deaths[name] = (deaths[name] ?? 0) - count;
    }
    const trends = sampler.lifetimes.flatMap(trendsOf);
    const report = { ...counts, ...verdict, minutes, rate, seed };
    const problems = [
      ...findProblems({
        ...report,
        ...{ durability: "disk", sessions: SESSIONS, throughput: counts.acks / counts.seconds },
        ...{ latency: {}, recovery: null, deaths },
      }),
      ...trends.filter(({ isFlat }) => !isFlat).map(({ name, pid, figure, perMinute }) =>
        `${figure} of ${name} (process ${pid}) grow by ${perMinute.toFixed(1)} a minute`
      ),
    ];
    return {
      ...report,
      kills: this.#kills,
      restarts: restarts.length,
      downMsMax: Math.max(0, ...restarts.map(({ downMs }) => downMs)),
      channels: sampler.channels,
      trends,
      problems,
    };
  }
}

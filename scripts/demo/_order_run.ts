/**
 * The demo on made-up orders: starts the pipeline, lets orders flow, kills the engine in between,
 * and judges what has come of it.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import { HOPS, type MarketDataReport } from "../../lib/exchange/mod.ts";
import { openInstruments } from "../../lib/market/mod.ts";
import { loadGenerator } from "../services/load_generator.ts";
import { Supervisor } from "../services/_supervisor.ts";
import { formatCount } from "../_table.ts";
import type { LoadOutcome } from "../load/load_generator.ts";
import { Audit } from "./_audit.ts";
import { Interruption } from "./_interruption.ts";
import { MarketDataClient } from "./_market_data_client.ts";
import { Pipeline } from "./_pipeline.ts";
import { RunPlace } from "./_place.ts";
import { Progress, Rate } from "./_progress.ts";
import { findProblems, type RecoveryReport, type Report, type WayLatency } from "./_report.ts";

/** What is to be shown. */
export interface OrderOptions {
  /** How long orders flow; 0 until a signal. */
  seconds: number;
  /** Orders a second. */
  rate: number;
  seed: number;
  /** No progress. */
  isQuiet: boolean;
  /** Tells the address of the page. */
  showsPage: boolean;
}

/** What is traded. */
const INSTRUMENTS = ["BTC-USD:2:8", "ETH-USD:2:8", "SOL-USD:3:6"];

/** Clients. */
const SESSIONS = 8;

/** So many times its share a session may send: what waits for a gateway comes at once. */
const BURST = 20;

/** Seconds until the engine is killed, where nobody knows how long orders will flow. */
const ENDLESS_KILL_SECONDS = 5;

/**
 * Runs the demo. Leaves neither a process nor a file, however it ends.
 *
 * @throws {InterruptedError} If a signal ended it before its time.
 * @throws {ScriptError} If a service failed for good.
 */
export async function runOrders(options: OrderOptions): Promise<Report> {
  using interruption = new Interruption();
  await using place = new RunPlace();
  const state = { phase: "starting" };
  let describe = () => state.phase;
  using progress = new Progress(() => describe(), options);
  await using supervisor = new Supervisor(place.lockFile, ({ name, found, downMs }) => {
    progress.note(
      `${name} ended by ${found}; the next one was ready ${downMs.toFixed(0)} ms later`,
    );
  });
  using pipeline = new Pipeline({
    ...{ place, supervisor, instruments: INSTRUMENTS, durability: "disk" },
    ordersPerSecond: Math.ceil(options.rate / SESSIONS) * BURST,
  });
  const work = async () => {
    await pipeline.ready();
    if (options.showsPage) progress.note(`page: ${(await pipeline.marketData.ready).url}`);
    describe = describeFlow(pipeline, state);
    const run = new OrderRun({ options, place, supervisor, pipeline, state });
    return await run.finish(interruption);
  };
  const failures = [supervisor.failure];
  if (options.seconds > 0) failures.push(interruption.promise);
  return await Promise.race([work(), ...failures]);
}

/** Shows the channels as any observer sees them. */
function describeFlow({ channels }: Pipeline, state: { phase: string }): () => string {
  const [orders, events] = [new Rate(), new Rate()];
  return () => {
    const counts = [channels.orders, channels.events].map((channel) =>
      channel.stats().nextSequence - 1
    );
    const [requests = 0, made = 0] = counts;
    return `${state.phase}: ${formatCount(requests)} orders, ${
      formatCount(orders.next(requests))
    }/s` +
      `, ${formatCount(made)} events, ${formatCount(events.next(made))}/s`;
  };
}

interface RunParts {
  options: OrderOptions;
  place: RunPlace;
  supervisor: Supervisor;
  pipeline: Pipeline;
  /** What is going on now, for people. */
  state: { phase: string };
}

/** A run from the first order to the judgement; the pipeline is ready. */
class OrderRun {
  readonly #parts: RunParts;
  readonly #audit: Audit;

  constructor(parts: RunParts) {
    this.#parts = parts;
    this.#audit = new Audit(parts.pipeline.channels);
  }

  async finish(interruption: Interruption): Promise<Report> {
    const { options, place, supervisor, pipeline, state } = this.#parts;
    const { url } = await pipeline.marketData.ready;
    const market = new MarketDataClient(url as string);
    const seconds = options.seconds || 2 * ENDLESS_KILL_SECONDS;
    const outcomeFile = `${place.directory}/state/load`;
    const load = supervisor.start(loadGenerator, {
      args: [
        ...["--url", (await pipeline.gateway.ready).url as string, "--outcome-file", outcomeFile],
        ...["--rate", `${options.rate}`, "--sessions", `${SESSIONS}`, "--seed", `${options.seed}`],
        ...["--apart-ms", `${seconds * 500}`, "--channel-prefix", place.channelPrefix],
      ],
    });
    await load.ready;
    state.phase = "orders flow";
    await setTimeout(seconds * 500);
    const undisturbed = await market.stats();
    const recovery = await this.#killEngine();
    const restMs = Math.max(0, options.seconds * 500 - recovery.downMs);
    await (options.seconds > 0 ? setTimeout(restMs) : interruption.promise.catch(() => {}));
    state.phase = "waiting for answers";
    await load.stop();
    await pipeline.settled();
    const whole = await market.stats();
    const symbols = INSTRUMENTS.map((text) => text.split(":")[0]!);
    const books = await Promise.all(symbols.map((symbol) => market.book(symbol)));
    state.phase = "judging";
    const { engine } = await pipeline.stop();
    const outcome = JSON.parse(await Deno.readTextFile(outcomeFile)) as LoadOutcome;
    const instruments = openInstruments(`${place.directory}/state/instruments`).all();
    const verdict = this.#audit.judge({ engine, books, sessions: outcome.sessions }, instruments);
    return this.#report(outcome, { ...verdict, recovery }, latencyOf(outcome, undisturbed, whole));
  }

  async #killEngine(): Promise<RecoveryReport> {
    const { pipeline: { engine }, state } = this.#parts;
    state.phase = "engine killed";
    const { restarted } = engine;
    engine.kill();
    const { name, downMs, ready } = await restarted;
    state.phase = "orders flow";
    const { recoveryMs, replayed } = ready as { recoveryMs: number; replayed: number };
    return { killed: name, downMs, recoveryMs, replayed };
  }

  #report(
    { counts }: LoadOutcome,
    found: ReturnType<Audit["judge"]> & Pick<Report, "recovery">,
    latency: Report["latency"],
  ): Report {
    const { rate, seed } = this.#parts.options;
    const deaths: Record<string, number> = {};
    for (const { name } of this.#parts.supervisor.restarts) deaths[name] = (deaths[name] ?? 0) + 1;
    const report = {
      ...counts,
      ...found,
      ...{ durability: "disk" as const, rate, seed, sessions: SESSIONS, latency, deaths },
      throughput: counts.acks / counts.seconds,
    };
    return { ...report, problems: [...findProblems(report)] };
  }
}

/** Brings together what market data and the clients have measured. */
function latencyOf(
  { latency }: LoadOutcome,
  undisturbed: MarketDataReport,
  whole: MarketDataReport,
): Record<string, WayLatency> {
  const hops = HOPS.map((hop) => [
    hop,
    { undisturbed: undisturbed.hops[hop].total, whole: whole.hops[hop].total },
  ]);
  const ways = Object.entries(latency).map(([way, { apart, whole }]) => [
    way,
    { undisturbed: apart, whole },
  ]);
  return Object.fromEntries([...hops, ...ways]);
}

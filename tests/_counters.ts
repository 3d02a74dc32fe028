/**
 * What the tests of counters share: definitions, and a process that counts.
 *
 * @module
 */

import { ENGINE_COUNTERS, GATEWAY_COUNTERS, MARKET_DATA_COUNTERS } from "../lib/exchange/mod.ts";
import { COLLECTOR_COUNTERS, JOURNAL_COUNTERS } from "../lib/market/mod.ts";
import {
  CHECKPOINT_COUNTERS,
  counter,
  type CounterDefinitions,
  gauge,
  histogram,
} from "../lib/observability/mod.ts";
import {
  FAKE_EXCHANGE_COUNTERS,
  LOAD_COUNTERS,
  PERSISTER_COUNTERS,
} from "../scripts/services/_counters.ts";
import { PROCESS_COUNTERS } from "../scripts/services/_service_counters.ts";
import { ROOT } from "./_support.ts";

/** What is counted. */
export const COUNTED = {
  orders: counter("shop_orders_total", "Orders taken."),
  sessions: gauge("shop_sessions_open", "Customers in the shop."),
  wait: histogram("shop_wait_seconds", "Time that customers wait."),
};

/** A process that counts until it is killed. */
export class CountingChild {
  readonly #child: Deno.ChildProcess;
  /** The name that it got. */
  readonly instance: string;

  private constructor(child: Deno.ChildProcess, instance: string) {
    this.#child = child;
    this.instance = instance;
  }

  /** Starts it. Resolves when it has counted. */
  static async start(directory: string, instance: string): Promise<CountingChild> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--no-lock", `--allow-ffi=${ROOT}zig-out`],
        ...[`--allow-read=${directory},${ROOT}`, `--allow-write=${directory}`],
        ...[`${ROOT}tests/_counters_child.ts`, directory, instance],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream());
    for await (const text of lines.values({ preventCancel: true })) {
      await lines.cancel().catch(() => {});
      return new CountingChild(child, text.trim());
    }
    throw new Error(`Cannot count: the process ended with ${(await child.status).code}`);
  }

  get pid(): number {
    return this.#child.pid;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}

/** What each service counts, the parts of a service apart. */
export const ALL_COUNTERS: Readonly<Record<string, CounterDefinitions>> = {
  process: PROCESS_COUNTERS,
  checkpoint: CHECKPOINT_COUNTERS,
  gateway: GATEWAY_COUNTERS,
  engine: ENGINE_COUNTERS,
  marketData: MARKET_DATA_COUNTERS,
  collector: COLLECTOR_COUNTERS,
  journal: JOURNAL_COUNTERS,
  persister: PERSISTER_COUNTERS,
  load: LOAD_COUNTERS,
  fakeExchange: FAKE_EXCHANGE_COUNTERS,
};

/**
 * `mt matching-engine`, or `mt engine`: matches orders.
 *
 * @module
 */

import { mkdirSync } from "node:fs";
import { ENGINE_COUNTERS, startEngine } from "../../lib/exchange/mod.ts";
import type { Counters } from "../../lib/observability/mod.ts";
import type { Instrument } from "../../lib/market/instruments.ts";
import { openCheckpoints } from "../../mod.ts";
import { UsageError } from "../_command.ts";
import {
  CHANNEL_SETTINGS,
  channelPermissions,
  openOrderChannels,
  STATE_SETTINGS,
} from "./_channels.ts";
import {
  INSTRUMENT_SETTINGS,
  instrumentsDirectory,
  openConfiguredInstruments,
} from "./_instruments.ts";
import { defineService, type RunningService, serve, type Service } from "./_service.ts";
import { integer, needed, type Values } from "./_settings.ts";

function limit(max: number, byDefault: number, help: string) {
  return integer({ min: 1, max, byDefault }, help);
}

const SETTINGS = {
  ...CHANNEL_SETTINGS,
  ...STATE_SETTINGS,
  ...INSTRUMENT_SETTINGS,
  maxOpenOrders: limit(16_000_000, 1_000_000, "orders that rest at the same time"),
  maxSessions: limit(1_000_000, 16_384, "sessions that are remembered"),
  answersKept: limit(65_536, 256, "answers that are kept for each session"),
};

/** The service. */
export const matchingEngine: Service<typeof SETTINGS, typeof ENGINE_COUNTERS> = defineService({
  name: "matching-engine",
  alias: "engine",
  summary: "Matches orders out of gateway.orders, and tells what comes of them in engine.events.",
  settings: SETTINGS,
  counters: ENGINE_COUNTERS,
  permissions: (values) =>
    channelPermissions(values, { paths: [values.stateDir, instrumentsDirectory(values)] }),
  start,
});

async function start(
  values: Values<typeof SETTINGS>,
  counters: Counters<typeof ENGINE_COUNTERS>,
): Promise<RunningService> {
  const { stateEvery, snapshotIntervalMs, maxOpenOrders, maxSessions, answersKept } = values;
  const stateDir = needed(values, "stateDir");
  needed(values, "walDir");
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const instruments = configured(values);
  using ends = new DisposableStack();
  const { orders, events } = openOrderChannels(values, "engine.events", ends);
  const checkpoints = ends.use(openCheckpoints({ directory: stateDir }));
  const running = await startEngine({
    ...{ orders, events, checkpoints, counters },
    engine: { instruments, maxOpenOrders, maxSessions, answersKept },
    checkpointIntervalMs: snapshotIntervalMs,
    ...(stateEvery !== undefined && { checkpointEvery: stateEvery }),
  });
  const opened = ends.move();
  const { recovery, engine: { lastSequence, lastEventNumber, openOrders } } = running;
  return {
    ready: {
      ...recovery,
      recoveryMs: Math.round(recovery.recoveryMs),
      ...{ lastSequence, lastEventNumber, openOrders, instruments: instruments.length },
    },
    ended: running.ended,
    sample: () => running.tellLag(),
    async stop() {
      const summary = await running.stop();
      opened.dispose();
      return { ...summary };
    },
  };
}

/**
 * Returns the instruments that are configured, and no others that the file has meanwhile: an engine
 * that is started again has to know what it knew.
 */
function configured(values: Values<typeof SETTINGS>): Instrument[] {
  if (values.instruments.length === 0) {
    throw new UsageError('Cannot begin without instruments: expected such as "BTC-USD:2:8"');
  }
  const known = openConfiguredInstruments(values);
  return values.instruments.map((text) => known.find(text.replace(/:\d+:\d+$/, ""))!);
}

if (import.meta.main) await serve(matchingEngine);

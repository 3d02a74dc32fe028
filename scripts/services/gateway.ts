/**
 * `mt gateway`: takes orders over WebSocket and TCP.
 *
 * @module
 */

import { mkdirSync } from "node:fs";
import { GATEWAY_COUNTERS, startGateway } from "../../lib/exchange/mod.ts";
import type { Counters } from "../../lib/observability/mod.ts";
import {
  CHANNEL_SETTINGS,
  channelPermissions,
  openOrderChannels,
  SERVER_SETTINGS,
  serverPermissions,
  STATE_SETTINGS,
} from "./_channels.ts";
import {
  INSTRUMENT_SETTINGS,
  instrumentsDirectory,
  openConfiguredInstruments,
} from "./_instruments.ts";
import { defineService, type RunningService, serve, type Service } from "./_service.ts";
import { integer, needed, type Values } from "./_settings.ts";

function limit(min: number, max: number, byDefault: number, help: string) {
  return integer({ min, max, byDefault }, help);
}

const SETTINGS = {
  ...CHANNEL_SETTINGS,
  ...SERVER_SETTINGS,
  stateDir: STATE_SETTINGS.stateDir,
  ...INSTRUMENT_SETTINGS,
  tcpPort: limit(0, 65_535, 0, "port of the binary protocol; 0 for any that is free"),
  gatewayId: limit(1, 1_048_576, 1, "its own among the gateways of an engine, for ever"),
  maxConnections: limit(1, 100_000, 1_024, "connections at the same time"),
  maxSessions: limit(1, 1_000_000, 4_096, "sessions that are remembered"),
  ordersPerSecond: limit(1, 1e9, 10_000, "requests of a session in a second, and at once"),
  resendWindow: limit(16, 65_536, 1_024, "events that are kept for each session: a power of two"),
  heartbeatMs: limit(10, 3_600_000, 1_000, "silence after which a side sends a heartbeat"),
  logonTimeoutMs: limit(10, 3_600_000, 5_000, "time that a connection has to log on"),
};

/** The service. */
export const gateway: Service<typeof SETTINGS, typeof GATEWAY_COUNTERS> = defineService({
  name: "gateway",
  summary: "Takes orders over WebSocket (JSON) and TCP (binary), and tells what comes of them.",
  settings: SETTINGS,
  counters: GATEWAY_COUNTERS,
  instance: ({ gatewayId }) => gatewayId === 1 ? "gateway" : `gateway-${gatewayId}`,
  permissions(values) {
    const paths = [values.stateDir, instrumentsDirectory(values)];
    return [
      ...channelPermissions(values, { paths }),
      ...serverPermissions(values),
      ...serverPermissions({ ...values, port: values.tcpPort }),
    ];
  },
  start,
});

async function start(
  values: Values<typeof SETTINGS>,
  counters: Counters<typeof GATEWAY_COUNTERS>,
): Promise<RunningService> {
  const { host, port, tcpPort, gatewayId } = values;
  // In a directory of its own, so that services and gateways may be given the same one.
  const stateDirectory = `${needed(values, "stateDir")}/gateway-${gatewayId}`;
  needed(values, "walDir");
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  const instruments = openConfiguredInstruments(values);
  using ends = new DisposableStack();
  const { orders, events } = openOrderChannels(values, "gateway.orders", ends);
  const startMs = performance.now();
  const running = await startGateway({
    ...values,
    ...{ orders, events, instruments, gatewayId, stateDirectory, counters },
    webSocket: { hostname: host, port },
    tcp: { hostname: host, port: tcpPort },
    onProblem: (text) => console.error(`mt gateway: ${text}`),
  });
  const channels = ends.move();
  const { webSocketPort, tcpPort: binaryPort, recovered } = running;
  const name = host.includes(":") ? `[${host}]` : host;
  return {
    ready: {
      ...{ host, port: webSocketPort, tcpPort: binaryPort },
      ...{ url: `ws://${name}:${webSocketPort}/`, gatewayId, ...recovered },
      recoveryMs: Math.round(performance.now() - startMs),
    },
    ended: running.ended,
    async stop() {
      await running.stop();
      channels.dispose();
      return { ...running.counts() };
    },
  };
}

if (import.meta.main) await serve(gateway);

/**
 * `mt metrics`: metrics for Prometheus and health, of all channels of a directory.
 *
 * @module
 */

import { HEALTH_LIMITS } from "../../lib/observability/mod.ts";
import {
  CHANNEL_SETTINGS,
  channelPermissions,
  placeOf,
  SERVER_SETTINGS,
  serverPermissions,
} from "./_channels.ts";
import { allow } from "./_permissions.ts";
import { defineService, type RunningService, serve, type Service } from "./_service.ts";
import { bytes, integer, path } from "./_settings.ts";

const percent = (share: number, help: string) =>
  integer({ min: 1, max: 100, byDefault: share * 100 }, help);

const SETTINGS = {
  directory: CHANNEL_SETTINGS.directory,
  walDir: path("directory of the logs, to tell how much room is left there"),
  ...SERVER_SETTINGS,
  port: integer(
    { min: 0, max: 65_535, byDefault: 9464 }, // As exporters of OpenTelemetry have it.
    "port to listen at; 0 for any that is free",
  ),
  stalledSeconds: integer(
    { min: 1, max: 86_400, byDefault: HEALTH_LIMITS.stalledMs / 1000 },
    "seconds that a consumer may be behind and not move",
  ),
  fullPercent: percent(HEALTH_LIMITS.fullShare, "percent of a ring that may be in use"),
  logBehindPercent: percent(
    HEALTH_LIMITS.logBehindShare,
    "percent of a ring that may wait for its log",
  ),
  engineLagRequests: integer(
    { min: 1, max: 1_000_000_000, byDefault: HEALTH_LIMITS.engineLagRequests },
    "requests that may wait for an engine",
  ),
  diskLow: bytes(HEALTH_LIMITS.diskLowBytes, "free bytes of a log's disk that are few"),
  diskCritical: bytes(HEALTH_LIMITS.diskCriticalBytes, "free bytes of a log's disk that fail it"),
};

const NO_COUNTERS = {};

/** The service. */
export const metrics: Service<typeof SETTINGS, typeof NO_COUNTERS> = defineService({
  name: "metrics",
  summary: "Serves metrics for Prometheus, and health, of all channels of a directory.",
  settings: SETTINGS,
  counters: NO_COUNTERS,
  permissions: (values) => [
    ...channelPermissions({ directory: values.directory, walDir: undefined }),
    ...allow("read", [values.walDir]),
    ...serverPermissions(values),
  ],
  async start(values): Promise<RunningService> {
    const { host, port, allowRemote } = values;
    const { serveMetrics } = await import("./_metrics_server.ts"); // mt itself need not load it.
    const server = await serveMetrics({
      ...{ host, port, allowRemote },
      ...placeOf(values),
      limits: {
        stalledMs: values.stalledSeconds * 1000,
        fullShare: values.fullPercent / 100,
        logBehindShare: values.logBehindPercent / 100,
        engineLagRequests: values.engineLagRequests,
        diskLowBytes: values.diskLow,
        diskCriticalBytes: values.diskCritical,
      },
      own: () => ({ state: "running" }),
    });
    return { ready: { url: server.url }, stop: () => server.stop() };
  },
});

if (import.meta.main) await serve(metrics);

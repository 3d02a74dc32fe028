/**
 * `mt inspector`: a page that shows the channels, their logs and what happened to them.
 *
 * @module
 */

import {
  CHANNEL_SETTINGS,
  channelPermissions,
  SERVER_SETTINGS,
  STATE_SETTINGS,
} from "./_channels.ts";
import { allow } from "./_permissions.ts";
import { defineService, type RunningService, serve, type Service } from "./_service.ts";
import { integer } from "./_settings.ts";

const SETTINGS = {
  directory: CHANNEL_SETTINGS.directory,
  walDir: CHANNEL_SETTINGS.walDir,
  stateDir: STATE_SETTINGS.stateDir,
  port: SERVER_SETTINGS.port,
  intervalMs: integer(
    { min: 100, max: 60_000, byDefault: 1_000 },
    "milliseconds between two looks",
  ),
};

const NO_COUNTERS = {};

/** The service. */
export const inspector: Service<typeof SETTINGS, typeof NO_COUNTERS> = defineService({
  name: "inspector",
  summary: "Serves a page, for this host only, that shows channels, logs and what happened.",
  settings: SETTINGS,
  counters: NO_COUNTERS,
  permissions: ({ directory, walDir, stateDir, port }) => [
    ...channelPermissions({ directory, walDir: undefined }),
    ...allow("read", [walDir, stateDir]),
    ...allow("net", [port === 0 ? "127.0.0.1" : `127.0.0.1:${port}`]),
  ],
  async start(values): Promise<RunningService> {
    const { serveInspector } = await import("../inspector/_server.ts"); // mt itself need not.
    const server = await serveInspector(values);
    return { ready: { url: server.url }, stop: () => server.stop() };
  },
});

if (import.meta.main) await serve(inspector);

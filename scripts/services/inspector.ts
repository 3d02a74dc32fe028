/**
 * `mt inspector`: a page that shows the channels, their logs and what happened to them.
 *
 * @module
 */

import { CHANNEL_SETTINGS, channelPermissions, SERVER_SETTINGS } from "./_channels.ts";
import { allow } from "./_permissions.ts";
import { defineService, type RunningService, serve, type Service } from "./_service.ts";
import { integer, path } from "./_settings.ts";

const SETTINGS = {
  directory: CHANNEL_SETTINGS.directory,
  walDir: path("directory of the logs, to show their segments and verify them"),
  stateDir: path("directory of checkpoints, or of directories of them, to show those"),
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

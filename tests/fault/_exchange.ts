/**
 * What the tests of an engine that is killed, and that engine, agree upon.
 *
 * @module
 */

import type { ChannelOptions } from "../../mod.ts";

/** What is traded. */
export const INSTRUMENTS = [{ id: 1 }, { id: 2 }];

/** How both channels are made. Segments are large, so that none is cut: the end replays all. */
export function engineChannels(directory: string) {
  const common = {
    directory,
    durability: "disk",
    walDir: `${directory}/wal`,
    segmentBytes: "8MB",
    snapshotIntervalMs: 20,
  } as const;
  const ordersOptions: ChannelOptions = { ...common, sizeBytes: "1MB", producers: "many" };
  const eventsOptions: ChannelOptions = { ...common, sizeBytes: "256KB" };
  return { ordersOptions, eventsOptions };
}

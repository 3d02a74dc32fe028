/**
 * `mt persister`: writes the logs of channels in a process of its own.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import { type Channel, createChannel, DurabilityError, openChannel } from "../../mod.ts";
import {
  CHANNEL_SETTINGS,
  channelNamed,
  channelPermissions,
  placeOf,
  toChannelOptions,
} from "./_channels.ts";
import { PERSISTER_COUNTERS } from "./_counters.ts";
import { defineService, type RunningService, serve } from "./_service.ts";
import { list, needed, type Values } from "./_settings.ts";

const SETTINGS = {
  ...CHANNEL_SETTINGS,
  channels: list(["gateway.orders", "engine.events"], "channels to write the logs of"),
};

type PersisterValues = Values<typeof SETTINGS>;

/** Milliseconds between two looks: whether a channel is there, whether a log has failed. */
const LOOK_MS = 100;

/** Writes logs, one thread for each, until it is told to end. */
export const persister = defineService({
  name: "persister",
  summary: "Writes the logs of channels whose services leave that to it (persister = outside).",
  settings: SETTINGS,
  counters: PERSISTER_COUNTERS,
  permissions: (values) => channelPermissions(values),
  async start(values, counters): Promise<RunningService> {
    needed(values, "walDir");
    const names = values.channels.map((name) => channelNamed(values, name));
    const channels = await Promise.all(names.map((name) => join(name, values)));
    const stop = new AbortController();
    return {
      ready: { logs: channels.map(({ logDirectory }) => logDirectory) },
      ended: watch(channels, stop.signal),
      sample() {
        const stats = channels.map((channel) => channel.stats());
        const lags = stats.map(({ nextSequence, log }) => nextSequence - 1 - log!.durable);
        counters.update({
          logs: channels.length,
          failed: stats.filter(({ log }) => log!.state === "failed").length,
          lag: lags.reduce((sum, lag) => sum + Math.max(0, lag), 0),
        });
      },
      stop() {
        stop.abort();
        const logs = channels.map((channel) => {
          const { groups, syncs, syncNs, syncNsMax } = channel.stats().log!;
          channel.close(); // Everything published by now is in the log afterwards.
          return { channel: channel.name, groups, syncs, syncNs, syncNsMax };
        });
        return Promise.resolve({ logs });
      },
    };
  },
});

/** Opens a channel as soon as somebody has made it, as it is. */
async function join(name: string, values: PersisterValues): Promise<Channel> {
  for (;;) {
    try {
      using channel = openChannel(name, { ...placeOf(values), readOnly: true, prefault: false });
      const { alignment, timestamps, producers, maxConsumers, sizeBytes, schemaText } = channel;
      const schema = { text: schemaText, hash: channel.identity.schemaHash };
      return createChannel(name, {
        ...toChannelOptions(values),
        ...{ alignment, timestamps, producers, maxConsumers, sizeBytes },
        ...(schemaText === "" ? {} : { schema }),
        persister: "inside",
      });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    await setTimeout(LOOK_MS);
  }
}

/** Rejects when a log has failed. */
async function watch(channels: readonly Channel[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const channel of channels) {
      const { state, errno, fault } = channel.stats().log!;
      if (state !== "failed") continue;
      const found = errno === 0 ? `damage (${fault ?? "record"})` : undefined;
      throw new DurabilityError(channel.logDirectory!, errno, found);
    }
    await setTimeout(LOOK_MS, undefined, { signal }).catch(() => {});
  }
}

if (import.meta.main) await serve(persister);

/**
 * `mt load-generator`: made-up orders for a gateway, at a fixed rate.
 *
 * @module
 */

import { dirname } from "node:path";
import { findLibrary } from "../../lib/native/binary.ts";
import { UsageError } from "../_command.ts";
import { startLoad } from "../load/load_generator.ts";
import { CHANNEL_SETTINGS } from "./_channels.ts";
import { LOAD_COUNTERS } from "./_counters.ts";
import { allow } from "./_permissions.ts";
import { defineService, serve, type Service } from "./_service.ts";
import { integer, path, text, type Values } from "./_settings.ts";

const SETTINGS = {
  directory: CHANNEL_SETTINGS.directory, // Its counters are there.
  channelPrefix: CHANNEL_SETTINGS.channelPrefix,
  url: text(undefined, "the gateway's address: ws://host:port/ or tcp://host:port"),
  rate: integer({ min: 1, max: 1_000_000, byDefault: 1_000 }, "requests a second"),
  sessions: integer({ min: 1, max: 1_000, byDefault: 8 }, "clients that send them in turn"),
  seed: integer({ min: 0, max: 0xffff_ffff, byDefault: 1 }, "decides the requests"),
  apartMs: integer(
    { min: 0, max: Number.MAX_SAFE_INTEGER, byDefault: 0 },
    "milliseconds from the start in which latencies are counted apart",
  ),
  outcomeFile: path("file for the accounts of all sessions, as JSON, at the end"),
};

function addressOf({ url }: Values<typeof SETTINGS>): URL {
  if (url === undefined) {
    throw new UsageError("Cannot send orders without url: expected an address");
  }
  if (/^(ws|tcp):\/\/[^/]+:\d+\/?$/.test(url)) return new URL(url);
  throw new UsageError(
    `Cannot send orders to "${url}": expected ws://host:port/ or tcp://host:port`,
  );
}

/** The service. */
export const loadGenerator: Service<typeof SETTINGS, typeof LOAD_COUNTERS> = defineService({
  name: "load-generator",
  summary: "Sends made-up orders to a gateway at a fixed rate, and keeps account of the answers.",
  settings: SETTINGS,
  counters: LOAD_COUNTERS,
  permissions(values) {
    const { hostname, port } = addressOf(values);
    const { outcomeFile, directory } = values;
    const place = [outcomeFile && dirname(outcomeFile), directory];
    return [
      ...allow("ffi", [findLibrary()]),
      ...allow("net", [`${hostname}:${port}`]),
      ...allow("read", place),
      ...allow("write", place),
    ];
  },
  async start(values, counters) {
    const { outcomeFile } = values;
    const { ackTime: ack, answerTime: answer } = counters.values;
    const load = await startLoad({
      ...{ ...values, url: addressOf(values).href },
      timers: { ack, answer },
    });
    return {
      ready: {},
      sample: () => counters.update(load.counts()),
      ended: load.done.then(() => new Promise<never>(() => {})),
      async stop() {
        const outcome = await load.stop();
        counters.update(outcome.counts);
        if (outcomeFile !== undefined) {
          await Deno.writeTextFile(outcomeFile, JSON.stringify(outcome));
        }
        return { ...outcome.counts };
      },
    };
  },
});

if (import.meta.main) await serve(loadGenerator);

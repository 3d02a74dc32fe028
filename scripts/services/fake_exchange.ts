/**
 * The fake exchange as a service: something to collect from where there is no network.
 *
 * @module
 */

import {
  FakeExchange,
  REST_FAULTS,
  type RestFault,
  STREAM_FAULTS,
  type StreamFault,
} from "../../lib/market/fake_exchange/fake_exchange.ts";
import { UsageError } from "../_command.ts";
import {
  CHANNEL_SETTINGS,
  channelPermissions,
  SERVER_SETTINGS,
  serverPermissions,
} from "./_channels.ts";
import { FAKE_EXCHANGE_COUNTERS } from "./_counters.ts";
import { defineService, serve } from "./_service.ts";
import { choice, integer, list } from "./_settings.ts";

const SETTINGS = {
  directory: CHANNEL_SETTINGS.directory, // Its counters are there.
  channelPrefix: CHANNEL_SETTINGS.channelPrefix,
  ...SERVER_SETTINGS,
  symbols: list(["BTCUSDT"], "what is traded"),
  market: choice(["spot", "futures"], "spot", "whose rules it follows"),
  seed: integer({ min: 0, max: 2 ** 32 - 1, byDefault: 1 }, "the same seed, the same market"),
  rateHz: integer(
    { min: 1, max: 1_000_000, byDefault: 1_000 },
    "things that happen to each symbol in a second",
  ),
  faults: list(
    [],
    `probability of a fault for each message or request, such as "gap=0.001"; of a message: ${
      STREAM_FAULTS.join(", ")
    }; of a request: ${REST_FAULTS.join(", ")}`,
  ),
};

/** See `mt fake-exchange --help`. */
export const fakeExchange = defineService({
  name: "fake-exchange",
  summary: "Speaks Binance's streams and REST, with a made-up market and faults on request.",
  settings: SETTINGS,
  counters: FAKE_EXCHANGE_COUNTERS,
  permissions: (values) => [
    ...channelPermissions({ ...values, walDir: undefined }),
    ...serverPermissions(values),
  ],
  async start({ faults, host, port, symbols, market, seed, rateHz }, counters) {
    const rates = faults.map(parseFault);
    const of = <Fault extends string>(kinds: readonly Fault[]) =>
      Object.fromEntries(rates.filter(([fault]) => kinds.some((kind) => kind === fault)));
    const exchange = await FakeExchange.start({
      ...{ host, port, symbols, market, seed, rateHz },
      streamFaults: of<StreamFault>(STREAM_FAULTS),
      restFaults: of<RestFault>(REST_FAULTS),
    });
    const made = () => ({ ...exchange.streamFaults.counts, ...exchange.restFaults.counts });
    return {
      sample() {
        const faults = Object.values(made()).reduce((sum, count) => sum + count, 0);
        counters.update({ ...exchange.counts, faults });
      },
      ready: { url: exchange.url, rest: exchange.restUrl },
      async stop() {
        await exchange.stop();
        return { ...exchange.counts, faults: made() };
      },
    };
  },
});

function parseFault(entry: string): [string, number] {
  const [fault = "", rate = ""] = entry.split("=");
  const kinds: readonly string[] = [...STREAM_FAULTS, ...REST_FAULTS];
  const probability = /^(0|0?\.\d+|1)$/.test(rate) ? Number(rate) : NaN;
  if (kinds.includes(fault) && probability >= 0) return [fault, probability];
  throw new UsageError(
    `Cannot use fault "${entry}": expected <fault>=<0 to 1> with one of ${kinds.join(", ")}`,
  );
}

if (import.meta.main) await serve(fakeExchange);

import { STREAM_FAULTS } from "../../lib/market/fake_exchange/fake_exchange.ts";
import { Station } from "../_collector.ts";
import { IS_LONG, note, Random, seedOf } from "./_support.ts";

const SEED = seedOf(20_261_129);
const ROUNDS = IS_LONG ? 100 : 5;
const STEPS = 3_000;

/** Each kind of fault with a probability of its own, up to the given one. */
function ratesOf<Fault extends string>(
  random: Random,
  kinds: readonly Fault[],
  most: number,
): Partial<Record<Fault, number>> {
  return Object.fromEntries(
    kinds.map((kind) => [kind, random.below(2) * random.below(1_000) / 1_000 * most]),
  ) as Partial<Record<Fault, number>>;
}

/**
 * Lets faults come and go, and then everything be well again. At every step, each book that is in
 * step is compared with the exchange's: `BookConsumer.poll`. Returns how often that was.
 */
async function playRound(seed: number): Promise<number> {
  const random = new Random(seed);
  await using station = await Station.start({
    exchange: {
      seed: random.below(2 ** 31),
      symbols: ["BTCUSDT", "ETHUSDT"],
      market: random.below(2) === 0 ? "spot" : "futures",
      streamFaults: ratesOf(random, STREAM_FAULTS, 0.004),
      restFaults: {
        ...ratesOf(random, ["limited", "banned", "broken", "cut", "stale"], 0.15),
        silent: 0.01,
      },
    },
    live: {
      refreshMs: random.below(2) * 50,
      times: { silenceMs: 200, lifetimeMs: 100 + random.below(1_000) },
    },
    restTimeoutMs: 1_000, // Of those that are never answered.
    sizeBytes: 2 ** (15 + random.below(5)),
  });
  const { exchange, consumers } = station;
  await station.until("the faults have come", () => exchange.counts.steps > STEPS, 20);
  exchange.streamFaults.setRates({});
  exchange.restFaults.setRates({});
  await station.untilInStep();
  return consumers.reduce((sum, { compared }) => sum + compared, 0);
}

Deno.test(`A book is right or out of step in any mix of faults (seed ${SEED})`, async () => {
  let compared = 0;
  for (let seed = SEED; seed < SEED + ROUNDS; seed++) {
    try {
      compared += await playRound(seed);
    } catch (cause) {
      throw new Error(`MT_SEED=${seed}`, { cause });
    }
  }
  note("collector: books compared under faults", compared);
});

/**
 * How many orders a second the machine can take.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import { SoakScene } from "./_scene.ts";

/** Orders a second that are tried, one after the other. */
const RATES = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000];

/** Milliseconds of each. */
const STEP_MS = 4_000;

/** Share of what was to be acknowledged that has to be in time. */
const SHARE_MIN = 0.95;

/** Nanoseconds until half of the orders are acknowledged, at most: above, they queue up. */
const ACK_NS_MAX = 250e6;

/**
 * Tries one rate after the other on a pipeline of its own, until one is too high.
 *
 * @param onStep Told of each.
 * @returns The highest that it could keep up with; the lowest if none.
 */
export async function calibrate(
  seed: number,
  onStep: (rate: number, isKeptUp: boolean) => void,
): Promise<number> {
  await using scene = await SoakScene.open(RATES.at(-1)!, () => {});
  let best = RATES[0]!;
  for (const rate of RATES) {
    const load = await scene.startLoad(rate, seed);
    await scene.watch(setTimeout(STEP_MS));
    const { counts, latency } = await scene.stopLoad(load);
    const isKeptUp = counts.acks >= SHARE_MIN * rate * counts.seconds && counts.refused === 0 &&
      latency.ack.whole.p50Ns <= ACK_NS_MAX;
    onStep(rate, isKeptUp);
    if (!isKeptUp) break;
    best = rate;
  }
  return best;
}

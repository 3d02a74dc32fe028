/**
 * `mt top`: the channels of a directory, live.
 *
 * @module
 */

import type { Command } from "commander";
import { type Look, RecentLatency, Watch } from "../../lib/observability/mod.ts";
import { defaultDirectory } from "../../lib/native/path.ts";
import { UsageError } from "../_command.ts";
import { HAS_COLOUR, jsonText, write } from "../_output.ts";
import { placeOf, type PlaceOptions, withPlace } from "./_frame.ts";
import { screenSize, Terminal } from "./_terminal.ts";
import { newTopState, pressKey, topFrame } from "./_top_view.ts";

interface TopOptions extends PlaceOptions {
  interval: string;
  once?: boolean;
}

/** Adds the command. */
export function addTop(program: Command): void {
  withPlace(program.command("top"))
    .description("watch the channels live: rates, how full they are, who is behind, stalled, dead")
    .option("--interval <ms>", "milliseconds between two looks, 100 to 60000", "1000")
    .option("--once", "look twice, print that, and end; needs no terminal")
    .addHelpText(
      "after",
      "\nKeys: arrows or j k choose a channel, enter shows its peers, s sorts, ? helps, q quits." +
        "\nWith --json it prints one line for each look, until it is ended; with --once only one.",
    )
    .action(top);
}

async function top(options: TopOptions): Promise<void> {
  const intervalMs = readInterval(options.interval);
  const place = placeOf(options);
  const sight = new TopSight(place);
  if (options.once || options.json) return await print(sight, options, intervalMs);
  using terminal = new Terminal();
  const state = newTopState();
  const style = {
    isColoured: HAS_COLOUR,
    latency: sight.latency,
    place: place.directory ?? defaultDirectory(),
    intervalMs,
  };
  let look = sight.look();
  for (let dueMs = performance.now() + intervalMs;;) {
    terminal.draw(topFrame(look, state, { ...style, ...screenSize() }));
    const event = await terminal.next(Math.max(0, dueMs - performance.now()));
    if (event.kind === "end") return;
    if (event.kind === "key" && !pressKey(state, event.key, look)) return;
    if (event.kind === "resize") terminal.clear();
    if (event.kind !== "tick") continue;
    look = sight.look();
    dueMs = performance.now() + intervalMs;
  }
}

/** Looks, and remembers what it takes to tell what is of late. */
class TopSight {
  readonly latency = new RecentLatency();
  readonly #watch: Watch;

  constructor(place: { directory?: string }) {
    this.#watch = new Watch(place);
  }

  look(): Look {
    const look = this.#watch.look();
    this.latency.take(look);
    return look;
  }
}

function readInterval(text: string): number {
  const intervalMs = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (intervalMs >= 100 && intervalMs <= 60_000) return intervalMs;
  throw new UsageError(`Cannot look every "${text}": expected 100 to 60000 milliseconds`);
}

/** Prints looks: rates are between two of them, so that the first one is only the beginning. */
async function print(sight: TopSight, options: TopOptions, intervalMs: number): Promise<void> {
  sight.look();
  for (let isWanted = true; isWanted;) {
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
    const look = sight.look();
    const text = options.json ? jsonText(look) : onceText(look, sight.latency, options, intervalMs);
    isWanted = write(`${text}\n`) && !options.once;
  }
}

/** One frame as text: as wide as it needs to be, and as long. */
function onceText(
  look: Look,
  latency: RecentLatency,
  options: TopOptions,
  intervalMs: number,
): string {
  const lines = topFrame(look, newTopState(), {
    ...{ columns: ONCE_COLUMNS, rows: look.channels.length * 4 + 10, isColoured: false, latency },
    ...{ place: placeOf(options).directory ?? defaultDirectory(), intervalMs },
  });
  return lines.slice(0, -1).map((line) => line.trimEnd()).join("\n").trimEnd();
}

/** All columns have room. */
const ONCE_COLUMNS = 180;

/**
 * One end of many channels, for as long as the test names some: a line `{ channels }` on stdin
 * opens them; `running` on stdout says that messages flow through each; `outcome <errors>` tells
 * the name of the error that each has ended with.
 *
 * Anything else than messages that verify and errors of the library ends the process with a
 * failure.
 */

import { existsSync } from "node:fs";
import * as transport from "../../../mod.ts";
import { encode, Ledger, lengthOf } from "../_content.ts";
import { commands, print } from "./_lines.ts";

interface Config {
  directory: string;
  role: "producer" | "consumer";
  onSlow?: "block" | "drop";
  /**
   * Steps after which a channel without an error is left, counted once there is a file
   * `<first channel>.over` beside it; `outcome` has `none` for it.
   */
  steps?: number;
  /** What the channel may fail with. */
  errors: string[];
}

/** An open end: does a little, returns how many messages that were. */
interface End {
  step(): number;
  close(): void;
}

const config: Config = JSON.parse(Deno.args[0]!);
const steps = config.steps ?? Infinity;
using control = commands();
print("open");
for (let line = await control.next(); line !== undefined; line = await control.next()) {
  if (line === "stop") break;
  const { channels } = JSON.parse(line) as { channels: string[] };
  print(`outcome ${JSON.stringify(await runAll(channels))}`);
}

async function runAll(channels: string[]): Promise<string[]> {
  const open: (End | undefined)[] = channels.map(openEnd);
  const moved = open.map(() => 0);
  const outcomes = open.map(() => "none");
  let isRunning = false;
  let isOver = false;
  let left = steps;
  for (let round = 0; left > 0 && open.some((end) => end !== undefined); round++) {
    if (isOver) left--;
    for (const [i, end] of open.entries()) {
      if (end === undefined) continue;
      try {
        moved[i]! += end.step();
      } catch (error) {
        outcomes[i] = nameOf(error);
        open[i] = undefined;
        end.close();
      }
    }
    if (!isRunning && moved.every((count) => count > 200)) {
      isRunning = true;
      print("running");
    }
    if (round % 64 !== 0) continue;
    await new Promise((resolve) => setTimeout(resolve, 0));
    isOver ||= existsSync(`${config.directory}/${channels[0]}.over`);
  }
  for (const end of open) end?.close();
  return outcomes;
}

function nameOf(error: unknown): string {
  if (error instanceof Error && config.errors.includes(error.name)) return error.name;
  throw error;
}

function openEnd(name: string): End | undefined {
  const channel = transport.openChannel(name, { directory: config.directory });
  return config.role === "producer" ? openSource(channel) : openSink(channel);
}

function openSource(channel: transport.Channel): End {
  const producer = transport.openProducer(channel);
  let counter = 0;
  const step = () => {
    let count = 0;
    for (; count < 20; count++) {
      const bytes = encode(1, counter, lengthOf(counter, 40));
      if (producer.offer(bytes) === transport.BACK_PRESSURED) break;
      counter++;
    }
    return count;
  };
  return { step, close: () => channel.close() };
}

function openSink(channel: transport.Channel): End {
  const { onSlow = "block" } = config;
  const consumer = transport.openConsumer(channel, { onSlow, from: "earliest" });
  const ledger = new Ledger({ hasGaps: true });
  const step = () => consumer.poll((message) => ledger.accept(message));
  return { step, close: () => channel.close() };
}

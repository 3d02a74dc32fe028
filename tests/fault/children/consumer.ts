/**
 * A consumer that checks what it is given.
 *
 * Prints `open <cursor>`; for `handle: "print"` a line `handled <first> <last>` for each batch,
 * before it acknowledges it; for `"count"` nothing. At the end `end <delivered> <skipped> <lost>
 * <counts>`, when it has had `count` messages, or was told `stop` and has had what there was.
 *
 * With `stallAt` it prints `stalled` in the handler of that message of its own count and sleeps for
 * ever; with `handle: "never"` it does so before the first poll.
 */

import {
  type Consumer,
  type Message,
  openChannel,
  openConsumer,
  type Start,
} from "../../../mod.ts";
import { Ledger } from "../_content.ts";
import { commands, print } from "./_lines.ts";

interface Config {
  directory: string;
  channel: string;
  /** Name that the cursor is kept under. */
  name?: string;
  from?: Start;
  onSlow?: "block" | "drop";
  wait?: "spin" | "yield" | "park" | "adaptive";
  handle: "print" | "count" | "never";
  stallAt?: number;
  /** Messages in a batch. */
  limit?: number;
  /** Messages to take; endless without. */
  count?: number;
}

const config: Config = JSON.parse(Deno.args[0]!);
const { handle, limit = 64, count = Infinity, onSlow = "block", stallAt } = config;
let lost = 0;

using channel = openChannel(config.channel, { directory: config.directory });
using consumer = openConsumer(channel, {
  onSlow,
  ack: "manual",
  wait: config.wait ?? "adaptive",
  onGap: ({ from, to }) => lost += to - from + 1,
  ...(config.name === undefined ? {} : { name: config.name }),
  ...(config.from === undefined ? {} : { from: config.from }),
});
print(`open ${consumer.cursor}`);
if (handle === "never") stall();
await run(consumer);

async function run(consumer: Consumer): Promise<void> {
  using control = commands();
  const ledger = new Ledger({ last: consumer.cursor, hasGaps: true });
  while (ledger.delivered + lost < count) {
    const isStopped = control.isStopped; // What was sent before that can be seen from here on.
    const before = ledger.delivered;
    const first = ledger.last + 1;
    consumer.pollWait((message) => take(ledger, message), { limit, timeoutMs: 20 });
    if (ledger.delivered === before) {
      if (isStopped) break;
      await new Promise((resolve) => setTimeout(resolve, 0)); // Lets a command in.
      continue;
    }
    if (handle === "print") print(`handled ${first} ${ledger.last}`);
    consumer.ack();
  }
  const counts = JSON.stringify([...ledger.counts]);
  print(`end ${ledger.delivered} ${ledger.skipped} ${lost} ${counts}`);
}

function take(ledger: Ledger, message: Message): void {
  ledger.accept(message);
  if (ledger.delivered === stallAt) stall();
}

/** Says so and never comes back. */
function stall(): never {
  print("stalled");
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

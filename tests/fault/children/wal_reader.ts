/**
 * A durable subscription that checks what it is given: a named consumer of a channel with a log.
 *
 * Prints `open <cursor>`, then `handled <first> <last>` for each batch of messages, before it
 * acknowledges it. Ends when it has had a message of sequence `last` or a later one.
 */

import { openChannel, openConsumer } from "../../../mod.ts";
import { WalLedger } from "../_wal.ts";
import { print } from "./_lines.ts";

interface Config {
  directory: string;
  channel: string;
  name: string;
  onSlow: "block" | "spill";
  /** Messages in a batch. */
  limit: number;
  /** Whether it takes them by `for await`. */
  loops?: boolean;
  /** Whether it keeps only what it has not acknowledged in the log. */
  keeps?: boolean;
  /** Where to end; never without. */
  last?: number;
}

const config: Config = JSON.parse(Deno.args[0]!);
const { name, onSlow, limit, last = Infinity } = config;
using channel = openChannel(config.channel, { directory: config.directory });
using consumer = openConsumer(channel, { name, onSlow, ack: config.loops ? "auto" : "manual" });
const ledger = new WalLedger([]);
ledger.last = consumer.cursor;
print(`open ${consumer.cursor}`);
if (config.loops) await loop();
else poll();
print("end");

async function loop(): Promise<void> {
  for await (const message of consumer) {
    const first = ledger.last + 1;
    ledger.accept(message);
    print(`handled ${first} ${ledger.last}`);
    if (ledger.last >= last) {
      consumer.ack();
      break;
    }
  }
}

function poll(): void {
  while (ledger.last < last) {
    const first = ledger.last + 1;
    const count = consumer.pollWait((message) => ledger.accept(message), { limit, timeoutMs: 100 });
    if (count === 0) continue;
    print(`handled ${first} ${ledger.last}`);
    consumer.ack();
    if (config.keeps) consumer.keep(ledger.last);
  }
}

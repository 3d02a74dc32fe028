/**
 * A producer of verifiable messages.
 *
 * Prints `open`, with `report` a line `done <messages>` after each operation, and `end <messages>`
 * when it has sent all, or was told `stop`.
 */

import { openChannel, openProducer, type Producer } from "../../../mod.ts";
import { encode, lengthOf } from "../_content.ts";
import { type Commands, commands, print } from "./_lines.ts";

interface Config {
  directory: string;
  channel: string;
  /** Who the messages are from. */
  id: number;
  operation: "offer" | "batch" | "claim";
  /** Messages to send; endless without. */
  count?: number;
  /** Messages in a batch. */
  unit?: number;
  /** Longest message in bytes. */
  lengthMax?: number;
  /** Messages between two pauses of a millisecond; none without. */
  burst?: number;
  /** Whether it tells what it has done. */
  report?: boolean;
}

const config: Config = JSON.parse(Deno.args[0]!);
const { id, operation, count = Infinity, unit = 1, lengthMax = 48, burst = Infinity } = config;

using channel = openChannel(config.channel, { directory: config.directory });
const producer = openProducer(channel, { name: `producer-${id}` });
using control = commands();
print("open");
await run(producer, control);
producer.close();

async function run(producer: Producer, control: Commands): Promise<void> {
  let sent = 0;
  let untilPause = burst;
  while (sent < count && !control.isStopped) {
    await send(producer, sent);
    sent += unit;
    untilPause -= unit;
    if (config.report) print(`done ${sent}`);
    if (untilPause > 0) continue;
    untilPause = burst;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  print(`end ${sent}`);
}

async function send(producer: Producer, counter: number): Promise<void> {
  const message = (i: number) => encode(id, counter + i, lengthOf(counter + i, lengthMax));
  switch (operation) {
    case "offer":
      producer.write(message(0));
      return;
    case "batch":
      producer.writeBatch(Array.from({ length: unit }, (_, i) => message(i)));
      return;
    case "claim":
      for (const bytes = message(0);;) {
        const claim = producer.tryClaim(bytes.length);
        if (claim === undefined) {
          await producer.ready();
          continue;
        }
        claim.bytes.set(bytes);
        claim.publish();
        return;
      }
  }
}

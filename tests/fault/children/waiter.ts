/**
 * Waits in one of the ways that there are. Prints `open` before it begins, `error <name>` when the
 * wait ends with an error, `over` when it ends because its consumer or producer was closed, and
 * with `report` a line `message <sequence>` for each message.
 *
 * With `end` it ends the process in that way after `endMs`, or at the message after that time.
 */

import { type Channel, openChannel, openConsumer, openProducer } from "../../../mod.ts";
import { print } from "./_lines.ts";

/** How a process ends. */
type End = "exit" | "throw" | "reject" | "return" | "close" | "signal";

interface Config {
  directory: string;
  channel: string;
  kind: "pollWait" | "forAwait" | "wait" | "write" | "ready" | "none";
  wait?: "spin" | "yield" | "park" | "adaptive";
  onSlow?: "block" | "drop";
  report?: boolean;
  end?: End;
  endMs?: number;
  /** Whether it ends at a message, in the loop that waits. */
  isAtMessage?: boolean;
}

const config: Config = JSON.parse(Deno.args[0]!);
const { wait = "park", onSlow = "block", report = false, end, endMs = 0, isAtMessage } = config;
const channel = openChannel(config.channel, { directory: config.directory });
let isDue = false;

if (end === "signal") Deno.addSignalListener("SIGTERM", () => Deno.exit(STATUS.signal));
print("open");
if (end !== undefined && end !== "signal") setTimeout(isAtMessage ? setDue : finish, endMs);
waitFor(channel).then(() => print("over")).catch((error: Error) => {
  if (error.message === THROWN) throw error;
  print(`error ${error.name}`);
});

/** Exit status of each end; an uncaught error's is 1. */
const STATUS = { exit: 7, signal: 9 };
const THROWN = "thrown on purpose";

function setDue(): void {
  isDue = true;
}

function finish(): void {
  switch (end) {
    case "exit":
      Deno.exit(STATUS.exit);
      break;
    case "throw":
      throw new Error(THROWN);
    case "reject":
      void Promise.reject(new Error(THROWN));
      break;
    case "close":
      channel.close();
  }
}

async function waitFor(channel: Channel): Promise<void> {
  switch (config.kind) {
    case "none":
      openConsumer(channel, { wait, onSlow });
      return;
    case "pollWait":
    case "forAwait":
    case "wait":
      return await consume(channel);
    case "write":
      for (const producer = openProducer(channel, { wait });;) producer.write(new Uint8Array(100));
    case "ready":
      for (const producer = openProducer(channel, { wait }); producer.isOpen;) {
        while (producer.isOpen && producer.offer(new Uint8Array(100)) > 0);
        await producer.ready();
      }
  }
}

async function consume(channel: Channel): Promise<void> {
  const consumer = openConsumer(channel, { wait, onSlow });
  const take = ({ sequence }: { sequence: number }) => {
    if (report) print(`message ${sequence}`);
    if (isDue) finish();
  };
  switch (config.kind) {
    case "pollWait":
      while (consumer.isOpen) {
        consumer.pollWait(take);
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      return;
    case "forAwait":
      for await (const message of consumer) take(message);
      return;
    case "wait":
      while (await consumer.wait()) consumer.poll(take);
  }
}

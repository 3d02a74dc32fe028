/**
 * Opens, reads, leaves and removes a consumer that others open and remove at the same time, until
 * it is told to stop.
 *
 * Prints `open <cursor>` with the place that it begins at, `take <sequence>` before it acknowledges
 * that message, and `removed`.
 */

import { type Consumer, openChannel, openConsumer, removeConsumer } from "../../../mod.ts";
import { Random } from "../../_random.ts";
import { commands, print } from "./_lines.ts";

interface Config {
  directory: string;
  channel: string;
  /** The consumer's. */
  name: string;
  seed: number;
  /** Whether it never opens it. */
  removesOnly?: boolean;
}

const config: Config = JSON.parse(Deno.args[0]!);
const { name } = config;
const random = new Random(config.seed);
using channel = openChannel(config.channel, { directory: config.directory });
using control = commands();
while (!control.isStopped) {
  if (config.removesOnly || random.below(2) === 0) remove();
  else use();
  await new Promise((resolve) => setTimeout(resolve, random.below(3)));
}
print("end");

/** Nothing, where another one has it. */
function unlessTaken<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    const isExpected = error instanceof Deno.errors.Busy || error instanceof Deno.errors.NotFound;
    if (!isExpected) throw error;
    return undefined;
  }
}

function use(): void {
  using consumer = unlessTaken(() => openConsumer(channel, { name, onSlow: "spill" }));
  if (consumer === undefined) return;
  print(`open ${consumer.cursor}`);
  for (let polls = random.below(4); polls > 0; polls--) poll(consumer);
  const owners = channel.stats().consumers.filter((peer) => peer.name === name);
  const isOwner = owners.length === 1 && owners[0]!.pid === Deno.pid;
  if (!isOwner) throw new Error(`found ${JSON.stringify(owners)} while it is ours`);
}

function poll(consumer: Consumer): void {
  let last = consumer.cursor;
  consumer.poll(({ sequence }) => {
    if (sequence !== last + 1) throw new Error(`${sequence} came after ${last}`);
    last = sequence;
    print(`take ${sequence}`);
  }, 1 + random.below(20));
  if (random.below(4) === 0) consumer.keep(Math.max(1, consumer.cursor));
}

function remove(): void {
  const isRemoved = unlessTaken(() => (removeConsumer(channel, name), true));
  if (isRemoved) print("removed");
}

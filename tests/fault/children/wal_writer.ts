/**
 * Writes messages to a channel with a log and prints `acked <sequence>` for what is durable.
 *
 * Prints `open <next sequence>` first, and `end` when it has sent all. `failed <name> <errno>`
 * tells how a wait for durability has failed; with `goesOn` the next message is tried all the same.
 *
 * As `persister` it only writes the log, until the test ends its input.
 */

import {
  type ChannelOptions,
  createChannel,
  DurabilityError,
  MESSAGE_FLAGS,
  openChannel,
  openConsumer,
  openProducer,
  type Producer,
} from "../../../mod.ts";
import { Random } from "../../_random.ts";
import { messageAt, recordsOf } from "../_wal.ts";
import { commands, print } from "./_lines.ts";

interface Config {
  directory: string;
  channel: string;
  /** What the channel is made with; without, it is opened. */
  options?: ChannelOptions;
  role?: "persister";
  /** Who writes: in each message. */
  life: number;
  /** Of the random sizes of batches and ways to wait. */
  seed: number;
  /** Rounds to send; endless without. */
  rounds?: number;
  /** Most messages of a round, each of which ends with waiting. Default: 1. */
  roundMax?: number;
  /** Milliseconds between two rounds; none without. */
  pauseMs?: number;
  /** Whether all messages are of several records. */
  isLong?: boolean;
  /** Whether a failure does not end it. */
  goesOn?: boolean;
  /** Whether a consumer `reader` takes everything as soon as it is in the ring. */
  reads?: boolean;
  /** Whether it needs nothing in the log any more then. */
  keeps?: boolean;
  /** Whether nobody waits: what is durable is looked up. */
  isLazy?: boolean;
  /** Whether each message asks for the disk, whatever its channel promises. */
  isCritical?: boolean;
}

const config: Config = JSON.parse(Deno.args[0]!);
const { directory, life, rounds = Infinity, roundMax = 1, goesOn = false } = config;
using channel = config.options === undefined
  ? openChannel(config.channel, { directory })
  : createChannel(config.channel, { directory, ...config.options });
if (config.role === "persister") {
  using control = commands();
  print("open");
  await control.next();
} else {
  await write(openProducer(channel));
}

async function write(producer: Producer): Promise<void> {
  const random = new Random(config.seed);
  const reader = config.reads
    ? openConsumer(channel, { name: "reader", onSlow: "spill" })
    : undefined;
  const { nextSequence } = channel.stats();
  print(`open ${nextSequence}`);
  let next = nextSequence;
  const pending: number[] = []; // Last sequences of messages.
  for (let round = 0; round < rounds; round++) {
    const count = 1 + random.below(roundMax);
    try {
      for (let i = 0; i < count; i++) {
        next = send(producer, next);
        if (config.isLazy) pending.push(next - 1);
      }
      while (reader !== undefined && reader.poll(() => {}) > 0);
      if (config.keeps && reader !== undefined && reader.cursor > 0) reader.keep(reader.cursor);
      if (config.isLazy) {
        const { durable } = channel.stats().log!;
        let whole = 0;
        while (pending.length > 0 && pending[0]! <= durable) whole = pending.shift()!;
        if (whole > 0) print(`acked ${whole}`);
        continue;
      }
      await wait(producer, next - 1, random);
      print(`acked ${next - 1}`);
      if (config.pauseMs) await new Promise((resolve) => setTimeout(resolve, config.pauseMs));
    } catch (error) {
      if (!(error instanceof DurabilityError)) throw error;
      print(`failed ${error.name} ${error.errno}`);
      if (!goesOn) break;
    }
  }
  print("end");
}

/** Sends the message that has to come there. Returns the sequence of the next one. */
function send(producer: Producer, first: number): number {
  const message = messageAt(first, life, config.isLong);
  const expected = first + recordsOf(message.length, producer.maxRecordBytes) - 1;
  const flags = config.isCritical ? MESSAGE_FLAGS.critical : 0;
  const sequence = producer.write(message, { flags });
  if (sequence !== expected) throw new Error(`expected sequence ${expected}, found ${sequence}`);
  return sequence + 1;
}

async function wait(producer: Producer, sequence: number, random: Random): Promise<void> {
  if (roundMax === 1 || random.below(2) === 0) {
    producer.waitDurable(sequence);
    return;
  }
  await Promise.all([producer.durable(Math.max(1, sequence - 3)), producer.durable(sequence)]);
}

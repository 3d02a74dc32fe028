/**
 * Opening a journal, and setting right what its last process left.
 *
 * @module
 */

import type { Channel } from "../../channel/channel.ts";
import type { Consumer } from "../../channel/consumer.ts";
import type { ConsumerOptions } from "../../channel/consumer_options.ts";
import { openConsumer } from "../../channel/open_consumer.ts";
import { SequenceGapError } from "../../errors.ts";
import { Journal, type JournalOptions } from "./journal.ts";
import { mendJournalTail } from "./journal_tail.ts";
import { JournalWriter } from "./journal_writer.ts";
import { jsonLayoutOf } from "./json_layout.ts";
import { knownLayouts } from "./known_layouts.ts";

const DEFAULT_ROTATE_BYTES = 256 * 1024 * 1024;

/** A feed's name is part of the names of files. */
const FEED_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,95}$/;

/**
 * Opens the journal of a channel, and begins to write.
 *
 * Each message becomes a line of JSON, in the order of their sequences, and is acknowledged when it
 * is as durable as `sync` says. A process that is killed leaves at most a torn last line, which is
 * set aside here; what it had written but not acknowledged is not written twice. On a full disk
 * nothing is half written: the journal waits for room, and its consumer holds producers back as
 * `onSlow` says.
 *
 * The files are this user's alone (0600 in directories of 0700). It does not delete old ones.
 *
 * Thread: the channel's isolate. Cost: a message becomes a line in about five microseconds.
 *
 * @example
 * ```ts
 * import { createChannel, openProducer } from "message_transport";
 * import { openJournal, readJournal } from "message_transport/market";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = Deno.makeTempDirSync();
 * {
 *   using channel = createChannel("market.btc-usd", { directory });
 *   const producer = openProducer(channel);
 *   const journal = openJournal(channel, { directory: `${directory}/journals` });
 *   producer.write(new TextEncoder().encode("hello"));
 *   await journal.stop();
 *   for await (const { sequence, payload } of readJournal(journal.directory)) {
 *     assertEquals([sequence, new TextDecoder().decode(payload)], [1, "hello"]);
 *   }
 * }
 * Deno.removeSync(directory, { recursive: true });
 * ```
 *
 * @throws {Deno.errors.Busy} If another journal writes there, or a consumer of that name lives.
 * @throws {RangeError} If an option is out of its range.
 * @throws {NoSpaceError} If there is no room to set a torn end aside.
 */
export function openJournal(channel: Channel, options: JournalOptions): Journal {
  const { feed = channel.name, sync = "batch", rotateBytes = DEFAULT_ROTATE_BYTES } = options;
  checkOptions(feed, sync, rotateBytes);
  const directory = `${options.directory}/${feed}`;
  Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  using opened = new DisposableStack();
  const lock = opened.use(lockDirectory(directory));
  const { consumer: name = "journal", onSlow = "block", onFull, counters } = options;
  const { consumer, goneCount } = openPlace(channel, { name, onSlow, ack: "manual" });
  opened.use(consumer);
  const { salt, schemaText } = channel.identity;
  // With a log it outlives the ring; without, sequences begin at 1 in the next one.
  const origin = salt.toString(16).padStart(8, "0");
  const layout = jsonLayoutOf(schemaText);
  const layouts = (layout === undefined ? knownLayouts : [layout]).map(({ text }) => text);
  const header = { channel: channel.name, origin, layouts };
  const tail = mendJournalTail(directory, { origin, cursor: consumer.cursor });
  const writer = new JournalWriter({ directory, feed, header, rotateBytes }, tail);
  opened.move();
  const { nowUs = wallClockUs } = options;
  return new Journal({
    ...{ directory, channel, consumer, goneCount, lock, tail, writer, layout, sync, nowUs, onFull },
    counters,
  });
}

/** Opens the consumer where it left, or with the oldest message where that is gone. */
function openPlace(
  channel: Channel,
  options: ConsumerOptions,
): { consumer: Consumer; goneCount: number } {
  try {
    return { consumer: openConsumer(channel, options), goneCount: 0 };
  } catch (error) {
    if (!(error instanceof SequenceGapError)) throw error;
    // Without a log nothing is kept for a consumer that is away.
    const consumer = openConsumer(channel, { ...options, from: "earliest" });
    return { consumer, goneCount: consumer.cursor + 1 - error.expected };
  }
}

function checkOptions(
  feed: string,
  sync: NonNullable<JournalOptions["sync"]>,
  rotateBytes: number,
): void {
  const cannot = `Cannot open a journal of "${feed}"`;
  if (!FEED_NAME.test(feed)) {
    throw new RangeError(`${cannot}: expected a name of 1 to 96 of A-Z a-z 0-9 . _ -`);
  }
  if (typeof sync === "object" && !(sync.intervalMs >= 1 && sync.intervalMs <= 1e6)) {
    throw new RangeError(
      `${cannot}: expected sync.intervalMs to be 1 to 1000000, found ${sync.intervalMs}`,
    );
  }
  if (!(Number.isSafeInteger(rotateBytes) && rotateBytes > 0)) {
    throw new RangeError(`${cannot}: expected rotateBytes to be bytes, found ${rotateBytes}`);
  }
}

/** Takes the directory for this process, until it ends or closes the file. */
function lockDirectory(directory: string): Deno.FsFile {
  const path = `${directory}/.lock`;
  const lock = Deno.openSync(path, { create: true, write: true, mode: 0o600 });
  if (lock.tryLockSync(true)) return lock;
  lock.close();
  throw new Deno.errors.Busy(`Cannot write a journal into "${directory}": found another at work`);
}

function wallClockUs(): number {
  return Number(Temporal.Now.instant().epochNanoseconds / 1000n);
}

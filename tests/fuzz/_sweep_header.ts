// Spoils ring files and uses them: each step has to give a value or an error of its own class. Runs
// as a process, because what it looks for is the end of the process. Before each case it writes
// down which one it is, so that a crash or a hang has a name.

import {
  BACK_PRESSURED,
  type Channel,
  ChannelClosedError,
  type Consumer,
  CorruptHeaderError,
  CorruptRecordError,
  createChannel,
  DeadlockError,
  LayoutMismatchError,
  openChannel,
  openConsumer,
  openObserver,
  openProducer,
  type Producer,
  RingTruncatedError,
  SequenceGapError,
} from "../../mod.ts";
import { LatencyHistogram } from "../../lib/observability/mod.ts";
import { patchBytes } from "../_format.ts";
import { encode } from "../_support.ts";

/** What to spoil. */
interface FuzzTask {
  directory: string;
  producers: "single" | "many";
  /** Whether the channel is in use when its header is spoilt. */
  isOpen: boolean;
  /** Words of the header to go through: this process takes every `stride`th from `first` on. */
  first: number;
  stride: number;
}

/** What came of it. */
interface FuzzAnswer {
  cases: number;
  /** How often each class of error was thrown. */
  errors: Record<string, number>;
}

const TYPED = [
  ChannelClosedError,
  CorruptHeaderError,
  CorruptRecordError,
  DeadlockError,
  LayoutMismatchError,
  RingTruncatedError,
  SequenceGapError,
  Deno.errors.Busy,
  Deno.errors.NotFound,
  Deno.errors.TimedOut,
];

/** Ranges of words that steer, and of words that only tell: [offset, bytes, whether they steer]. */
type Ranges = [number, number, boolean][];

// Offsets of docs/format.md; the words of slots stand in zig/header.zig.
const LINES_OFFSET = 4096;
const PRODUCERS_OFFSET = 26240;
const LINES: Ranges = [
  [0, 40, true],
  [128, 8, true],
  [256, 8, true],
  [384, 16, true],
  [512, 96, true],
  [608, 24, false],
  [640, 12, true],
  [768, 512, true],
  [1280, 4, false], // The history's count, the first entry; the log's histograms.
  [1408, 32, false],
  [5504, 32, false],
  [13824, 32, false],
];
const PRODUCER_BYTES = 384;
const PRODUCER: Ranges = [[0, 32, true], [128, 80, false], [256, 32, true], [288, 96, false]];
const CONSUMER_BYTES = 8832;
const CONSUMER: Ranges = [
  [0, 16, true],
  [128, 96, false],
  [256, 32, true],
  [288, 96, false],
  [384, 16, true],
  [512, 32, false],
];

const task: FuzzTask = JSON.parse(Deno.args[0]!);
const NAME = `fuzz-${task.producers}-${task.isOpen}-${task.first}`;
const OPTIONS = {
  directory: task.directory,
  sizeBytes: 4096,
  maxConsumers: 2,
  producers: task.producers,
  timestamps: true,
};
const path = `${task.directory}/${NAME}.ring`;
const errors: Record<string, number> = {};
/** Every message that was ever sent. Nothing else may arrive. */
const sent = new Set<string>();
let sentCount = 0;

/** Takes one step. The library's own errors are an answer; any other ends the process. */
function attempt<T>(step: () => T): T | undefined {
  try {
    return step();
  } catch (error) {
    if (!TYPED.some((kind) => error instanceof kind)) throw error;
    const { name } = error as Error;
    errors[name] = (errors[name] ?? 0) + 1;
    return undefined;
  }
}

function nextMessage(): Uint8Array<ArrayBuffer> {
  const text = `message ${++sentCount}`;
  sent.add(text);
  return encode(text);
}

/** Polls until nothing comes: a header may make it look for long, but not for ever. */
function drain(consumer: Consumer, polls = 300): void {
  for (let i = 0; i < polls; i++) {
    const count = attempt(() =>
      consumer.poll((message) => {
        if (!sent.has(message.text)) throw new Error(`Cannot be: received "${message.text}"`);
        if (!(message.sequence > 0 && message.latencyNs >= 0)) {
          throw new Error(`Cannot be: ${message.sequence} after ${message.latencyNs} ns`);
        }
      }, 7)
    );
    if (count === undefined) return;
  }
}

function send(producer: Producer, count: number): void {
  for (let i = 0; i < count; i++) {
    const sequence = attempt(() => producer.offer(nextMessage()));
    if (sequence === undefined) return;
    if (!(sequence > 0 || sequence === BACK_PRESSURED)) throw new Error(`Cannot be: ${sequence}`);
  }
  attempt(() => producer.offerBatch([nextMessage(), nextMessage()]));
  attempt(() => producer.tryClaim(9)?.abort());
  attempt(() => producer.write(nextMessage(), { timeoutMs: 0 }));
}

/** Looks at everything that there is to see. */
function look(channel: Channel): void {
  const stats = attempt(() => channel.stats());
  for (const peer of [...stats?.producers ?? [], ...stats?.consumers ?? []]) {
    for (const value of Object.values(peer)) {
      if (value === undefined || Number.isNaN(value)) throw new Error("Cannot be: no number");
    }
  }
  for (const index of [0, 1]) {
    attempt(() => channel.latency(index, [0, 0.5, 1]));
    const read = attempt(() => channel.histogram("latency", index));
    const found = new LatencyHistogram(read);
    for (const value of [found.count, found.meanNs, found.percentile(99)]) {
      if (!(value >= 0)) throw new Error(`Cannot be: ${value} of a histogram`);
    }
  }
  for (const entry of attempt(() => channel.history()) ?? []) {
    if (entry.kind === undefined) throw new Error("Cannot be: no kind");
  }
}

/** Who uses a channel in a case. */
interface Users {
  channel: Channel;
  producers: (Producer | undefined)[];
  consumers: (Consumer | undefined)[];
}

function enter(): Users | undefined {
  const channel = attempt(() => openChannel(NAME, OPTIONS));
  if (channel === undefined) return undefined;
  const consumers = [
    attempt(() => openConsumer(channel, { name: "kept" })),
    attempt(() => openConsumer(channel, { onSlow: "drop", from: "earliest" })),
    attempt(() => openObserver(channel, { from: "earliest" })),
    attempt(() => openObserver(channel, { from: 90 })),
  ];
  const count = task.producers === "many" ? 2 : 1;
  const producers = Array.from({ length: count }, () => attempt(() => openProducer(channel)));
  return { channel, producers, consumers };
}

function use({ channel, producers, consumers }: Users): void {
  look(channel);
  for (const producer of producers) {
    if (producer === undefined) continue;
    attempt(() => producer.gating());
    send(producer, 3);
  }
  const claim = attempt(() => producers[1]?.tryClaim(7));
  for (const consumer of consumers) {
    if (consumer === undefined) continue;
    attempt(() => consumer.pollWait(() => {}, { limit: 1, timeoutMs: 0 }));
    attempt(() => consumer.ack());
    drain(consumer);
  }
  if (producers[0] !== undefined) send(producers[0], 70); // More than the ring holds.
  attempt(() => claim?.abort());
  for (const consumer of consumers) if (consumer !== undefined) drain(consumer);
  look(channel);
}

/** What a byte belongs to. Of 64 producer slots, most are alike: "nothing" but one more. */
function kindOf(offset: number): "steers" | "tells" | "nothing" {
  const slots = task.producers === "many" ? 64 : 1;
  const slot = Math.floor((offset - PRODUCERS_OFFSET) / PRODUCER_BYTES);
  if (3 <= slot && slot < slots - 1) return "nothing";
  const consumersOffset = PRODUCERS_OFFSET + slots * PRODUCER_BYTES;
  const [ranges, start] = offset < PRODUCERS_OFFSET
    ? [LINES, offset - LINES_OFFSET]
    : offset < consumersOffset
    ? [PRODUCER, (offset - PRODUCERS_OFFSET) % PRODUCER_BYTES]
    : offset < consumersOffset + OPTIONS.maxConsumers * CONSUMER_BYTES
    ? [CONSUMER, (offset - consumersOffset) % CONSUMER_BYTES]
    : [[], 0] as const;
  const range = ranges.find(([first, size]) => first <= start && start < first + size);
  return range === undefined ? "nothing" : range[2] ? "steers" : "tells";
}

/** Which values a byte is set to: several where it steers. */
function valuesFor(offset: number, byte: number): number[] {
  if (kindOf(offset) !== "steers") return [byte ^ 0xff];
  return [0x00, 0xff, byte ^ 0x01, byte ^ 0x80].filter((value) => value !== byte);
}

/** A ring that was lapped, with a consumer that has left and has not read all. */
function prepare(): Uint8Array<ArrayBuffer> {
  using channel = createChannel(NAME, OPTIONS);
  const producer = openProducer(channel);
  for (let i = 0; i < 80; i++) producer.offer(nextMessage());
  openConsumer(channel, { name: "kept", from: 75 }).close();
  for (let i = 0; i < 20; i++) producer.offer(nextMessage());
  return Deno.readFileSync(path);
}

/** What a channel that stays in use is asked for while bytes are spoilt that nothing depends on. */
function spoilLightly({ channel, producers, consumers }: Users): void {
  look(channel);
  attempt(() => producers[0]?.offer(nextMessage()));
  for (const consumer of consumers) if (consumer !== undefined) drain(consumer, 1);
}

/** Spoils a byte that may change everything, before the channel is opened or after. */
function spoil(offset: number, value: number): void {
  const before = task.isOpen ? enter() : undefined;
  patchBytes(path, offset, Uint8Array.of(value));
  const users = before ?? enter();
  if (users !== undefined) use(users);
  before?.channel.close();
  users?.channel.close();
  patchBytes(path, 0, file);
}

const file = prepare();
const progressPath = `${task.directory}/${NAME}.progress`;
using progress = Deno.openSync(progressPath, { create: true, write: true });
let cases = 0;

/** Words of 8 bytes that are this process's share, those on which nothing depends apart. */
function* wordsOf(isLight: boolean): Iterable<number> {
  const headerBytes = file.length - OPTIONS.sizeBytes;
  const first = LINES_OFFSET + 8 * task.first;
  for (let word = first; word < headerBytes; word += 8 * task.stride) {
    if ((kindOf(word) === "nothing" && kindOf(word + 7) === "nothing") === isLight) yield word;
  }
}

function note(what: string): void {
  progress.seekSync(0, Deno.SeekMode.Start);
  progress.writeSync(encode(what.padEnd(60)));
  cases++;
}

for (const word of wordsOf(false)) {
  for (let offset = word; offset < word + 8; offset++) {
    for (const value of valuesFor(offset, file[offset]!)) {
      note(`byte ${offset} set to ${value}`);
      sent.clear();
      for (sentCount = 0; sentCount < 100;) nextMessage();
      spoil(offset, value);
    }
  }
}
const users = enter()!;
for (const word of wordsOf(true)) {
  const before = file.subarray(word, word + 8);
  for (const mask of [0xff, 0x01, 0x80]) {
    note(`bytes ${word} to ${word + 7} changed by ${mask}`);
    patchBytes(path, word, before.map((byte) => byte ^ mask));
    spoilLightly(users);
  }
  patchBytes(path, word, before);
}
users.channel.close();
Deno.removeSync(path);
Deno.removeSync(progressPath);
console.log(JSON.stringify({ cases, errors } satisfies FuzzAnswer));

// Random sequences of everything that producers and consumers do, on tiny rings, against a plain
// array (_ring_model.ts). fast-check prints seed, path and the shortest sequence that fails.

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  BACK_PRESSURED,
  type Channel,
  type Claim,
  type Consumer,
  type ConsumerOptions,
  type Gap,
  openConsumer,
  openObserver,
  openProducer,
  type Producer,
  SequenceGapError,
} from "../mod.ts";
import { LIMITS_PER_RING } from "../lib/native/_layout.ts";
import { type Delivered, ReaderModel, RingModel } from "./_ring_model.ts";
import { pattern, Scratch } from "./_support.ts";

/** Fixed, so that a failure comes again. */
const SEED = 20240808;

const MISHAP = new Error("mishap");

/** A consumer as it is opened. `gaps` takes what it is told of. */
interface Reader {
  consumer: Consumer;
  options: ConsumerOptions & { isObserver?: boolean };
  gaps: Gap[];
}

/** The real channel and who is on it. */
class Rig {
  readonly channel: Channel;
  readonly producers: Producer[];
  readonly claims: (Claim | undefined)[] = [];
  readonly readers: Reader[];

  constructor(channel: Channel) {
    this.channel = channel;
    const count = channel.producers === "many" ? 2 : 1;
    this.producers = Array.from({ length: count }, () => openProducer(channel));
    this.readers = READERS.map((options) => this.openReader(options));
  }

  openReader(options: Reader["options"]): Reader {
    const gaps: Gap[] = [];
    const onGap = (gap: Gap) => void gaps.push(gap);
    const consumer = options.isObserver
      ? openObserver(this.channel, { from: "earliest", onGap })
      : openConsumer(this.channel, { ...options, onGap });
    return { consumer, options, gaps };
  }
}

const READERS: Reader["options"][] = [
  { name: "auto" },
  { name: "manual", ack: "manual" },
  { onSlow: "drop", from: "earliest" },
  { isObserver: true },
];

type Command = fc.Command<RingModel, Rig>;

/** A command from what it does and how it is shown. */
function command(
  name: string,
  args: unknown[],
  run: (model: RingModel, rig: Rig) => void,
  check: (model: RingModel) => boolean = () => true,
): Command {
  return {
    check,
    run(model, rig) {
      run(model, rig);
      compare(model, rig);
    },
    toString: () => `${name}(${args.join(", ")})`,
  };
}

/** Everything that can be seen of both has to agree. */
function compare(model: RingModel, { channel, readers }: Rig): void {
  const { claimed, nextSequence, occupancy } = channel.stats();
  assertEquals([claimed, nextSequence], [model.claimed, model.nextSequence]);
  assertEquals(occupancy, model.occupancy);
  for (const [i, { consumer }] of readers.entries()) {
    const reader = model.readers[i]!;
    if (!reader.isOpen) continue;
    assertEquals([consumer.cursor, consumer.lostCount], [reader.acked, reader.lost], `reader ${i}`);
  }
}

function isFree(producer: number) {
  return (model: RingModel) =>
    model.open[producer] === undefined && (model.shape.isMany || producer === 0);
}

function messagesOf(model: RingModel, lengths: number[]): Uint8Array<ArrayBuffer>[] {
  return lengths.map((length, i) => pattern(length, model.entries.length + i + 1));
}

function offer(producer: number, length: number): Command {
  return command("offer", [producer, length], (model, rig) => {
    const messages = messagesOf(model, [length]);
    const first = model.claim(producer, messages);
    const real = rig.producers[producer]!;
    if (first === -1) return void assertThrows(() => real.offer(messages[0]!), RangeError);
    const sequence = real.offer(messages[0]!);
    if (first === undefined) return assertEquals(sequence, BACK_PRESSURED);
    assertEquals(sequence, model.publish(first, model.entries.length - first));
  }, isFree(producer));
}

function offerBatch(producer: number, lengths: number[]): Command {
  return command("offerBatch", [producer, `[${lengths}]`], (model, rig) => {
    const messages = messagesOf(model, lengths);
    const isTooLong = lengths.some((length) => length > model.shape.maxRecordBytes);
    const first = isTooLong ? -1 : model.claim(producer, messages);
    const real = rig.producers[producer]!;
    if (first === -1) return void assertThrows(() => real.offerBatch(messages), RangeError);
    const sequence = real.offerBatch(messages);
    if (first === undefined) return assertEquals(sequence, BACK_PRESSURED);
    assertEquals(sequence, model.publish(first, messages.length));
  }, isFree(producer));
}

function claim(producer: number, length: number): Command {
  return command("claim", [producer, length], (model, rig) => {
    const messages = messagesOf(model, [length]);
    const first = model.claim(producer, messages);
    const real = rig.producers[producer]!.tryClaim(length);
    assertEquals(real === undefined, first === undefined);
    real?.bytes.set(messages[0]!);
    rig.claims[producer] = real;
    model.open[producer] = first;
  }, isFree(producer));
}

function finish(producer: number, state: "published" | "aborted"): Command {
  return command(state, [producer], (model, rig) => {
    const first = model.open[producer]!;
    const sequence = model.publish(first, 1, state);
    model.open[producer] = undefined;
    const real = rig.claims[producer]!;
    if (state === "published") assertEquals(real.publish(), sequence);
    else real.abort();
  }, (model) => model.open[producer] !== undefined);
}

function reopenProducer(producer: number): Command {
  return command("reopenProducer", [producer], (model, rig) => {
    const first = model.open[producer];
    if (first !== undefined) model.publish(first, 1, "aborted");
    model.open[producer] = undefined;
    rig.producers[producer]!.close();
    rig.producers[producer] = openProducer(rig.channel);
  }, (model) => model.shape.isMany || producer === 0);
}

/** Polls the real reader. One that was overrun may need some polls to notice it. */
function pollReal({ consumer, gaps }: Reader, limit: number, mishap: number, isOverrun: boolean) {
  const messages: Delivered[] = [];
  const handler = ({ sequence, payload }: { sequence: number; payload: Uint8Array }) => {
    messages.push({ sequence, payload: payload.slice() });
    if (messages.length === mishap) throw MISHAP;
  };
  for (let i = 0; i < 300; i++) {
    try {
      consumer.poll(handler, limit);
    } catch (error) {
      if (error !== MISHAP) throw error;
    }
    if (!isOverrun || gaps.length > 0) break;
  }
  return messages;
}

function poll(i: number, limit: number, mishap = Infinity): Command {
  return command("poll", [i, limit, mishap], (model, rig) => {
    const [reader, real] = [model.readers[i]!, rig.readers[i]!];
    real.gaps.length = 0;
    const expected = model.poll(reader, limit, mishap);
    const { lostFrom } = expected;
    const messages = pollReal(real, limit, mishap, lostFrom !== undefined);
    if (lostFrom !== undefined) {
      const gap = real.gaps[0]!;
      assertEquals(gap.from, lostFrom);
      assert(gap.to >= gap.from && model.isGoodStart(gap.to), `goes on behind ${gap.to}`);
      model.skip(reader, gap.to);
      const rest = model.poll(reader, limit, mishap);
      assertEquals(rest.lostFrom, undefined, "it was not overrun again meanwhile");
      expected.messages.push(...rest.messages);
    }
    assertEquals(real.gaps.length, lostFrom === undefined ? 0 : 1);
    assertEquals(messages, expected.messages);
  }, (model) => model.readers[i]!.isOpen && (mishap === Infinity || model.readers[i]!.isBlocking));
}

function ack(i: number, back: number): Command {
  return command("ack", [i, back], (model, rig) => {
    const reader = model.readers[i]!;
    const sequence = reader.delivered - back;
    rig.readers[i]!.consumer.ack(sequence);
    const isPartial = reader.read > 0 && model.entries[reader.read - 1]!.message === undefined;
    const isAll = back === 0 && !isPartial;
    let end = isAll ? reader.read : sequence; // Of a whole message: none is acknowledged in part.
    while (end > reader.acked && model.entries[end - 1]!.message === undefined) end--;
    reader.acked = Math.max(reader.acked, end);
  }, (model) => {
    const { isOpen, isManual, delivered } = model.readers[i]!;
    return isOpen && isManual && delivered >= back;
  });
}

function close(i: number): Command {
  return command("close", [i], (model, rig) => {
    model.readers[i]!.isOpen = false;
    rig.readers[i]!.consumer.close();
  }, (model) => model.readers[i]!.isOpen);
}

/** Opens a named consumer again: where it was, or with the oldest if the ring has gone past it. */
function reopen(i: number): Command {
  return command("reopen", [i], (model, rig) => {
    const { options } = rig.readers[i]!;
    const { sizeBytes } = model.shape;
    const behind = model.bytesFrom(model.readers[i]!.acked);
    let start = model.readers[i]!.acked;
    try {
      rig.readers[i] = rig.openReader(options);
      assert(behind <= sizeBytes, "what it goes on with was overwritten");
    } catch (error) {
      if (!(error instanceof SequenceGapError)) throw error;
      assertEquals(error.expected, start + 1);
      // Of the oldest sixteenth, and the longest claim, producers need not have been asked.
      const surelyThere = sizeBytes / 2 - sizeBytes / LIMITS_PER_RING;
      assert(behind > surelyThere, `only ${behind} bytes behind`);
      rig.readers[i] = { ...rig.openReader({ ...options, from: "earliest" }), options };
      start = rig.readers[i]!.consumer.cursor;
      assertEquals(error.actual, start + 1);
      assert(model.isGoodStart(start));
    }
    const reader = new ReaderModel(model.readers[i]!);
    reader.read =
      reader.acked =
      reader.done =
      reader.delivered =
        start;
    model.readers[i] = reader;
  }, (model) => !model.readers[i]!.isOpen);
}

/** All that can be done, with the arguments that a ring of this shape makes interesting. */
function commandsFor(maxRecordBytes: number, maxMessageBytes: number): fc.Arbitrary<Command>[] {
  const producer = fc.nat(1);
  const reader = fc.nat(READERS.length - 1);
  const named = fc.nat(1);
  const short = fc.nat(120);
  const length = fc.oneof(short, fc.constantFrom(maxRecordBytes, maxRecordBytes + 1), {
    arbitrary: fc.nat(maxMessageBytes + 1),
    weight: 1,
  });
  const batch = fc.array(fc.oneof(short, fc.nat(maxRecordBytes + 1)), { maxLength: 9 });
  const limit = fc.oneof(fc.nat(5), fc.constant(256));
  return [
    fc.tuple(producer, length).map((args) => offer(...args)),
    fc.tuple(producer, length).map((args) => offer(...args)),
    fc.tuple(producer, batch).map((args) => offerBatch(...args)),
    fc.tuple(producer, fc.oneof(short, fc.constant(maxRecordBytes))).map((args) => claim(...args)),
    producer.map((i) => finish(i, "published")),
    producer.map((i) => finish(i, "aborted")),
    producer.map(reopenProducer),
    fc.tuple(reader, limit).map((args) => poll(...args)),
    fc.tuple(reader, limit).map((args) => poll(...args)),
    fc.tuple(reader, limit, fc.integer({ min: 1, max: 4 })).map((args) => poll(...args)),
    fc.tuple(fc.constant(1), fc.nat(3)).map((args) => ack(...args)),
    named.map(close),
    named.map(reopen),
  ];
}

for (const producers of ["single", "many"] as const) {
  for (const alignment of [8, 64]) {
    Deno.test(`A channel does what a plain array does (${producers}, ${alignment})`, () => {
      const sizeBytes = 4096;
      const maxRecordBytes = sizeBytes / 8 - 32;
      const commands = commandsFor(maxRecordBytes, sizeBytes / 2 - 20);
      fc.assert(
        fc.property(fc.commands(commands, { maxCommands: 120, size: "max" }), (commands) => {
          using scratch = new Scratch();
          const channel = scratch.create({ sizeBytes, alignment, producers });
          fc.modelRun(() => {
            const shape = { sizeBytes, alignment, isMany: producers === "many", maxRecordBytes };
            const model = new RingModel(shape);
            for (const { ack, name } of READERS) {
              const isBlocking = name !== undefined;
              model.readers.push(new ReaderModel({ isBlocking, isManual: ack === "manual" }));
            }
            return { model, real: new Rig(channel) };
          }, commands);
        }),
        { seed: SEED, numRuns: 150 },
      );
    });
  }
}

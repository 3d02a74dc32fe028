/**
 * The demo's collector: reads a feed, normalises it and publishes it into the channel.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import {
  BinanceNormaliser,
  newRecordingCounts,
  Pacer,
  type RecordedMessage,
  RingSink,
} from "../../lib/market/mod.ts";
import { monotonicNs, openChannel, openProducer, type Producer } from "../../mod.ts";
import { obey, placeOf, runChild, tell } from "./_child.ts";
import { readFeed } from "./_feed.ts";
import { Instruments } from "./_instruments.ts";
import type { ChildSettings } from "./_protocol.ts";

/** Messages between two turns of the event loop, in which it hears its end: about a millisecond. */
const MESSAGES_PER_TURN = 1024;

/** What a snapshot is known by, before it is parsed. */
const SNAPSHOT_ID = /"lastUpdateId"\s*:\s*(\d+)/;

/** Symbol of a snapshot in a feed that tells none at all. */
const UNTOLD_SYMBOL = "?";

class Collector {
  readonly instruments = new Instruments();
  readonly sink: RingSink;
  readonly normaliser: BinanceNormaliser;
  /** Snapshots before the first message that tells a symbol. */
  #early: RecordedMessage[] = [];

  constructor(producer: Producer) {
    this.sink = new RingSink(producer, (view, offset) => this.#see(view, offset));
    this.normaliser = new BinanceNormaliser({ sink: this.sink, instruments: this.instruments });
  }

  take(message: RecordedMessage): void {
    const { json } = message;
    if (json.includes('lastUpdateId"')) return this.#takeSnapshot(message);
    if (this.#early.length > 0) {
      const symbol = /"s"\s*:\s*"([^"]+)"/.exec(json)?.[1];
      if (symbol !== undefined) this.#releaseEarly(symbol);
    }
    this.#normalise(message);
  }

  /** Gives up waiting for a symbol. */
  finish(): void {
    this.#releaseEarly(UNTOLD_SYMBOL);
  }

  #see(view: DataView, offset: number): boolean {
    this.instruments.see(view, offset);
    return true;
  }

  #takeSnapshot(message: RecordedMessage): void {
    const updateId = Number(SNAPSHOT_ID.exec(message.json)?.[1] ?? 0);
    const symbol = this.instruments.symbolOfSnapshot(updateId);
    if (symbol === undefined) this.#early.push(message);
    else this.#normalise(message, symbol);
  }

  #releaseEarly(symbol: string): void {
    const early = this.#early;
    this.#early = [];
    for (const message of early) this.#normalise(message, symbol);
  }

  #normalise({ json, receiveUs }: RecordedMessage, symbol = ""): void {
    this.normaliser.normalise(json, receiveUs, symbol);
  }
}

async function collect(collector: Collector, { feed }: ChildSettings): Promise<void> {
  const { sink, instruments, normaliser } = collector;
  const recording = newRecordingCounts();
  const pacer = new Pacer(feed.pace);
  const startNs = monotonicNs();
  for await (const message of readFeed(feed, recording)) {
    if (feed.pace > 0) await pacer.wait(message.receiveUs);
    collector.take(message);
    if (sink.isBehind) await sink.catchUp();
    if (recording.messages % MESSAGES_PER_TURN === 0) await setImmediate();
  }
  collector.finish();
  await sink.catchUp();
  tell({
    event: "published",
    published: sink.sequence,
    bytes: sink.bytes,
    startNs,
    symbols: instruments.symbols,
    recording,
    normalised: normaliser.counts,
  });
}

async function main(settings: ChildSettings): Promise<void> {
  using channel = openChannel(settings.channel, placeOf(settings));
  const producer = openProducer(channel, { name: "collector", view: true });
  const collector = new Collector(producer);
  const failure = Promise.withResolvers<never>();
  const conversation = obey((command) => {
    if (command.do === "start") collect(collector, settings).catch(failure.reject);
  });
  tell({ event: "ready" });
  await Promise.race([conversation, failure.promise]);
}

if (import.meta.main) await runChild(main);

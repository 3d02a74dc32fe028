/**
 * What `mt tail` reads: messages of a channel's ring and log, or of a log alone, and what is
 * missing or damaged between them. Looks only: takes no slot and writes nothing.
 *
 * @module
 */

import {
  type Channel,
  type Consumer,
  CorruptLogError,
  CorruptRecordError,
  type Gap,
  type Message,
  openObserver,
  readLog,
  SequenceGapError,
} from "../../mod.ts";
import { segmentsIn } from "./place.ts";

/** What is told of a message, or instead of one. */
export type Item =
  | { kind: "message"; message: Message; publishTimeUs: number }
  | { kind: "gap"; gap: Gap }
  | { kind: "damage"; what: string };

/** Takes what is read; false to read no more. A message and its bytes are used again afterwards. */
export type Sink = (item: Item) => boolean;

/** Reads a channel from outside: its ring, and its log for what has left the ring. */
export class ChannelSource implements Disposable {
  readonly #channel: Channel;
  #observer: Consumer | undefined;
  #gaps: Gap[] = [];
  /** Sequence behind the last that was read. */
  #next = 0;

  /** A channel that was opened to look only. */
  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Goes to a sequence, or to the oldest that is there if that is gone. Returns which it is. */
  seek(sequence: number): number {
    this.#observer?.close();
    this.#observer = this.#open(sequence) ?? this.#open("earliest")!;
    this.#next = this.#observer.cursor + 1;
    return this.#next;
  }

  #gapTo(from: number): Gap {
    return { from, to: this.#next - 1 };
  }

  /** Undefined if that sequence is there no more. */
  #open(from: number | "earliest"): Consumer | undefined {
    try {
      return openObserver(this.#channel, { from, onGap: (gap) => this.#gaps.push(gap) });
    } catch (error) {
      if (error instanceof SequenceGapError) return undefined;
      throw error;
    }
  }

  /** Reads what is there. False if the sink wants no more. */
  read(sink: Sink): boolean {
    let isWanted = true;
    let nowMs = 0;
    const give = (message: Message) => {
      if (!isWanted || !(isWanted = this.#giveGaps(sink))) return;
      this.#next = message.sequence + 1;
      isWanted = sink({ kind: "message", message, publishTimeUs: publishTime(message, nowMs) });
    };
    while (isWanted) {
      nowMs = Date.now(); // Latencies are up to the poll, however long the handler takes.
      try {
        if (this.#observer!.poll(give) === 0) return isWanted && this.#giveGaps(sink);
      } catch (error) {
        isWanted = this.#pass(error, sink);
      }
    }
    return false;
  }

  #giveGaps(sink: Sink): boolean {
    for (const gap of this.#gaps.splice(0)) if (!sink({ kind: "gap", gap })) return false;
    return true;
  }

  /** Goes on behind what does not verify, as near as there is a way in. */
  #pass(error: unknown, sink: Sink): boolean {
    if (!(error instanceof CorruptRecordError) && !(error instanceof CorruptLogError)) throw error;
    const from = error instanceof CorruptRecordError ? error.sequence : this.#next;
    if (!sink({ kind: "damage", what: error.message })) return false;
    const end = this.#channel.stats().nextSequence;
    const found = this.#wayIn(from + 1, end);
    this.#observer!.close();
    this.#observer = found;
    this.#next = found.cursor + 1;
    return this.#next === from + 1 || sink({ kind: "gap", gap: this.#gapTo(from + 1) });
  }

  /** An observer at the first sequence from which one can read: there are some marks in a ring. */
  #wayIn(from: number, end: number): Consumer {
    let [low, high] = [from, end];
    let found: Consumer | undefined;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const observer = this.#openSound(middle);
      if (observer === undefined) low = middle + 1;
      else {
        found?.close();
        found = observer;
        high = middle;
      }
    }
    return found ?? openObserver(this.#channel, { from: "latest" });
  }

  #openSound(sequence: number): Consumer | undefined {
    try {
      return this.#open(sequence);
    } catch (error) {
      if (error instanceof CorruptLogError) return undefined;
      throw error;
    }
  }

  /** Waits until there is something to read, or the time is over. */
  async wait(timeoutMs: number): Promise<void> {
    await this.#observer!.wait({ timeoutMs });
  }

  /** Ends the reading. */
  [Symbol.dispose](): void {
    this.#observer?.close();
  }
}

/** Wall clock, µs since 1970; 0 if the channel has no timestamps. */
function publishTime({ latencyNs }: Message, nowMs: number): number {
  return latencyNs === 0 ? 0 : Math.round(nowMs * 1000 - latencyNs / 1000);
}

/** Reads a log alone. False if the sink wants no more. */
export function readLogTo(
  directory: string,
  { from, to = Infinity }: { from?: number; to?: number },
  sink: Sink,
): boolean {
  let isWanted = true;
  const give = (item: Item) => isWanted &&= sink(item);
  const options = {
    to,
    onDamage: ({ kind, file, offset }: { kind: string; file: string; offset: number }) =>
      void give({ kind: "damage", what: `Found damage (${kind}) in "${file}" at ${offset}` }),
    onLost: ({ from, to }: { from: number; to: number | undefined }) =>
      void give({ kind: "gap", gap: { from, to: to ?? from } }),
  };
  for (const message of readLog(directory, from === undefined ? options : { ...options, from })) {
    if (!give({ kind: "message", message, publishTimeUs: 0 })) return false;
  }
  return true;
}

/** First sequences of a log's segments, from the newest on. */
export function segmentStarts(directory: string): number[] {
  return segmentsIn(directory).toReversed().map((name) => Number(name.slice(9, 29)));
}

/**
 * Where the collector's messages come from, and when.
 *
 * @module
 */

import {
  generateFeed,
  parseRecordingLine,
  readRecording,
  type RecordedMessage,
  type RecordingCounts,
} from "../../lib/market/mod.ts";
import type { FeedSettings } from "./_protocol.ts";

/** Hands out the feed's messages as fast as they can be read or made. */
export function readFeed(
  feed: FeedSettings,
  counts: RecordingCounts,
): AsyncIterable<RecordedMessage> | Iterable<RecordedMessage> {
  return "path" in feed ? readRecording(feed.path, counts) : parsed(generateFeed(feed), counts);
}

function* parsed(lines: Iterable<string>, counts: RecordingCounts): Generator<RecordedMessage> {
  for (const line of lines) {
    counts.messages++;
    yield parseRecordingLine(line)!; // The generator writes the form that this reads.
  }
}

/** Longest sleep: a timer holds 24 days, and a feed may pause for longer. */
const SLEEP_MS_MAX = 3_600_000;

/** Holds messages back until their time, by their receive times. */
export class Pacer {
  readonly #pace: number;
  #firstUs: number | undefined;
  #startMs = 0;

  /** `pace` is how many times the recorded speed it goes; 0 holds nothing back. */
  constructor(pace: number) {
    this.#pace = pace;
  }

  /** Milliseconds until a message is due. One that came before its predecessor is due. */
  delayMs({ receiveUs }: RecordedMessage): number {
    if (this.#pace === 0) return 0;
    if (this.#firstUs === undefined) {
      this.#firstUs = receiveUs;
      this.#startMs = performance.now();
    }
    const dueMs = this.#startMs + (receiveUs - this.#firstUs) / 1000 / this.#pace;
    return Math.min(SLEEP_MS_MAX, Math.max(0, dueMs - performance.now()));
  }

  /** Waits until the message is due. */
  async wait(message: RecordedMessage): Promise<void> {
    for (let ms = this.delayMs(message); ms > 0; ms = this.delayMs(message)) {
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
  }
}

/**
 * Where the collector's messages come from.
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

/**
 * Recorded feeds, plain or gzip. Where the first byte is odd, the rest is compressed first.
 *
 * @module
 */

import { gzipSync } from "node:zlib";
import { newRecordingCounts, readRecording } from "../../../lib/market/mod.ts";
import { encode } from "../../_support.ts";
import { join } from "../../_bytes.ts";
import { must, type Target } from "../_target.ts";

const LINES = '1723161254087896123 {"e":"trade","s":"A"}\n1723161254087896124 {"u":1}\n';

async function run(input: Uint8Array<ArrayBuffer>): Promise<string> {
  const counts = newRecordingCounts();
  const rest = input.subarray(1);
  const bytes = (input[0] ?? 0) % 2 === 1 ? gzipSync(rest) : rest;
  const source = new Blob([Uint8Array.from(bytes)]).stream();
  let messages = 0;
  for await (const { receiveUs, json } of readRecording(source, counts)) {
    must(Number.isSafeInteger(receiveUs) && json.length > 0, `message "${json}" at ${receiveUs}`);
    messages++;
  }
  must(messages === counts.messages, `${messages} messages, ${counts.messages} counted`);
  return [messages, counts.malformed, counts.torn].map((count) => Math.min(2, count)).join();
}

/** Opens it. */
export function open(): Target {
  const gzip = Uint8Array.from(gzipSync(LINES));
  return {
    seeds: [
      join([0], encode(LINES)),
      join([1], encode(LINES)),
      join([0], gzip),
      join([0], gzip, gzip),
      join([0], encode(LINES.slice(0, -9))),
    ],
    run,
  };
}

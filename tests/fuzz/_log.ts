/**
 * What the targets of logs share: a small log of several segments, and its checksums.
 *
 * @module
 */

import { type ChannelOptions, createChannel, openProducer } from "../../mod.ts";
import { crc32c, mask } from "../_format.ts";
import { SEGMENT_BYTES } from "../_log.ts";
import { pattern } from "../_support.ts";
import type { Files } from "./_surgery.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Messages in the log, some of them so long that they are split, and that there are segments. */
const LOG_MESSAGES = 30;

/** Of docs/format.md. */
const HEADER_BYTES = 4096;
const SLOT_BYTES = 12_288;

function messageAt(index: number): Bytes {
  return pattern(index % 5 < 2 ? 30_000 : 20 + 10 * index, index);
}

/** What a log's channel is opened with. */
export function logOptions(directory: string): ChannelOptions {
  return {
    ...{
      directory,
      walDir: `${directory}/wal`,
      durability: "disk" as const,
      sync: "none" as const,
    },
    ...{ segmentBytes: SEGMENT_BYTES, sizeBytes: "64KB" as const, prefault: false },
  };
}

/** Writes a log in two sessions. Returns its files, and its messages by their sequences. */
export function writeLog(directory: string): { files: Files; messages: Map<number, Bytes> } {
  const messages = new Map<number, Bytes>();
  for (const first of [0, LOG_MESSAGES / 2]) {
    using channel = createChannel("test", logOptions(directory));
    const producer = openProducer(channel);
    for (let index = first; index < first + LOG_MESSAGES / 2; index++) {
      messages.set(producer.write(messageAt(index)), messageAt(index));
    }
  }
  const place = `${directory}/wal/test`;
  const names = [...Deno.readDirSync(place)].map(({ name }) => name).sort();
  const files = new Map(names.map((name) => [name, Deno.readFileSync(`${place}/${name}`)]));
  return { files, messages };
}

/** Makes the checksums of a segment's header, or of a control file's slots, right again. */
export function sealLog(bytes: Bytes, name: string): void {
  const [size, step] = name === "control"
    ? [2 * SLOT_BYTES, SLOT_BYTES]
    : [HEADER_BYTES, HEADER_BYTES];
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + step <= Math.min(size, bytes.length); at += step) {
    const crc = mask(crc32c(bytes.subarray(at, at + step - 4)));
    view.setUint32(at + step - 4, crc, true);
  }
}

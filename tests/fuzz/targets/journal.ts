/**
 * Files of a journal. Where the first byte is odd, every line gets a right checksum, so that what
 * is in front of it is read.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { LineBuffer } from "../../../lib/market/journal/journal_line.ts";
import { jsonLayoutOf } from "../../../lib/market/journal/json_layout.ts";
import { KIND_TRADE, newJournalCounts, readJournal, Trade } from "../../../lib/market/mod.ts";
import { defineSchema } from "../../../mod.ts";
import { encode } from "../../_support.ts";
import { join } from "../../_bytes.ts";
import { overwrite } from "../_surgery.ts";
import { must, type Target } from "../_target.ts";

const CRC = /,"crc":"[0-9a-f]*"}?$/;
const decoder = new TextDecoder();

/** Gives each line the checksum that belongs to it. */
function sealed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const lines = decoder.decode(bytes).split("\n").map((line) => {
    if (line === "") return line;
    const content = line.replace(CRC, "");
    return `${content},"crc":"${crc32(content).toString(16).padStart(8, "0")}"}`;
  });
  return encode(lines.join("\n"));
}

/** Two files: of trades, and of a layout that only its header tells. */
function samples(): Uint8Array<ArrayBuffer>[] {
  const other = defineSchema("other", { list: "u16[3]", word: "char[8]", isOn: "bool", f: "f32" });
  return [Trade, other].map((schema) => {
    const lines = new LineBuffer(1024);
    lines.addHeader({ channel: "test", origin: "17", layouts: [schema.text] });
    const view = new DataView(new ArrayBuffer(schema.sizeBytes));
    view.setUint16(0, KIND_TRADE, true);
    const message = { view, offset: 0, length: view.byteLength };
    const head = { sequence: 1, journalTimeUs: 1_722_988_800_000_000, publishTimeUs: 1, flags: 0 };
    lines.addRecord(head, jsonLayoutOf(schema.text), message);
    lines.addRecord({ ...head, sequence: 3, flags: 64 }, undefined, { ...message, length: 5 });
    return lines.bytes.slice();
  });
}

/** Opens it. */
export function open(directory: string): Target {
  const path = `${directory}/journal`;
  return {
    seeds: samples().flatMap((bytes) => [join([0], bytes), join([1], bytes)]),
    async run(input) {
      const rest = input.subarray(1);
      overwrite(path, (input[0] ?? 0) % 2 === 1 ? sealed(rest) : rest);
      const counts = newJournalCounts();
      let [records, last] = [0, 0];
      for await (const { sequence, flags, payload } of readJournal(path, { counts })) {
        must(sequence > last && Number.isSafeInteger(flags), `${sequence} behind ${last}`);
        must(payload instanceof Uint8Array, "no payload");
        last = sequence;
        records++;
      }
      const { damaged, torn, duplicates, missing } = counts;
      return [records, damaged, torn, duplicates, missing].map((n) => Math.min(2, n)).join();
    },
  };
}

/**
 * The file of instruments. Where the first byte is odd, the rest gets a right checksum, so that the
 * lines in front of it are read.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { openInstruments } from "../../../lib/market/mod.ts";
import { encode } from "../../_support.ts";
import { join } from "../../_bytes.ts";
import { overwrite } from "../_surgery.ts";
import { must, type Target } from "../_target.ts";

const HEAD = "message_transport instruments 1\n";
const LISTS = ["", "1 A 2 8\n", "1 BTC-USD 2 8\n2 币安人生USDT 0 12\n3 C 12 0\n"];

function sealed(text: Uint8Array): Uint8Array<ArrayBuffer> {
  const crc = crc32(text).toString(16).padStart(8, "0");
  return join(text, encode(`crc32 ${crc}\n`));
}

/** Opens it. */
export function open(directory: string): Target {
  const path = `${directory}/instruments`;
  const texts = LISTS.map((list) => encode(HEAD + list));
  return {
    seeds: [
      ...texts.map((text) => join([1], text)),
      ...texts.map((text) => join([0], sealed(text))),
    ],
    run(input) {
      const rest = input.subarray(1);
      overwrite(path, (input[0] ?? 0) % 2 === 1 ? sealed(rest) : rest);
      const instruments = openInstruments(path);
      const all = instruments.all();
      for (const [index, one] of all.entries()) {
        const { id, symbol } = one;
        must(id === index + 1 && instruments.at(id) === one, `id ${id} at ${index}`);
        must(instruments.find(symbol) === one, `symbol "${symbol}"`);
      }
      const scales = { priceDecimals: 2, quantityDecimals: 2 };
      const added = instruments.intern("NEW", scales);
      must(added.symbol === "NEW" && openInstruments(path).find("NEW")?.id === added.id, "lost");
      return `${Math.min(3, all.length)}`;
    },
  };
}

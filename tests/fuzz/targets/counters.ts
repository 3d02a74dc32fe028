/**
 * A service's file of counters: read by others, and gone on with by the service's next process. The
 * first byte says whether it is spoilt before it is opened or in use; the rest are cuts.
 *
 * @module
 */

import {
  counter,
  type Counters,
  gauge,
  histogram,
  openCounters,
  readCounters,
} from "../../../lib/observability/mod.ts";
import { crc32c, mask } from "../../_format.ts";
import { join } from "../../_bytes.ts";
import { cut, flips, operate, overwrite } from "../_surgery.ts";
import { isRefusal, must, outcomeOf, type Target } from "../_target.ts";

const DEFINITIONS = {
  orders: counter("shop_orders_total", "Orders."),
  open: gauge("shop_open_orders", "Orders that are open."),
  wait: histogram("shop_wait_seconds", "Time that a customer waits."),
};

// Offsets and sizes of zig/counters.zig.
const IDENTITY_BYTES = 4096;
const IDENTITY_CRC_AT = 4092;
const ENTRIES_AT = 24;
const TABLE_CRC_AT = 36;
const TABLE_AT = 4224;
const ENTRY_BYTES = 272;
const FILE_BYTES = 16 * 1024;

/** Makes the checksums of the table and the identity page right again. */
function seal(bytes: Uint8Array<ArrayBuffer>): void {
  if (bytes.length < TABLE_AT) return;
  const view = new DataView(bytes.buffer);
  const entries = view.getUint32(ENTRIES_AT, true);
  const table = bytes.subarray(TABLE_AT, TABLE_AT + Math.min(64, entries) * ENTRY_BYTES);
  view.setUint32(TABLE_CRC_AT, mask(crc32c(table)), true);
  view.setUint32(IDENTITY_CRC_AT, mask(crc32c(bytes.subarray(0, IDENTITY_CRC_AT))), true);
}

function use({ values: { orders, open, wait } }: Counters<typeof DEFINITIONS>): void {
  orders.add(2);
  open.set(7);
  wait.record(1_000_000);
}

/** Opens it: makes the file. */
export function open(directory: string): Target {
  const path = `${directory}/shop.counters`;
  const begin = () => openCounters("shop", DEFINITIONS, { directory });
  {
    using counters = begin();
    use(counters);
  }
  const sound = Deno.readFileSync(path);
  const outcomes: string[] = [];
  const attempt = (step: () => void) => {
    try {
      step();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      outcomes.push(outcomeOf(error));
    }
  };
  const read = () => {
    for (const { state, values, error } of readCounters({ directory })) {
      outcomes.push(`${state} ${error?.replace(/"[^"]*"/, "").slice(0, 60) ?? values.length}`);
      for (const { name, value, histogram } of values) {
        must(name !== "" && (value !== undefined || histogram !== undefined), `nothing of ${name}`);
        for (const share of [0, 50, 99.9, 100]) {
          must(!Number.isNaN(histogram?.percentile(share) ?? 0), `a percentile of ${name}`);
        }
      }
    }
  };
  return {
    seeds: [
      ...flips(0, 0, 110, 5).map((surgery, at) => join([at], surgery)),
      ...flips(0, 0, 60, 4).map((surgery, at) => join([at], surgery, cut("seal"))),
      ...flips(0, IDENTITY_BYTES, FILE_BYTES, 331).map((surgery, at) => join([at], surgery)),
      ...flips(0, TABLE_AT, TABLE_AT + 300, 37).map((surgery, at) =>
        join([at], surgery, cut("seal"))
      ),
      join([0], cut("size", { at: 5000 })),
      join([1], cut("size", { at: 4096 })),
    ],
    run(input) {
      outcomes.length = 0;
      overwrite(path, sound);
      const spoilt = operate(new Map([["", sound]]), input.slice(1), seal).get("");
      const isInUse = (input[0] ?? 0) % 2 === 1;
      let counters = isInUse ? begin() : undefined;
      overwrite(path, spoilt ?? new Uint8Array(0));
      attempt(read);
      attempt(() => void (counters ??= begin()));
      if (counters !== undefined) attempt(() => use(counters!));
      attempt(read);
      counters?.close();
      for (const { name } of [...Deno.readDirSync(directory)]) {
        if (name !== "shop.counters") Deno.removeSync(`${directory}/${name}`);
      }
      return outcomes.join(" | ");
    },
  };
}

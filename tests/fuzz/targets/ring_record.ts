/**
 * Records of a ring, spoilt under those that read them and write behind them, as a hostile peer
 * would. The first byte chooses the kind of ring; the rest are cuts into its data, in two turns.
 *
 * @module
 */

import { join } from "../../_bytes.ts";
import { sealRecords, SpoilableRing } from "../_ring.ts";
import { cut, operate } from "../_surgery.ts";
import type { Target } from "../_target.ts";

/** Turns in which the cuts are made, between two of which the ring is used. */
const TURNS = 2;

/** Bytes of the data: of the ring without its header. */
const DATA = new Array(64).fill(0).map((_, record) => 64 * record);

/** Opens it. */
export function open(directory: string): Target {
  const rings = (["single", "many"] as const).map((kind) => {
    Deno.mkdirSync(`${directory}/${kind}`);
    return new SpoilableRing(`${directory}/${kind}`, kind);
  });
  return {
    seeds: DATA.flatMap((at, record) => [
      join([record % 2], cut("write", { at: at + 8, bytes: [255, 255, 0, 0] })),
      join([record % 2], cut("flip", { at: at + 12, bytes: [2 + record] }), cut("seal")),
      join([record % 2], cut("write", { at, bytes: [101 + record % 3, 0, 0, 0] }), cut("seal")),
    ]),
    run(input) {
      const ring = rings[(input[0] ?? 0) % 2]!;
      ring.restore();
      const users = ring.enter();
      if (users === undefined) return "not opened";
      const size = Math.ceil(input.length / TURNS);
      for (let turn = 0; turn < TURNS; turn++) {
        const now = Deno.readFileSync(ring.path);
        const data = now.slice(ring.headerBytes);
        const cuts = input.slice(1).subarray(turn * size, (turn + 1) * size);
        const isSealed = { value: false };
        const after = operate(new Map([["", data]]), cuts, () => void (isSealed.value = true));
        now.set((after.get("") ?? data).subarray(0, data.length), ring.headerBytes);
        if (isSealed.value) sealRecords(now, ring.sound);
        ring.write(now, ring.headerBytes);
        ring.use(users, { isForged: true });
      }
      users.channel.close();
      return ring.outcome();
    },
  };
}

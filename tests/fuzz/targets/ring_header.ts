/**
 * The header of a ring file, spoilt before it is opened or while it is in use, and everything that
 * one can do with it then. The first byte chooses which, and the kind of ring; the rest are cuts.
 *
 * @module
 */

import { join } from "../../_bytes.ts";
import { sealIdentity, SpoilableRing } from "../_ring.ts";
import { cut, flips, operate } from "../_surgery.ts";
import type { Target } from "../_target.ts";

/** Lines and slots of a single producer's ring begin and end there: docs/format.md. */
const LINES_AT = 4096;
const SLOTS_END = 5376 + 384 + 2 * 8832;

/** Opens it. */
export function open(directory: string): Target {
  const rings = (["single", "many"] as const).map((kind) => {
    Deno.mkdirSync(`${directory}/${kind}`);
    return new SpoilableRing(`${directory}/${kind}`, kind);
  });
  const words = flips(0, LINES_AT, SLOTS_END, 264);
  return {
    seeds: [
      ...words.flatMap((word, at) => [join([at % 4], word)]),
      join([0], cut("size", { at: 8192 })),
      join([2], cut("size", { at: 4095 })),
      join([0], cut("write", { at: 36, bytes: [64, 0, 0, 0] }), cut("seal")),
      join([0], cut("write", { at: 24, bytes: [0, 32] }), cut("seal")),
    ],
    run(input) {
      const kind = input[0] ?? 0;
      const ring = rings[kind % 2]!;
      ring.restore();
      const spoilt = operate(new Map([["", ring.sound]]), input.subarray(1), sealIdentity).get("");
      const isOpen = (kind & 2) !== 0;
      const before = isOpen ? ring.enter() : undefined;
      ring.write(spoilt ?? new Uint8Array(0));
      const users = before ?? ring.enter();
      if (users !== undefined) ring.use(users, { isForged: true });
      else ring.look();
      users?.channel.close();
      return ring.outcome();
    },
  };
}

/**
 * LMDB's file of a store with a checkpoint in it: opened, read, written, verified, recovered. The
 * first byte says whether it is spoilt before it is opened or afterwards; the rest are cuts.
 *
 * @module
 */

import {
  createChannel,
  openCheckpoints,
  openStore,
  type Store,
  verifyCheckpoints,
  verifyStore,
} from "../../../mod.ts";
import { valueOf } from "../../_store.ts";
import { logOptions } from "../_log.ts";
import { join } from "../../_bytes.ts";
import { cut, flips, operate, overwrite } from "../_surgery.ts";
import { isRefusal, must, outcomeOf, type Target } from "../_target.ts";

const MAP_BYTES = 1 << 18;
const PAGE_BYTES = 4096;

/** A store with a past, and pages that are free. */
async function fill(directory: string): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const content = new Map<string, Uint8Array<ArrayBuffer>>();
  using store = openStore({ directory, mapBytes: MAP_BYTES });
  for (let version = 0; version < 3; version++) {
    const keys = Array.from({ length: 12 }, (_, n) => `cursor/${n}/${"x".repeat(60)}`);
    for (const key of [...keys, "snap/1", "ckpt/engine/0000000000000001"]) {
      content.set(key, valueOf(key, version, key.startsWith("s") ? 9_000 : 70));
    }
    await store.commit([...content].map(([put, value]) => ({ put, value })));
    await store.commit([{ put: "gone", value: valueOf("gone", version, 3_000) }]);
    await store.commit([{ delete: "gone" }]);
  }
  return content;
}

/** Opens it: fills a store. */
export async function open(parent: string): Promise<Target> {
  const directory = `${parent}/a`; // The first of two stores with checkpoints.
  const file = `${directory}/data.mdb`;
  const content = await fill(directory);
  const sound = Deno.readFileSync(file);
  const outcomes = new Set<string>();
  const channel = createChannel("test", logOptions(parent));

  async function attempt(step: () => Promise<unknown>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      outcomes.add(outcomeOf(error));
    }
  }

  /** Reads and writes all. */
  async function use(store: Store): Promise<void> {
    for (const [key, value] of content) {
      await attempt(async () => {
        const found = await store.get(key);
        const isSame = found?.length === value.length &&
          found.every((byte, i) => byte === value[i]);
        must(found === undefined || isSame, `another value of "${key}"`);
        must(found !== undefined || outcomes.size > 0, `no "${key}", and nothing was told`);
      });
    }
    await attempt(() => Array.fromAsync(store.keys()));
    const value = valueOf("new", 1, 5_000);
    await attempt(() => store.commit([{ put: "new", value }, { deletePrefix: "cursor/1" }]));
  }

  return {
    seeds: [
      ...flips(0, 0, sound.length, 331).map((surgery, at) => join([at], surgery)),
      ...[0, 1, 2, 3, 4, 5].map((page) =>
        join([page], cut("fill", { at: page * PAGE_BYTES, bytes: [0, 0, 16] }))
      ),
      join([0], cut("size", { at: 9000 })),
      join([1], cut("size", { at: 9000 })),
    ],
    async run(input) {
      outcomes.clear();
      overwrite(file, sound);
      const spoilt = operate(new Map([["", sound]]), input.subarray(1)).get("") ?? new Uint8Array();
      const kind = (input[0] ?? 0) % 4;
      if (kind === 0) overwrite(file, spoilt);
      await attempt(async () => {
        using store = openStore({ directory, mapBytes: MAP_BYTES });
        if (kind !== 0) overwrite(file, spoilt);
        await use(store);
      });
      if (kind === 3) {
        overwrite(file, spoilt);
        await attempt(() => verifyStore(directory));
        await attempt(() => verifyCheckpoints(parent));
        await attempt(async () => {
          using checkpoints = openCheckpoints({ directory: parent, mapBytes: MAP_BYTES });
          await checkpoints.recover("engine", channel);
        });
      }
      return [...outcomes].sort().slice(0, 3).join(" | ");
    },
    close() {
      channel.close();
    },
  };
}
